//! The certificate authority of a trust domain. Its private key is derived when it is needed and never leaves this module:
//! nothing in the Kubernetes cluster can sign a certificate.

use std::collections::BTreeSet;
use std::iter;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyUsagePurpose, PublicKeyData};

use super::certificate::{date, distinguished_name, serial_number};
use super::context::Context;
use super::key::Key;
use super::seed::Seed;
use super::window::{AUTHORITY_NOT_AFTER, AUTHORITY_NOT_BEFORE};
use crate::naming;

/// One generation of the CA of a trust domain.
pub(super) struct Authority<'a> {
    /// Who shares it.
    pub(super) trust_domain: &'a str,
    /// How often it was replaced, from 1.
    pub(super) generation: u32,
    key: Key,
    parameters: CertificateParams,
}

impl<'a> Authority<'a> {
    /// Derives one generation of the CA of `trust_domain`. Each has a subject of its own, so that the one that issued a
    /// certificate is found in a bundle of several by its name.
    pub(super) fn derive(seed: &Seed, trust_domain: &'a str, generation: u32) -> Result<Self, rcgen::Error> {
        let key = Key::derive(&Context::authority_key(trust_domain, generation), seed);
        let subject = naming::common_name(format!("pgrender-ca {trust_domain} {generation}"));
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = distinguished_name(&subject);
        // PGO's policy (`pgo-inventory` 2.1): no authority below this one.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.not_before = date(AUTHORITY_NOT_BEFORE)?;
        parameters.not_after = date(AUTHORITY_NOT_AFTER)?;
        parameters.serial_number = Some(serial_number(&Context::authority_serial(trust_domain, generation), seed));
        parameters.key_identifier_method = key.identifier();
        Ok(Self { trust_domain, generation, key, parameters })
    }

    /// The CA's own certificate, PEM.
    pub(super) fn certificate(&self) -> Result<String, rcgen::Error> {
        Ok(self.parameters.self_signed(&self.key)?.pem())
    }

    /// Signs a leaf, PEM.
    pub(super) fn sign(&self, leaf: &CertificateParams, public: &impl PublicKeyData) -> Result<String, rcgen::Error> {
        let issuer = Issuer::from_params(&self.parameters, &self.key);
        Ok(leaf.signed_by(public, &issuer)?.pem())
    }

    /// What everyone of the trust domain trusts, PEM: the previous generation, this one and the next. So a peer that has not
    /// read its files again since a rotation trusts the new certificates, and one that has still trusts the old ones. The same
    /// of each domain of `also`, so that a peer of another domain is trusted before the domain is changed and after.
    pub(super) fn trust_bundle(&self, seed: &Seed, also: &[String]) -> Result<String, rcgen::Error> {
        let also = also.iter().map(String::as_str).filter(|domain| *domain != self.trust_domain);
        // A domain that is named twice is trusted once.
        let domains = iter::once(self.trust_domain).chain(also.collect::<BTreeSet<_>>());
        let generations = [self.generation.checked_sub(1), Some(self.generation), self.generation.checked_add(1)];
        let generations = generations.into_iter().flatten().filter(|generation| *generation > 0);
        let mut bundle = String::new();
        for (domain, generation) in domains.flat_map(|domain| generations.clone().map(move |number| (domain, number))) {
            bundle.push_str(&Authority::derive(seed, domain, generation)?.certificate()?);
        }
        Ok(bundle)
    }
}
