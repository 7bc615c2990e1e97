//! Everything secret about a cluster: passwords, verifiers, keys and certificates, derived from one seed.
//!
//! Each value is a function of the seed and of its own context (which cluster, which user, which generation: the table is in
//! `context.rs`), so the order of derivation never matters, and adding or removing one value changes no other. A value that
//! the cluster has already wins over derivation, where it is what is asked for (`reuse.rs`). Which values there are, the plan
//! of the model says ([`Cluster::secrets`]).

mod authority;
mod certificate;
mod context;
mod credential;
mod key;
mod password;
mod reuse;
pub mod scram;
mod seed;
mod signer;
pub mod uri;
#[cfg(test)]
mod vectors;
mod verifier;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

pub use self::seed::{Seed, SeedError};
pub(crate) use self::verifier::checked_rounds;

use self::context::{CertificateId, Context};
use self::reuse::Demand;
use self::signer::Signers;
use crate::cluster::{
    CertificateAuthority, CertificateRole, CertificateSubject, Cluster, PasswordGeneration, PlannedCertificate,
};
use crate::existing::Existing;
use crate::options::Options;
use crate::report::{Diagnostic, ResourceRef, has_errors};
use crate::window::{Renewal, Window};

/// All that is secret about one cluster. It has no `Debug`, so that it cannot be printed.
pub struct Identity {
    /// Whom the cluster trusts; absent where pgrender makes no certificate.
    pub trust: Option<Trust>,
    /// When to render again.
    pub renewal: Renewal,
    /// By role, without those whose Secret the user brings.
    pub credentials: BTreeMap<String, Credential>,
    /// By role and instance set, without those that pgrender does not make.
    pub certificates: BTreeMap<(CertificateRole, String), Certificate>,
    /// The key of the fingerprints of Secrets and ConfigMaps: without it nobody can test a guess against them.
    pub fingerprint_key: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// A certificate of the plan, where pgrender makes it.
    pub fn certificate(&self, role: CertificateRole, instance_set: &str) -> Option<&Certificate> {
        self.certificates.get(&(role, instance_set.to_owned()))
    }
}

/// The CA certificates of a cluster, PEM.
pub struct Trust {
    /// Whom everyone of the trust domain trusts.
    pub domain: String,
    /// Whom the members of the cluster trust, as members.
    pub members: String,
    /// How often the CA was replaced, from 1.
    pub generation: u32,
}

impl Trust {
    /// Whom those trust who know a certificate by this CA.
    pub fn bundle(&self, authority: CertificateAuthority) -> &str {
        match authority {
            CertificateAuthority::TrustDomain => &self.domain,
            CertificateAuthority::Members => &self.members,
        }
    }
}

/// A password and what Postgres stores of it.
pub struct Credential {
    /// Printable ASCII, unless a person has chosen it.
    pub password: Zeroizing<String>,
    /// `SCRAM-SHA-256$4096:…`, unless there was another; absent where Postgres does not know the role.
    pub verifier: Option<Zeroizing<String>>,
    /// How often it was replaced.
    pub generation: PasswordGeneration,
}

/// A certificate and its key.
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM, `EC PRIVATE KEY` as PGO writes it (SEC 1, RFC 5915).
    pub key: Zeroizing<String>,
    /// How often it was replaced on purpose, from 1.
    pub generation: u32,
    /// When to replace it.
    pub renewal: Renewal,
}

