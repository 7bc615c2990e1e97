//! What a certificate that comes with the input says, and whether a key and an authority belong to it.
//!
//! Signatures are checked where they are ECDSA on P-256, which those of PGO and of pgrender are; of others the names alone.

use p256::SecretKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use pem::{EncodeConfig, LineEnding, Pem};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::asn1_rs::{FromDer, Integer, Sequence};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512};
use x509_parser::public_key::PublicKey;
use zeroize::Zeroizing;

/// The facts of one certificate.
pub struct X509 {
    /// The certificate itself.
    pub der: Vec<u8>,
    /// The first common name of its subject.
    pub common_name: Option<String>,
    /// Its DNS names.
    pub names: Vec<String>,
    /// The first second in which it is valid, since 1970.
    pub not_before: i64,
    /// The last second in which it is valid, since 1970.
    pub not_after: i64,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Whether a server may show it.
    pub server_auth: bool,
    /// Whether a client may show it.
    pub client_auth: bool,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    public_key: Vec<u8>,
    modulus: Option<Vec<u8>>,
    digest: Option<Vec<u8>>,
    signature: Vec<u8>,
}

/// The certificates of a PEM text, in its order. `None` when there is none, or one that cannot be read.
pub fn certificates(text: &str) -> Option<Vec<X509>> {
    let blocks = pem::parse_many(text).ok()?;
    let blocks = blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE");
    let certificates: Vec<X509> = blocks.map(|block| X509::read(block.into_contents())).collect::<Option<_>>()?;
    (!certificates.is_empty()).then_some(certificates)
}

impl X509 {
    fn read(der: Vec<u8>) -> Option<Self> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let public_key = certificate.public_key();
        let modulus = match public_key.parsed() {
            Ok(PublicKey::RSA(key)) => Some(without_zeros(key.modulus)),
            _ => None,
        };
        // Without the extension, a certificate is good for everything (RFC 5280 4.2.1.12).
        let usage = certificate.extended_key_usage().ok()?.map(|usage| usage.value);
        let common_name = certificate.subject().iter_common_name().next();
        let facts = Self {
            common_name: common_name.and_then(|name| name.as_str().ok()).map(str::to_owned),
            names: names(&certificate)?,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            is_authority: certificate.is_ca(),
            server_auth: usage.is_none_or(|usage| usage.any || usage.server_auth),
            client_auth: usage.is_none_or(|usage| usage.any || usage.client_auth),
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            public_key: public_key.subject_public_key.data.to_vec(),
            modulus,
            digest: digest(&certificate),
            signature: certificate.signature_value.data.to_vec(),
            der: Vec::new(),
        };
        Some(Self { der, ..facts })
    }

    /// The certificate in PEM, as PGO and pgrender write it.
    pub fn pem(&self) -> String {
        pem::encode_config(&Pem::new("CERTIFICATE", &*self.der), EncodeConfig::new().set_line_ending(LineEnding::LF))
    }

    /// Whether it is valid at a time in seconds since 1970.
    pub fn is_valid_at(&self, time: i64) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// The moment at which two thirds of its life are over: when PGO renews a certificate (`pgo-inventory` 2.1).
    pub fn two_thirds(&self) -> i64 {
        self.not_after - self.not_after.saturating_sub(self.not_before) / 3
    }

    /// Whether `name` is one of its DNS names, or below a wildcard of them (RFC 6125 6.4.3). Case says nothing in a name
    /// (RFC 4343).
    pub fn is_for(&self, name: &str) -> bool {
        let below = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        self.has_name(name) || below.is_some_and(|below| self.has_name(&below))
    }

    /// Whether `name` is one of its DNS names as it stands, but for case.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether it says that `authority` has signed it.
    pub fn names_issuer(&self, authority: &Self) -> bool {
        self.issuer == authority.subject
    }

    /// Whether `authority` has signed it; `None` when only the names say so, because the signature is of another kind than
    /// ECDSA on P-256.
    pub fn is_signed_by(&self, authority: &Self) -> Option<bool> {
        if !self.names_issuer(authority) {
            return Some(false);
        }
        let key = VerifyingKey::from_sec1_bytes(&authority.public_key).ok()?;
        let digest = self.digest.as_ref()?;
        let signature = Signature::from_der(&self.signature);
        Some(signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()))
    }

    /// Whether `key` is its key; `None` for kinds of keys that do not say what their public half is.
    pub fn has_key(&self, key: &PrivateKey) -> Option<bool> {
        match (key, &self.modulus) {
            (PrivateKey::P256(key), _) => Some(*key.public_key().to_sec1_bytes() == *self.public_key),
            (PrivateKey::Other { public }, Some(modulus)) => Some(public.as_ref() == Some(modulus)),
            (PrivateKey::Other { public }, None) => public.as_ref().map(|public| *public == self.public_key),
        }
    }
}

fn names(certificate: &X509Certificate) -> Option<Vec<String>> {
    let extension = certificate.subject_alternative_name().ok()?;
    let names = extension.map(|extension| &extension.value.general_names).into_iter().flatten();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Some(names.collect())
}

