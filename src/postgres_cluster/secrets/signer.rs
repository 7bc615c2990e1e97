//! The two CAs that sign the certificates of one cluster, and the trust bundles of their peers.

use super::certificates::CertificateAuthority;
use super::existing::{Certificates, Existing};
use super::identity::Trust;
use super::reuse;
use crate::diagnostic::{Diagnostic, has_errors};
use crate::identity::authority::{Authorities, Authority};
use crate::identity::seed::Seed;
use crate::identity::window::Window;
use crate::identity::x509::X509;
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;

/// The CA of the trust domain and the CA of the cluster's members.
pub(crate) struct Signers<'a> {
    of_domain: Signer<'a>,
    of_members: Signer<'a>,
}

impl<'a> Signers<'a> {
    /// The CAs of `cluster`, and the messages about them. `members` is the trust domain of its members. Gives `None` if PGO's
    /// CA is no longer valid.
    pub(crate) fn new(
        cluster: &'a Cluster,
        seed: &'a Seed,
        options: &'a Options,
        existing: &'a Existing<'a>,
        window: Window,
        members: &'a str,
    ) -> Result<(Option<Self>, Vec<Diagnostic>), rcgen::Error> {
        // By default, a namespace is a trust domain, as in PGO. Then the trust domain uses PGO's CA of the namespace.
        let trust_domain = options.trust_domain.as_deref().unwrap_or(&cluster.namespace);
        let first = existing.root.as_ref().filter(|_| trust_domain == cluster.namespace);
        let asked = cluster.generations.authority;
        let generation = existing.certificates.values().map(|held| held.authority_generation).fold(asked, u32::max);
        let mut notes = Vec::new();
        if let Some(root) = first.filter(|_| generation == 1) {
            notes.extend(reuse::root_notes(root, options.time, window));
        }
        if has_errors(&notes) {
            return Ok((None, notes));
        }
        let of_domain =
            Authorities { seed, trust_domain, also: &options.trust_also, first: first.map(|root| &root.authority) };
        let of_members = Authorities { seed, trust_domain: members, also: &[], first: None };
        let signers =
            Self { of_domain: Signer::new(of_domain, generation)?, of_members: Signer::new(of_members, generation)? };
        let advice = "to keep PGO's CA, add the Secret `pgo-root-cacert` to the input; ";
        let held = |authority| held(existing, authority);
        for (authority, keep) in [(CertificateAuthority::TrustDomain, advice), (CertificateAuthority::Members, "")] {
            let belongs = |certificate: &X509| signers.belongs(authority, certificate);
            let signer = signers.of(authority);
            // PGO's CA is the same with every seed.
            let is_of_pgo = authority == CertificateAuthority::TrustDomain && first.is_some() && generation == 1;
            let of_seed = |certificate: &X509| !is_of_pgo && signer.authorities.has_named(certificate, generation);
            notes.extend(reuse::unannounced(held(authority), &signer.facts, belongs, of_seed, keep));
        }
        let is_member = |certificate: &X509| signers.belongs(CertificateAuthority::Members, certificate);
        notes.extend(reuse::strangers(held(CertificateAuthority::Members), &signers.of_members.bundle, is_member));
        for held in held(CertificateAuthority::TrustDomain) {
            notes.extend(reuse::certificate_notes(held, cluster.generations.certificates, asked));
        }
        Ok((Some(signers), notes))
    }

    /// The CA that signs the certificates of `authority`.
    pub(crate) fn of(&self, authority: CertificateAuthority) -> &Signer<'a> {
        match authority {
            CertificateAuthority::TrustDomain => &self.of_domain,
            CertificateAuthority::Members => &self.of_members,
        }
    }

    /// The CA certificates that the cluster trusts, including those that its existing Secrets trust and that are still needed.
    pub(crate) fn trust(&self, existing: &Existing, time: i64) -> Trust {
        let bundle = |authority| {
            let belongs = |certificate: &X509| self.belongs(authority, certificate);
            self.of(authority).trust_bundle(held(existing, authority), time, belongs)
        };
        Trust {
            domain: bundle(CertificateAuthority::TrustDomain),
            members: bundle(CertificateAuthority::Members),
            generation: self.of_domain.authority.generation,
        }
    }

    /// Whether the CA in `certificate` may be in the trust bundle of `authority`. A bundle of an earlier version may contain
    /// the CAs of both.
    fn belongs(&self, authority: CertificateAuthority, certificate: &X509) -> bool {
        let is_member = self.of_members.authorities.has_named(certificate, self.of_members.authority.generation);
        is_member == (authority == CertificateAuthority::Members)
    }
}

/// The existing certificates of one CA.
fn held<'a>(existing: &'a Existing<'a>, authority: CertificateAuthority) -> impl Iterator<Item = &'a Certificates<'a>> {
    existing.certificates.values().filter(move |held| held.authority == authority)
}

/// A CA that signs certificates of one cluster.
pub(crate) struct Signer<'a> {
    authorities: Authorities<'a>,
    /// The generation that signs.
    pub(crate) authority: Authority<'a>,
    /// The parsed certificate of that generation.
    pub(crate) facts: X509,
    /// The CA certificates that the seed gives its peers, in PEM.
    bundle: Vec<String>,
}

impl<'a> Signer<'a> {
    fn new(authorities: Authorities<'a>, generation: u32) -> Result<Self, rcgen::Error> {
        let authority = authorities.generation(generation)?;
        let facts = reuse::facts(&authority.certificate);
        let bundle = authorities.trust_bundle(&authority)?;
        Ok(Self { authorities, authority, facts, bundle })
    }

    /// The trust bundle, in PEM, of the peers that trust this CA. It includes the CAs that the Secrets `held` trust, if they
    /// are still needed and `belongs` is true for them.
    fn trust_bundle<'h>(
        &self,
        held: impl Iterator<Item = &'h Certificates<'h>>,
        time: i64,
        belongs: impl Fn(&X509) -> bool,
    ) -> String {
        let generation = self.authority.generation;
        let kept = reuse::still_trusted(held, &self.bundle, &self.facts, generation, time, belongs);
        self.bundle.concat() + &kept.concat()
    }
}
