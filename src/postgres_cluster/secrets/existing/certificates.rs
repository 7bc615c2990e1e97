//! Certificates, private keys and trust bundles in a Secret.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::authority::GivenAuthority;
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::diagnostic::Diagnostic;
use crate::identity::x509::{self, PrivateKey, X509};
use crate::naming::annotation;
use crate::postgres_cluster::secrets::certificates::{CertificateAuthority, PlannedCertificate};

/// The maximum number of PEM blocks in one value, which may contain the private key too.
const MOST_CERTIFICATES: usize = 64;

/// The certificates in one Secret that are signed by one CA. It does not implement `Debug`, so that it cannot be printed.
pub struct Certificates<'a> {
    /// The Secret that contains them.
    pub secret: Secret<'a>,
    /// The CA that signs them.
    pub authority: CertificateAuthority,
    /// The key of the Secret that messages point at. It is the key of the CA certificates, if they are in the Secret.
    pub told_at: &'static str,
    /// The CA certificates that the readers of the Secret trust.
    pub bundle: Vec<X509>,
    /// Certificates with their private keys, by the key of the certificate. A pair of which one half is missing is omitted.
    pub pairs: BTreeMap<&'static str, Pair>,
    /// The generation of the certificates: how often the user has rotated them, from 1.
    pub generation: u32,
    /// The generation of the CA, from 1.
    pub authority_generation: u32,
}

/// A certificate and its private key, which belong together. It does not implement `Debug`, so that it cannot be printed.
pub struct Pair {
    /// The parsed certificate.
    pub facts: X509,
    /// The certificates that follow it, parsed: its intermediate certificates.
    pub rest: Vec<X509>,
    /// The certificate in PEM, as it was read.
    pub certificate: String,
    /// The private key in PEM, as it was read.
    pub key: Zeroizing<String>,
}

/// PGO's CA. It does not implement `Debug`, so that it cannot be printed.
pub struct Root<'a> {
    /// The Secret that contains it.
    pub secret: Secret<'a>,
    /// Its certificate and its private key.
    pub authority: GivenAuthority,
}

impl Certificates<'_> {
    /// How many signatures must be verified to find out which CA has signed which certificate. Only CAs whose subject is the
    /// issuer of the certificate are tried.
    pub fn signatures(&self) -> usize {
        let named = |pair: &Pair| self.bundle.iter().filter(|authority| pair.facts.names_issuer(authority)).count();
        self.pairs.values().map(named).sum()
    }

    /// The total length of its certificates and keys, in bytes.
    pub fn size(&self) -> usize {
        let pairs = self.pairs.values().map(|pair| pair.certificate.len() + pair.key.len());
        pairs.chain(self.bundle.iter().map(|authority| authority.der.len())).sum()
    }
}

impl Root<'_> {
    /// The key of its certificate in the Secret.
    pub const CERTIFICATE: &'static str = "root.crt";
}

/// Reads these certificates of a Secret. There is at least one, and all of them have the same CA.
pub(crate) fn read<'a>(
    secret: Secret<'a>,
    certificates: &[PlannedCertificate],
) -> Result<Certificates<'a>, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let PlannedCertificate { authority, keys, .. } = certificates[0];
    let told_at = keys.authority.unwrap_or(keys.certificate);
    let bundle = keys.authority.map_or(Ok(Vec::new()), |key| {
        let Some(text) = secret.text(key)? else { return Ok(Vec::new()) };
        in_pem(&secret, key, &text)?.ok_or_else(|| no_certificate(&secret, key))
    });
    let bundle = bundle.unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    let mut pairs = BTreeMap::new();
    for PlannedCertificate { keys, .. } in certificates {
        match pair(&secret, keys.certificate, keys.private_key) {
            Ok(pair) => pairs.extend(pair.map(|pair| (keys.certificate, pair))),
            Err(error) => errors.push(error),
        }
    }
    let mut generation = |key| {
        secret.generation(key).unwrap_or_else(|error| {
            errors.push(error);
            1
        })
    };
    let generations = [annotation::GENERATION_CERTIFICATES, annotation::GENERATION_CA].map(&mut generation);
    let [generation, authority_generation] = generations;
    if errors.is_empty() {
        Ok(Certificates { secret, authority, told_at, bundle, pairs, generation, authority_generation })
    } else {
        Err(errors)
    }
}

