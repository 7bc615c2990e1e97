//! Private keys. They are derived P-256 keys with deterministic signatures (RFC 6979), so that the same seed gives the same
//! bytes.
//!
//! P-256 is used because PGO uses it and every client supports it. Ed25519 is not possible: channel binding of SCRAM defines no
//! hash for it (RFC 5929 4.1), so libpq refuses to connect.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{AssociatedOid, LineEnding};
use p256::{NistP256, SecretKey};
use rcgen::{KeyIdMethod, PublicKeyData, SignatureAlgorithm};
use sec1::der::EncodePem;
use sec1::{EcParameters, EcPrivateKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::context::Context;
use crate::identity::seed::Seed;

/// A private key and its public point, in the form that rcgen needs.
pub(crate) struct Key {
    signing: SigningKey,
    public: Vec<u8>,
}

impl Key {
    /// Derives the key of `context`. It is the first draw between 1 and the order of the curve (FIPS 186-5 A.2.2). The first
    /// draw fails only once in 2^32 times.
    pub(crate) fn derive(context: &Context, seed: &Seed) -> Self {
        let mut counter = 0;
        loop {
            if let Ok(signing) = SigningKey::from_slice(context.draw::<32>(seed, counter).as_slice()) {
                return Self::new(signing);
            }
            counter += 1;
        }
    }

    /// An existing key.
    pub(crate) fn given(key: &SecretKey) -> Self {
        Self::new(SigningKey::from(key))
    }

    fn new(signing: SigningKey) -> Self {
        let public = signing.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self { signing, public }
    }

    /// The identifier of the public key: the leftmost 160 bits of its SHA-256 (RFC 7093 method 1). Go computes it in the same
    /// way for PGO.
    pub(crate) fn identifier(&self) -> KeyIdMethod {
        KeyIdMethod::PreSpecified(Sha256::digest(&self.public).iter().take(20).copied().collect())
    }

    /// The private key in PEM, in the format `EC PRIVATE KEY`.
    pub(crate) fn pem(&self) -> Result<Zeroizing<String>, rcgen::Error> {
        let private = Zeroizing::new(self.signing.to_bytes());
        let key = EcPrivateKey {
            private_key: &private,
            parameters: Some(EcParameters::NamedCurve(NistP256::OID)),
            // `SecretKey::to_sec1_pem` would compute the public key again, which is the slowest part of making a certificate.
            public_key: Some(&self.public),
        };
        key.to_pem(LineEnding::LF).map(Zeroizing::new).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: Signature = self.signing.try_sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_6979() {
        // RFC 6979 A.2.5: P-256, SHA-256, message `sample`.
        let key = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
        let r = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716";
        let s = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let signing = SigningKey::from_slice(&bytes(key)).unwrap();
        let signature: Signature = signing.try_sign(b"sample").unwrap();
        assert_eq!(signature.to_bytes().to_vec(), [bytes(r), bytes(s)].concat());
    }
}
