//! The CA of a trust domain. Its private key is derived when it is needed, or is the key of PGO's CA. It never leaves this
//! module, so no rendered object can sign a certificate.

use std::collections::BTreeSet;

use p256::SecretKey;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyIdMethod,
    KeyUsagePurpose, PublicKeyData,
};
use x509_parser::asn1_rs::Tag;
use x509_parser::extensions::ParsedExtension;
use x509_parser::x509::X509Name;

use crate::identity::certificate_fields::{date, distinguished_name, serial_number};
use crate::identity::context::Context;
use crate::identity::key::Key;
use crate::identity::seed::Seed;
use crate::identity::window::{AUTHORITY_NOT_AFTER, AUTHORITY_NOT_BEFORE};
use crate::identity::x509::X509;
use crate::naming;

/// The certificate and the key of a CA that was not derived: that of PGO. It does not implement `Debug`, so that it cannot be
/// printed.
pub struct GivenAuthority {
    /// Its certificate.
    pub certificate: X509,
    /// Its private key.
    pub key: SecretKey,
}

/// All generations of the CA of a trust domain.
pub(crate) struct Authorities<'a> {
    /// The seed that they are derived from.
    pub(crate) seed: &'a Seed,
    /// The trust domain.
    pub(crate) trust_domain: &'a str,
    /// Other trust domains whose CA is trusted too.
    pub(crate) also: &'a [String],
    /// PGO's CA, if there is one. It is then the first generation.
    pub(crate) first: Option<&'a GivenAuthority>,
}

impl<'a> Authorities<'a> {
    /// The CA of one generation, derived or given.
    pub(crate) fn generation(&self, generation: u32) -> Result<Authority<'a>, rcgen::Error> {
        match self.first {
            Some(root) if generation == 1 => Authority::given(self.trust_domain, root),
            _ => Authority::derive(self.seed, self.trust_domain, generation),
        }
    }

    /// The CA certificates that everyone in the trust domain trusts, in PEM: of the previous, the current and the next
    /// generation. After a rotation, a peer that has not yet read its files again trusts the new certificates, and a peer that
    /// has read them still trusts the old ones. The same generations of the other domains are added, so that their peers are
    /// trusted before and after the trust domain is changed.
    pub(crate) fn trust_bundle(&self, current: &Authority) -> Result<Vec<String>, rcgen::Error> {
        let generations =
            [current.generation.checked_sub(1), Some(current.generation), current.generation.checked_add(1)];
        let generations: Vec<u32> = generations.into_iter().flatten().filter(|generation| *generation > 0).collect();
        let mut bundle = Vec::new();
        for generation in &generations {
            bundle.push(match *generation {
                generation if generation == current.generation => current.certificate.clone(),
                generation => self.generation(generation)?.certificate,
            });
        }
        // A domain that is given twice is added only once.
        let others: BTreeSet<&String> = self.also.iter().filter(|domain| *domain != self.trust_domain).collect();
        for domain in others {
            for generation in &generations {
                bundle.push(Authority::derive(self.seed, domain, *generation)?.certificate);
            }
        }
        Ok(bundle)
    }

    /// Whether `authority` has the name of this CA, which may be derived from any seed, in `generation` or in one of the two
    /// generations before or after it. A bundle that is at most one generation behind contains no other generations.
    pub(crate) fn has_named(&self, authority: &X509, generation: u32) -> bool {
        let near = |name: &String| {
            let mut near = generation.saturating_sub(2)..=generation.saturating_add(2);
            near.any(|generation| *name == common_name(self.trust_domain, generation))
        };
        authority.common_name.as_ref().is_some_and(near)
    }
}

/// One generation of the CA of a trust domain.
pub(crate) struct Authority<'a> {
    /// The trust domain.
    pub(crate) trust_domain: &'a str,
    /// The generation, from 1.
    pub(crate) generation: u32,
    /// The certificate of the CA, in PEM.
    pub(crate) certificate: String,
    issuer: Issuer<'static, Key>,
}

impl<'a> Authority<'a> {
    /// Derives one generation of the CA of `trust_domain`. Each generation has a subject of its own, so that verifiers find the
    /// issuer of a certificate in a bundle by its name.
    pub(crate) fn derive(seed: &Seed, trust_domain: &'a str, generation: u32) -> Result<Self, rcgen::Error> {
        let key = Key::derive(&Context::authority_key(trust_domain, generation), seed);
        let subject = common_name(trust_domain, generation);
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = distinguished_name(&subject);
        // As in PGO (`internal/pki`), the path length is 0: this CA cannot sign another CA.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.not_before = date(AUTHORITY_NOT_BEFORE)?;
        parameters.not_after = date(AUTHORITY_NOT_AFTER)?;
        parameters.serial_number = Some(serial_number(&Context::authority_serial(trust_domain, generation), seed));
        parameters.key_identifier_method = key.identifier();
        let certificate = parameters.self_signed(&key)?.pem();
        Ok(Self { trust_domain, generation, certificate, issuer: Issuer::new(parameters, key) })
    }

    /// Uses PGO's CA as the first generation.
    fn given(trust_domain: &'a str, root: &GivenAuthority) -> Result<Self, rcgen::Error> {
        let unreadable = |_| rcgen::Error::CouldNotParseCertificate;
        let (_, certificate) = x509_parser::parse_x509_certificate(&root.certificate.der).map_err(unreadable)?;
        let key = Key::given(&root.key);
        let identifier = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(KeyIdMethod::PreSpecified(identifier.0.to_vec())),
            _ => None,
        });
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = same_name(certificate.subject())?;
        parameters.key_identifier_method = identifier.unwrap_or_else(|| key.identifier());
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = root.certificate.pem();
        Ok(Self { trust_domain, generation: 1, certificate, issuer: Issuer::new(parameters, key) })
    }

    /// Signs a leaf certificate, and gives it in PEM.
    pub(crate) fn sign(&self, leaf: &CertificateParams, public: &impl PublicKeyData) -> Result<String, rcgen::Error> {
        Ok(leaf.signed_by(public, &self.issuer)?.pem())
    }
}

/// The common name of one generation of the CA of a trust domain.
fn common_name(trust_domain: &str, generation: u32) -> String {
    naming::common_name(format!("pgrender-ca {trust_domain} {generation}"))
}

/// A name with the same bytes, because Go compares issuers and subjects byte by byte. An error for a name of a form that no
/// tool uses for a CA.
fn same_name(name: &X509Name) -> Result<DistinguishedName, rcgen::Error> {
    let mut same = DistinguishedName::new();
    for part in name.iter() {
        let mut attributes = part.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err(rcgen::Error::CouldNotParseCertificate);
        };
        let identifier = attribute.attr_type().iter().ok_or(rcgen::Error::CouldNotParseCertificate)?;
        let text = attribute.as_str().map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        let text = match attribute.attr_value().tag() {
            Tag::PrintableString => DnValue::PrintableString(text.try_into()?),
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            _ => return Err(rcgen::Error::CouldNotParseCertificate),
        };
        same.push(DnType::from_oid(&identifier.collect::<Vec<_>>()), text);
    }
    Ok(same)
}
