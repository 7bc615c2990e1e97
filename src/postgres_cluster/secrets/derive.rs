//! The secrets of a cluster, all of them derived from one seed: passwords, verifiers, keys and certificates.
//!
//! Each value depends only on the seed and on its own context: for example the cluster, the user and the generation
//! ([`crate::identity::context`] contains the table). So the order of derivation does not matter, and adding or removing one
//! value changes no other value. An existing value of the cluster is reused instead if it meets the requirements (`reuse.rs`).
//! The plan of the model says which values there are ([`Cluster::secrets`]).

use std::collections::BTreeMap;

use super::certificates::{CertificateSubject, PlannedCertificate};
use super::existing::Existing;
use super::identity::Identity;
use super::reuse::Demand;
use super::signer::Signers;
use super::{credential, reuse};
use crate::diagnostic::{Diagnostic, ResourceRef, has_errors};
use crate::identity::certificate::{self, Certificate};
use crate::identity::context::{CertificateId, Context};
use crate::identity::seed::Seed;
use crate::identity::window::{Renewal, Window};
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;

/// Derives the identity of `cluster` from `seed`. `window` is the window of time to render for; the trust domain and the time
/// come from `options`. Values in
/// `existing` are reused if they are of the requested generation and meet the requirements.
///
/// Gives `None` if one of the diagnostics is an error: a CA of PGO that is no longer valid.
pub fn derive(
    cluster: &Cluster,
    seed: &Seed,
    window: Window,
    options: &Options,
    existing: &Existing,
) -> (Option<Identity>, Vec<Diagnostic>) {
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
        let id =
            CertificateId { namespace, cluster, role: planned.role.word(), name: &planned.instance_set, generation };
        certificate::issue(&id, &names, usage, &signer.authority, self.window, self.seed)
    }
}