/// The certificates in `text`, which is the value of `key` in `secret`, without duplicates. `None` if it contains no
/// certificate, or one that cannot be parsed. An error if there are too many.
pub(crate) fn in_pem(secret: &Secret, key: &str, text: &str) -> Result<Option<Vec<X509>>, Diagnostic> {
    let count = text.matches("-----BEGIN").count();
    if count > MOST_CERTIFICATES {
        let what = format!(
            "has {count} certificates, but pgrender reads at most {MOST_CERTIFICATES}: keep only those that are needed"
        );
        return Err(secret.error(key, &what));
    }
    let mut seen = BTreeSet::new();
    let once = |certificate: &X509| seen.insert(certificate.der.clone());
    Ok(x509::certificates(text).map(|certificates| certificates.into_iter().filter(once).collect()))
}

fn no_certificate(secret: &Secret, key: &str) -> Diagnostic {
    secret.error(key, "is not a certificate in PEM format: write one here, or remove it")
}

/// A certificate and its private key, if both are present. An error if they do not belong together, because such a pair, copied
/// from two Secrets, cannot work.
pub(crate) fn pair(secret: &Secret, certificate_key: &str, key_key: &str) -> Result<Option<Pair>, Diagnostic> {
    let (Some(certificate), Some(key)) = (secret.text(certificate_key)?, secret.text(key_key)?) else {
        return Ok(None);
    };
    let mut rest =
        in_pem(secret, certificate_key, &certificate)?.ok_or_else(|| no_certificate(secret, certificate_key))?;
    let facts = rest.remove(0);
    let private = PrivateKey::read(&key).ok_or_else(|| {
        secret.error(key_key, "is not a private key in PEM format without a passphrase: write one here, or remove it")
    })?;
    if facts.has_key(&private) == Some(false) {
        let what = format!(
            "is not the private key of the certificate in `{certificate_key}`: write a certificate and its own key"
        );
        return Err(secret.error(key_key, &what));
    }
    // If one value contains both, the private key is first.
    let begin = certificate.find("-----BEGIN CERTIFICATE-----").unwrap_or_default();
    let end = if certificate_key == key_key { begin } else { key.len() };
    let (certificate, key) = (certificate[begin..].to_owned(), Zeroizing::new(key[..end].to_owned()));
    Ok(Some(Pair { facts, rest, certificate, key }))
}

/// Reads PGO's CA. An error if its certificate or its key is missing or not usable.
pub(crate) fn root(secret: Secret) -> Result<Root, Vec<Diagnostic>> {
    let read = || {
        let Some(Pair { facts, key, .. }) = pair(&secret, Root::CERTIFICATE, "root.key")? else {
            return Err(secret.error(
                Root::CERTIFICATE,
                "and `root.key` must both be present: add the one that is missing, or remove the Secret",
            ));
        };
        if !facts.is_authority {
            return Err(secret.error(
                Root::CERTIFICATE,
                "is not the certificate of a CA: write PGO's root certificate here, or remove the Secret from the \
                 input",
            ));
        }
        match PrivateKey::read(&key) {
            Some(PrivateKey::P256(key)) => Ok((facts, key)),
            _ => Err(secret.error(
                "root.key",
                "is not a key on the curve P-256, as PGO's root key is: remove the Secret from the input",
            )),
        }
    };
    match read() {
        Ok((certificate, key)) => Ok(Root { secret, authority: GivenAuthority { certificate, key } }),
        Err(error) => Err(vec![error]),
    }
}