/// What the signature is of, where it is ECDSA.
fn digest(certificate: &X509Certificate) -> Option<Vec<u8>> {
    let (algorithm, signed) = (&certificate.signature_algorithm.algorithm, certificate.tbs_certificate.as_ref());
    if *algorithm == OID_SIG_ECDSA_WITH_SHA256 {
        Some(Sha256::digest(signed).to_vec())
    } else if *algorithm == OID_SIG_ECDSA_WITH_SHA384 {
        Some(Sha384::digest(signed).to_vec())
    } else if *algorithm == OID_SIG_ECDSA_WITH_SHA512 {
        Some(Sha512::digest(signed).to_vec())
    } else {
        None
    }
}

/// A private key of the input. It has no `Debug`, so that it cannot be printed.
pub enum PrivateKey {
    /// On P-256, as PGO makes them.
    P256(SecretKey),
    /// A key of any other kind.
    Other {
        /// What a certificate says of it too: the modulus of an RSA key (RFC 8017 A.1.2), the point of an elliptic curve where
        /// the optional field is there (RFC 5915 3).
        public: Option<Vec<u8>>,
    },
}

impl PrivateKey {
    /// The first private key of a PEM text, in the forms of SEC 1, PKCS#1 and PKCS#8. `None` when there is none that is not
    /// encrypted.
    pub fn read(text: &str) -> Option<Self> {
        let blocks = pem::parse_many(text).ok()?;
        let block = blocks
            .into_iter()
            .find(|block| matches!(block.tag(), "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY"))?;
        let der = Zeroizing::new(block.into_contents());
        let key = SecretKey::from_sec1_der(&der).ok().or_else(|| SecretKey::from_pkcs8_der(&der).ok());
        if let Some(key) = key {
            return Some(Self::P256(key));
        }
        // PKCS#8 wraps what the other two are.
        let inner =
            PrivateKeyInfoRef::try_from(der.as_slice()).map_or(der.as_slice(), |info| info.private_key.as_bytes());
        Some(Self::Other { public: modulus(inner).or_else(|| point(inner)) })
    }
}

/// The modulus of an RSA private key.
fn modulus(der: &[u8]) -> Option<Vec<u8>> {
    let (_, key) = Sequence::from_der(der).ok()?;
    let (rest, _version) = Integer::from_der(key.content.as_ref()).ok()?;
    let (_, modulus) = Integer::from_der(rest).ok()?;
    Some(without_zeros(modulus.as_ref()))
}

/// The public half of a private key on an elliptic curve.
fn point(der: &[u8]) -> Option<Vec<u8>> {
    sec1::EcPrivateKey::try_from(der).ok()?.public_key.map(<[u8]>::to_vec)
}

/// A positive number without the zeros that DER puts before it.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by OpenSSL: signed by itself on P-256 with SHA-384, for `*.example.com`.
    const SIGNED: &str = "\
-----BEGIN CERTIFICATE-----
MIIBjTCCATOgAwIBAgIUK1cmaUeIUzgRc/beijWiGlvqUTEwCgYIKoZIzj0EAwMw
DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjQxMjA2MTJaFw00NjExMTkxMjA2MTJa
MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQypAKa
o769VaDzjbKqD2/qiTA7hppKSKMyyamy8OZ1DTzRkygWTM5N05Q+V5EDyZTwA6vd
3nXA1/b2wqcsDQvro20wazAdBgNVHQ4EFgQUUnk/nKrcmqcUO++NYaBDBykuswIw
HwYDVR0jBBgwFoAUUnk/nKrcmqcUO++NYaBDBykuswIwDwYDVR0TAQH/BAUwAwEB
/zAYBgNVHREEETAPgg0qLmV4YW1wbGUuY29tMAoGCCqGSM49BAMDA0gAMEUCIQDh
h+xz6T2LGO/9Hp+9Ve/S+cSkTfzfTYRkKcrnN1Rw+gIgHVERJSpwrcPHDIiwLrP1
7v/IkWhbkSS26o5P9m+XNJY=
-----END CERTIFICATE-----
";

    fn one(text: &str) -> X509 {
        certificates(text).unwrap().swap_remove(0)
    }

    #[test]
    fn a_certificate_goes_through_pem_unchanged() {
        assert_eq!(one(SIGNED).pem(), SIGNED);
        assert_eq!(certificates(&SIGNED.repeat(3)).unwrap().len(), 3);
        for text in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(certificates(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nothing_that_was_signed_can_change_under_its_signature() {
        let signed = one(SIGNED);
        assert_eq!(signed.is_signed_by(&signed), Some(true));
        let (_, parsed) = x509_parser::parse_x509_certificate(&signed.der).unwrap();
        // What is signed follows the header of the whole, which has four bytes.
        let range = 4..4 + parsed.tbs_certificate.as_ref().len();
        let mut readable = 0;
        for (position, bit) in range.flat_map(|position| (0..8).map(move |bit| (position, bit))) {
            let mut der = signed.der.clone();
            der[position] ^= 1 << bit;
            let Some(changed) = X509::read(der) else { continue };
            readable += 1;
            assert_ne!(changed.is_signed_by(&signed), Some(true), "byte {position}, bit {bit}");
        }
        assert!(readable > 1000, "{readable}");
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let signed = one(SIGNED);
        assert!(signed.is_for("a.example.com") && signed.is_for("A.Example.COM"));
        for name in ["example.com", "a.b.example.com", "example.org", "com", ""] {
            assert!(!signed.is_for(name), "{name}");
        }
    }
}
