//! The secrets of a cluster, all of them derived from one seed: passwords, verifiers, keys and certificates.
//!
//! Each value depends only on the seed and on its own context: for example the cluster, the user and the generation
//! (`context.rs` contains the table). So the order of derivation does not matter, and adding or removing one value changes no
//! other value. An existing value of the cluster is reused instead if it meets the requirements (`reuse.rs`). The plan of the
//! model says which values there are ([`Cluster::secrets`]).

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
use crate::diagnostic::{Diagnostic, ResourceRef, has_errors};
use crate::existing::Existing;
use crate::options::Options;
use crate::window::{Renewal, Window};

/// All secrets of one cluster. It does not implement `Debug`, so that it cannot be printed.
pub struct Identity {
    /// The CA certificates that the cluster trusts; `None` if pgrender makes no certificate.
    pub trust: Option<Trust>,
    /// When to render again.
    pub renewal: Renewal,
    /// Credentials by role, without those whose Secret the user provides.
    pub credentials: BTreeMap<String, Credential>,
    /// Certificates by role and instance set, without those that pgrender does not make.
    pub certificates: BTreeMap<(CertificateRole, String), Certificate>,
    /// The key of the fingerprints of Secrets and ConfigMaps. Without it, nobody can use a fingerprint to test a guessed value.
    pub fingerprint_key: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// A certificate of the plan; `None` if pgrender does not make it.
    pub fn certificate(&self, role: CertificateRole, instance_set: &str) -> Option<&Certificate> {
        self.certificates.get(&(role, instance_set.to_owned()))
    }
}

/// The CA certificates that a cluster trusts, in PEM.
pub struct Trust {
    /// The CA certificates that everyone in the trust domain trusts.
    pub domain: String,
    /// The CA certificates that the members of the cluster trust to identify each other.
    pub members: String,
    /// The generation of the CA, from 1.
    pub generation: u32,
}

impl Trust {
    /// The trust bundle of those who verify certificates that this CA has signed.
    pub fn bundle(&self, authority: CertificateAuthority) -> &str {
        match authority {
            CertificateAuthority::TrustDomain => &self.domain,
            CertificateAuthority::Members => &self.members,
        }
    }
}

/// A password, and what Postgres stores of it.
pub struct Credential {
    /// The password. It is printable ASCII, unless a person has chosen it.
    pub password: Zeroizing<String>,
    /// The verifier, `SCRAM-SHA-256$4096:…`, unless an existing one has another form. `None` if the user is not a role of
    /// Postgres.
    pub verifier: Option<Zeroizing<String>>,
    /// The generation of the password.
    pub generation: PasswordGeneration,
}

/// A certificate and its private key.
pub struct Certificate {
    /// The certificate in PEM.
    pub certificate: String,
    /// The private key in PEM, in the format `EC PRIVATE KEY` that PGO uses (SEC 1, RFC 5915).
    pub key: Zeroizing<String>,
    /// The generation of the certificate, from 1.
    pub generation: u32,
    /// When to replace it.
    pub renewal: Renewal,
}

/// Derives the identity of `cluster` from `seed`. The schedule, the trust domain and the time come from `options`. Values in
/// `existing` are reused if they are of the requested generation and meet the requirements.
///
/// Gives `None` if one of the diagnostics is an error: a time that is out of range, or a CA of PGO that is no longer valid.
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
            diagnostics.push(Diagnostic::error(format!("cannot create its certificates: {error}")).of(resource));
            (None, diagnostics)
        }
    }
}

/// The input of the derivation of one cluster.
struct Derivation<'a> {
    cluster: &'a Cluster,
    seed: &'a Seed,
    window: Window,
    time: i64,
    existing: &'a Existing<'a>,
    diagnostics: Vec<Diagnostic>,
}

impl Derivation<'_> {
    /// All values; `None` if one of the diagnostics is an error.
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
            trust = Some(signers.trust(self.existing, self.time));
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