/// Derives the identity of `cluster` from `seed`, with the schedule and trust domain of `options` and for the certificate
/// window that their time is in; what of `existing` is of the generation that is asked for, and fits, is kept.
///
/// Gives nothing where an error is among the diagnostics: a time that cannot be, or a CA of PGO's that is no longer valid.
pub fn derive(
    cluster: &Cluster,
    seed: &Seed,
    options: &Options,
    existing: &Existing,
) -> (Option<Identity>, Vec<Diagnostic>) {
    let window = match Window::containing(options.time, options.certificates) {
        Ok(window) => window,
        Err(error) => return (None, vec![Diagnostic::error(error.to_string())]),
    };
    let mut derivation = Derivation { cluster, seed, window, time: options.time, existing, diagnostics: Vec::new() };
    let identity = derivation.identity(options);
    let mut diagnostics = derivation.diagnostics;
    match identity {
        Ok(identity) => (identity.filter(|_| !has_errors(&diagnostics)), diagnostics),
        Err(error) => {
            let resource = ResourceRef {
                kind: "PostgresCluster".to_owned(),
                name: cluster.name.clone(),
                namespace: cluster.namespace.clone(),
                ..ResourceRef::default()
            };
            diagnostics.push(Diagnostic::error(format!("cannot make its certificates: {error}")).of(resource));
            (None, diagnostics)
        }
    }
}

/// What the values of one cluster are derived from.
struct Derivation<'a> {
    cluster: &'a Cluster,
    seed: &'a Seed,
    window: Window,
    time: i64,
    existing: &'a Existing<'a>,
    diagnostics: Vec<Diagnostic>,
}

impl Derivation<'_> {
    /// Everything; nothing where one of the diagnostics is an error.
    fn identity(&mut self, options: &Options) -> Result<Option<Identity>, rcgen::Error> {
        let cluster = self.cluster;
        let plan = cluster.secrets();
        let mut trust = None;
        let mut certificates = BTreeMap::new();
        let mut planned = plan.iter().flat_map(|secret| &secret.certificates).peekable();
        if planned.peek().is_some() {
            let members = cluster.members_trust_domain();
            let (signers, notes) = Signers::new(cluster, self.seed, options, self.existing, self.window, &members)?;
            self.diagnostics.extend(notes);
            let Some(signers) = signers else { return Ok(None) };
            trust = Some(signers.trust(self.existing, self.time)?);
            for planned in planned {
                let certificate = self.certificate(planned, &signers)?;
                certificates.insert((planned.role, planned.instance_set.clone()), certificate);
            }
        }
        let mut credentials = BTreeMap::new();
        for planned in plan.iter().filter_map(|secret| secret.credential.as_ref()) {
            let held = self.existing.credentials.get(planned.role);
            let credential = credential::derive(cluster, planned, self.seed, held, &mut self.diagnostics);
            credentials.insert(planned.role.to_owned(), credential);
        }
        let renewals = certificates.values().map(|certificate| certificate.renewal);
        Ok(Some(Identity {
            trust,
            renewal: renewals.fold(self.window.renewal(), Renewal::earlier),
            credentials,
            certificates,
            fingerprint_key: Context::fingerprint_key(&cluster.namespace, &cluster.name).draw(self.seed, 0),
        }))
    }

    fn certificate(&mut self, planned: &PlannedCertificate, signers: &Signers) -> Result<Certificate, rcgen::Error> {
        let Cluster { namespace, name: cluster, .. } = self.cluster;
        let CertificateSubject { names, usage, .. } = CertificateSubject::of(self.cluster, planned.role);
        let signer = signers.of(planned.authority);
        let held = self.existing.certificates.get(&(planned.secret.clone(), planned.authority));
        let asked = self.cluster.generations.certificates;
        let generation = held.map_or(asked, |held| held.generation.max(asked));
        if let Some(held) = held {
            let demand = Demand {
                names: &names,
                usage,
                generation,
                authority: &signer.facts,
                time: self.time,
                window: self.window,
            };
            match reuse::certificate(held, planned.keys.certificate, &demand) {
                Ok(certificate) => return Ok(certificate),
                Err(reason) => self.diagnostics.extend(reason),
            }
        }
        let id = CertificateId { namespace, cluster, role: planned.role, name: &planned.instance_set, generation };
        certificate::issue(&id, &names, usage, &signer.authority, self.window, self.seed)
    }
}
