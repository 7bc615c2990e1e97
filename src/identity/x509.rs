//! Reads the certificates and private keys of the input, and checks whether a key and a CA belong to a certificate.
//!
//! Signatures are verified if they are ECDSA on P-256, as those of PGO and pgrender are. For other signatures, only the names
//! are compared.

use p256::SecretKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use pem::{EncodeConfig, LineEnding, Pem};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::asn1_rs::{self, Any, BitString, FromDer, Integer, OctetString, Sequence, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512};
use zeroize::Zeroizing;

/// The fields of one certificate that pgrender needs.
pub struct X509 {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The first common name of its subject.
    pub common_name: Option<String>,
    /// Its DNS names (subject alternative names).
    pub names: Vec<String>,
    /// The first second in which it is valid, since 1970-01-01 00:00:00 UTC.
    pub not_before: i64,
    /// The last second in which it is valid, since 1970-01-01 00:00:00 UTC.
    pub not_after: i64,
    /// Whether it is the certificate of a CA.
    pub is_authority: bool,
    /// Whether it may be used as a server certificate.
    pub server_auth: bool,
    /// Whether it may be used as a client certificate.
    pub client_auth: bool,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    public_key: Vec<u8>,
    algorithm: String,
    modulus: Option<Vec<u8>>,
    digest: Option<Vec<u8>>,
    signature: Vec<u8>,
}

/// The certificates of a PEM text, in its order. `None` if it contains no certificate, or one that cannot be parsed.
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
        // A certificate without this extension may be used for everything (RFC 5280 4.2.1.12).
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
            modulus: modulus(&public_key.subject_public_key.data, 0),
            public_key: public_key.subject_public_key.data.to_vec(),
            algorithm: public_key.algorithm.algorithm.to_id_string(),
            digest: digest(&certificate),
            signature: certificate.signature_value.data.to_vec(),
            der: Vec::new(),
        };
        Some(Self { der, ..facts })
    }

    /// The certificate in PEM, with LF as the line ending, as PGO and pgrender write it.
    pub fn pem(&self) -> String {
        pem::encode_config(&Pem::new("CERTIFICATE", &*self.der), EncodeConfig::new().set_line_ending(LineEnding::LF))
    }

    /// Whether it is valid at a time, in seconds since 1970.
    pub fn is_valid_at(&self, time: i64) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// The time at which two thirds of its lifetime are over, in seconds since 1970. PGO renews a certificate then
    /// (`internal/pki`).
    pub fn two_thirds(&self) -> i64 {
        self.not_after - self.not_after.saturating_sub(self.not_before) / 3
    }

    /// Whether `name` is one of its DNS names, or matches a wildcard among them (RFC 6125 6.4.3). DNS names are not
    /// case-sensitive (RFC 4343).
    pub fn is_for(&self, name: &str) -> bool {
        let below = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        self.has_name(name) || below.is_some_and(|below| self.has_name(&below))
    }

    /// Whether `name` is literally one of its DNS names, except for case.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether the name of its issuer is the subject of `authority`.
    pub fn names_issuer(&self, authority: &Self) -> bool {
        self.issuer == authority.subject
    }

    /// Whether `authority` has signed it. `None` if only the names match, because the signature is not ECDSA on P-256 and
    /// cannot be verified here.
    pub fn is_signed_by(&self, authority: &Self) -> Option<bool> {
        if !self.names_issuer(authority) {
            return Some(false);
        }
        let key = VerifyingKey::from_sec1_bytes(&authority.public_key).ok()?;
        let digest = self.digest.as_ref()?;
        let signature = Signature::from_der(&self.signature);
        Some(signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()))
    }

    /// Whether `key` is its private key. `None` for a key that does not contain its public key.
    pub fn has_key(&self, key: &PrivateKey) -> Option<bool> {
        match key {
            PrivateKey::P256(key) => {
                let own = p256::PublicKey::from_sec1_bytes(&self.public_key);
                Some(own.is_ok_and(|own| own == key.public_key()))
            }
            PrivateKey::Other { algorithm, .. } if !same_algorithm(algorithm, &self.algorithm) => Some(false),
            PrivateKey::Other { public, .. } => match &self.modulus {
                Some(modulus) => Some(public.as_ref() == Some(modulus)),
                None => public.as_ref().map(|public| same_point(public, &self.public_key)),
            },
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

/// The hash that is signed, if the signature is ECDSA. `None` for other signatures.
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

/// A private key of the input. It does not implement `Debug`, so that it cannot be printed.
pub enum PrivateKey {
    /// A key on P-256, which PGO uses.
    P256(SecretKey),
    /// A key of any other kind.
    Other {
        /// The object identifier of its algorithm.
        algorithm: String,
        /// The part of the key that a certificate contains too: the modulus of an RSA key (RFC 8017 A.1.2), or the public point
        /// of an elliptic-curve key that contains this optional field (RFC 5915 3).
        public: Option<Vec<u8>>,
    },
}

impl PrivateKey {
    /// The first private key of a PEM text, in the format SEC 1, PKCS#1 or PKCS#8. `None` if there is none, or if it is
    /// encrypted.
    pub fn read(text: &str) -> Option<Self> {
        let blocks = pem::parse_many(text).ok()?;
        let block = blocks
            .into_iter()
            .find(|block| matches!(block.tag(), "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY"))?;
        // An encrypted block has this header (RFC 1421 4.6.1.1). Its contents are not a key.
        if block.headers().get("Proc-Type").is_some() {
            return None;
        }
        let der = Zeroizing::new(block.into_contents());
        let key = SecretKey::from_sec1_der(&der).ok().or_else(|| SecretKey::from_pkcs8_der(&der).ok());
        if let Some(key) = key {
            return Some(Self::P256(key));
        }
        // PKCS#8 is a wrapper around one of the other two formats.
        if let Ok(info) = PrivateKeyInfoRef::try_from(der.as_slice()) {
            let inner = info.private_key.as_bytes();
            let public = modulus(inner, 1).or_else(|| point(inner).ok().flatten());
            return Some(Self::Other { algorithm: info.algorithm.oid.to_string(), public });
        }
        if let Some(modulus) = modulus(&der, 1) {
            return Some(Self::Other { algorithm: RSA.to_owned(), public: Some(modulus) });
        }
        point(&der).ok().map(|public| Self::Other { algorithm: EC.to_owned(), public })
    }
}

/// The algorithm of an RSA key (RFC 8017 A.1).
const RSA: &str = "1.2.840.113549.1.1.1";
/// The algorithm of an RSA key that may be used for RSASSA-PSS only (RFC 8017 A.2.3).
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
/// The algorithm of a key on an elliptic curve (RFC 5480 2.1.1).
const EC: &str = "1.2.840.10045.2.1";

/// Whether a private key of one algorithm can belong to a certificate with a key of the other algorithm.
fn same_algorithm(key: &str, certificate: &str) -> bool {
    let rsa = [RSA, RSA_PSS];
    key == certificate || (rsa.contains(&key) && rsa.contains(&certificate))
}

/// Whether two encodings of points on one elliptic curve are equal. If only one of them is compressed, the x coordinates are
/// compared (SEC 1 2.3.3).
fn same_point(one: &[u8], other: &[u8]) -> bool {
    let x = |point: &[u8]| match point.split_first() {
        Some((4, coordinates)) => coordinates[..coordinates.len() / 2].to_vec(),
        Some((2 | 3, x)) => x.to_vec(),
        _ => point.to_vec(),
    };
    one == other || (one.first() != other.first() && x(one) == x(other))
}

/// The modulus of an RSA key in DER. `before` is the number of integers that precede it: none in a public key, and the version
/// in a private key (RFC 8017 A.1).
fn modulus(der: &[u8], before: usize) -> Option<Vec<u8>> {
    let (_, key) = Sequence::from_der(der).ok()?;
    let mut rest = key.content.as_ref();
    for _ in 0..before {
        rest = Integer::from_der(rest).ok()?.0;
    }
    let (rest, modulus) = Integer::from_der(rest).ok()?;
    Integer::from_der(rest).ok()?;
    Some(without_zeros(modulus.as_ref()))
}

/// The public point of an elliptic-curve private key in DER, which is optional. An error if `der` is not such a key. The curve
/// is not checked: the key may contain its parameters instead of its name (RFC 5915 3).
fn point(der: &[u8]) -> Result<Option<Vec<u8>>, asn1_rs::Err<asn1_rs::Error>> {
    let (_, key) = Sequence::from_der(der)?;
    let (rest, _version) = Integer::from_der(key.content.as_ref())?;
    let (mut rest, _private) = OctetString::from_der(rest)?;
    while !rest.is_empty() {
        let (next, field) = Any::from_der(rest)?;
        if field.tag() == Tag(1) {
            let (_, point) = BitString::from_der(field.data)?;
            return Ok(Some(point.data.to_vec()));
        }
        rest = next;
    }
    Ok(None)
}

/// A positive number without the leading zeros of DER.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test certificate from OpenSSL: self-signed on P-256 with SHA-384, for `*.example.com`.
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
        // The signed part of a certificate begins after the header of the outer sequence, which has four bytes.
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
