//! Everything secret about a cluster: passwords, verifiers, keys and certificates, derived from one seed.
//!
//! Each value is a function of the seed and of its own context (which cluster, which user, which generation: the table is in
//! `context.rs`), so the order of derivation never matters, and adding or removing one value changes no other. A value that
//! the cluster has already wins over derivation, where it is what is asked for (`reuse.rs`).

mod authority;
mod certificate;
mod context;
mod key;
mod password;
mod reuse;
pub mod scram;
mod seed;
mod signer;
mod subject;
pub mod uri;
#[cfg(test)]
mod vectors;
mod verifier;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

pub use self::certificate::Usage;
pub use self::context::Role;
pub use self::seed::{Seed, SeedError};
pub use self::subject::Subject;
pub(crate) use self::subject::replication_role;
pub(crate) use self::verifier::checked_rounds;

use self::authority::Authorities;
use self::context::{CertificateId, Context};
use self::password::Alphabet;
use self::reuse::Demand;
use self::signer::Signer;
use crate::cluster::{Backups, Cluster, PasswordGeneration, PasswordType, User};
use crate::existing::{self, Existing};
use crate::naming::{MONITORING_USER, PATRONI_USER, PGBOUNCER_USER};
use crate::options::Options;
use crate::report::{Diagnostic, ResourceRef, has_errors};
use crate::window::{Renewal, Window};
use crate::x509::X509;

/// All that is secret about one cluster. It has no `Debug`, so that it cannot be printed.
pub struct Identity {
    /// The CA certificates that everyone of the trust domain trusts, PEM.
    pub trust_bundle: String,
    /// How often the CA was replaced, from 1.
    pub authority_generation: u32,
    /// When to render again.
    pub renewal: Renewal,
    /// By name of the user, but for those whose Secret the user brings; the next three likewise.
    pub users: BTreeMap<String, Credential>,
    /// Of [`crate::naming::PATRONI_USER`].
    pub patroni: Option<Password>,
    /// Of [`crate::naming::PGBOUNCER_USER`]; there when the cluster has pgBouncer.
    pub pgbouncer: Option<Credential>,
    /// Of [`crate::naming::MONITORING_USER`]; there when the cluster has an exporter.
    pub monitoring: Option<Credential>,
    /// Postgres' server certificate; absent when the user brings one.
    pub cluster_certificate: Option<Certificate>,
    /// The client certificate of replicas; absent when the user brings one.
    pub replication_certificate: Option<Certificate>,
    /// By name of the instance set: of Patroni's API and of its clients, the other members. There are none of these, and no
    /// other certificate, when cert-manager makes them.
    pub members: BTreeMap<String, Certificate>,
    /// The CA certificates by which the members of the cluster know each other, and nobody else, PEM.
    pub members_bundle: String,
    /// By name of the instance set: of pgBackRest's server; there when the cluster has backups.
    pub instance_sets: BTreeMap<String, Certificate>,
    /// pgBackRest's client certificate; there when the cluster has backups.
    pub pgbackrest_client: Option<Certificate>,
    /// The repo host's server certificate; there when there is a repo host.
    pub pgbackrest_repo_host: Option<Certificate>,
    /// pgBouncer's server certificate; absent without pgBouncer or when the user brings one.
    pub pgbouncer_frontend: Option<Certificate>,
    /// The key of the fingerprints of Secrets and ConfigMaps: without it nobody can test a guess against them.
    pub fingerprint_key: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// Every certificate that there is.
    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        [
            &self.cluster_certificate,
            &self.replication_certificate,
            &self.pgbackrest_client,
            &self.pgbackrest_repo_host,
            &self.pgbouncer_frontend,
        ]
        .into_iter()
        .flatten()
        .chain(self.members.values())
        .chain(self.instance_sets.values())
    }
}

/// A password and what Postgres stores of it.
pub struct Credential {
    /// Printable ASCII, unless a person has chosen it.
    pub password: Zeroizing<String>,
    /// `SCRAM-SHA-256$4096:…`, unless there was another.
    pub verifier: Zeroizing<String>,
    /// How often it was replaced.
    pub generation: PasswordGeneration,
}

/// A password that Postgres does not know.
pub struct Password {
    /// Letters and digits, unless a person has chosen it.
    pub password: Zeroizing<String>,
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
    let generations = &cluster.generations;
    // A namespace is a trust domain of its own, as in PGO, whose CA it keeps.
    let trust_domain = options.trust_domain.as_deref().unwrap_or(&cluster.namespace);
    let first = existing.root.as_ref().filter(|_| trust_domain == cluster.namespace);
    let held = existing.certificates.values().map(|held| held.authority_generation);
    let generation = held.fold(generations.authority, u32::max);
    let mut diagnostics = Vec::new();
    if let Some(root) = first.filter(|_| generation == 1) {
        diagnostics.extend(reuse::root_notes(root, options.time, window));
    }
    if has_errors(&diagnostics) {
        return (None, diagnostics);
    }
    let authorities = Authorities { seed, trust_domain, also: &options.trust_also, first };
    let of_members = cluster.members_trust_domain();
    let of_members = Authorities { seed, trust_domain: &of_members, also: &[], first: None };
    let signers = || Ok((Signer::new(&authorities, generation)?, Signer::new(&of_members, generation)?));
    let identity = signers().and_then(|(signer, signer_of_members)| {
        let (held, held_by_members) = (existing.certificates.values(), existing.members.values());
        let keep = "give `pgo-root-cacert` to keep PGO's CA, ";
        diagnostics.extend(reuse::unannounced(held, &signer.facts, keep));
        diagnostics.extend(reuse::unannounced(held_by_members.clone(), &signer_of_members.facts, ""));
        diagnostics.extend(reuse::strangers(held_by_members, |authority| signer_of_members.is_named(authority)));
        let mut derivation = Derivation {
            cluster,
            seed,
            window,
            time: options.time,
            signer,
            signer_of_members,
            existing,
            diagnostics: Vec::new(),
        };
        let identity = derivation.identity();
        diagnostics.append(&mut derivation.diagnostics);
        identity
    });
    match identity {
        Ok(identity) => (Some(identity), diagnostics),
        Err(error) => {
            let error = Diagnostic::error(format!("cannot make its certificates: {error}")).of(resource(cluster));
            (None, vec![error])
        }
    }
}

fn resource(cluster: &Cluster) -> ResourceRef {
    ResourceRef {
        kind: "PostgresCluster".to_owned(),
        name: cluster.name.clone(),
        namespace: cluster.namespace.clone(),
        ..ResourceRef::default()
    }
}

/// What the values of one cluster are derived from.
struct Derivation<'a> {
    cluster: &'a Cluster,
    seed: &'a Seed,
    window: Window,
    time: i64,
    /// Of most certificates, for the trust domain.
    signer: Signer<'a>,
    /// Of those by which the members of the cluster know each other.
    signer_of_members: Signer<'a>,
    existing: &'a Existing<'a>,
    diagnostics: Vec<Diagnostic>,
}

impl Derivation<'_> {
    fn identity(&mut self) -> Result<Identity, rcgen::Error> {
        let (cluster, existing) = (self.cluster, self.existing);
        let Cluster { namespace, name, pgbouncer, backups, .. } = cluster;
        for held in existing.certificates.values() {
            let asked = (self.cluster.generations.certificates, self.cluster.generations.authority);
            self.diagnostics.extend(reuse::certificate_notes(held, asked.0, asked.1));
        }
        let known = |role: &str| !cluster.referenced_credentials.contains(role);
        let ours = cluster.cert_manager.is_none();
        let needs_postgres = ours && cluster.custom_tls_secret.is_none();
        let needs_replication = ours && cluster.custom_replication_tls_secret.is_none();
        let needs_client = ours && backups.is_some();
        let needs_repo_host = ours && backups.as_ref().is_some_and(Backups::has_repo_host);
        let needs_frontend = ours && pgbouncer.as_ref().is_some_and(|pgbouncer| pgbouncer.custom_tls_secret.is_none());
        let (held, held_by_members) = (existing.certificates.values(), existing.members.values());
        let of_members = |authority: &X509| self.signer_of_members.is_named(authority);
        let mut identity = Identity {
            // The file that instances of an earlier version know their members by has both.
            trust_bundle: self.signer.trust_bundle(held, self.time, |authority| !of_members(authority))?,
            members_bundle: self.signer_of_members.trust_bundle(held_by_members, self.time, of_members)?,
            authority_generation: self.signer.authority.generation,
            renewal: self.window.renewal(),
            users: self.users(),
            patroni: known(PATRONI_USER).then(|| self.patroni()),
            pgbouncer: (pgbouncer.is_some() && known(PGBOUNCER_USER)).then(|| {
                let held = existing.pgbouncer.as_ref();
                self.credential(PGBOUNCER_USER, &password::ASCII, password::PGBOUNCER_LENGTH, held)
            }),
            monitoring: (cluster.exporter && known(MONITORING_USER)).then(|| {
                let held = existing.monitoring.as_ref();
                self.credential(MONITORING_USER, &password::ASCII, password::USER_LENGTH, held)
            }),
            cluster_certificate: self.certificate_if(needs_postgres, Role::Postgres)?,
            replication_certificate: self.certificate_if(needs_replication, replication_role(cluster))?,
            members: self.instance_sets_if(ours, Role::Member)?,
            instance_sets: self.instance_sets_if(needs_client, Role::InstanceSet)?,
            pgbackrest_client: self.certificate_if(needs_client, Role::PgBackRestClient)?,
            pgbackrest_repo_host: self.certificate_if(needs_repo_host, Role::PgBackRestRepoHost)?,
            pgbouncer_frontend: self.certificate_if(needs_frontend, Role::PgBouncer)?,
            fingerprint_key: Context::fingerprint_key(namespace, name).draw(self.seed, 0),
        };
        let renewals: Vec<Renewal> = identity.certificates().map(|certificate| certificate.renewal).collect();
        identity.renewal = renewals.into_iter().fold(identity.renewal, Renewal::earlier);
        Ok(identity)
    }

    fn users(&mut self) -> BTreeMap<String, Credential> {
        let (cluster, existing) = (self.cluster, self.existing);
        let credential = |user: &User| {
            let alphabet = match user.password {
                PasswordType::Ascii => &password::ASCII,
                PasswordType::AlphaNumeric => &password::ALPHANUMERIC,
            };
            let held = existing.users.get(&user.name);
            (user.name.clone(), self.credential(&user.name, alphabet, password::USER_LENGTH, held))
        };
        let known = |user: &&User| !cluster.referenced_credentials.contains(&user.name);
        cluster.users.iter().filter(known).map(credential).collect()
    }

    fn patroni(&mut self) -> Password {
        let held = self.existing.patroni.as_ref();
        let (password, _) = self.password(PATRONI_USER, &password::ALPHANUMERIC, password::PATRONI_LENGTH, held);
        let asked = self.cluster.generations.password(PATRONI_USER);
        self.diagnostics.extend(held.and_then(|held| reuse::password_note(held, asked)));
        password
    }

    /// The password that is there, with the verifier beside it, or else the one that is derived.
    fn password(
        &self,
        user: &str,
        alphabet: &Alphabet,
        length: usize,
        held: Option<&existing::Credential>,
    ) -> (Password, Option<Zeroizing<String>>) {
        let Cluster { namespace, name, .. } = self.cluster;
        let asked = self.cluster.generations.password(user);
        let generation = held.map_or(asked, |held| asked.later(held.generation));
        let kept = held.and_then(|held| reuse::credential(held, generation));
        let (password, verifier) = kept.unwrap_or_else(|| {
            let context = Context::password(namespace, name, user, alphabet.name, generation);
            (password::derive(&context, self.seed, alphabet, length), None)
        });
        (Password { password, generation }, verifier)
    }

    fn credential(
        &mut self,
        user: &str,
        alphabet: &Alphabet,
        length: usize,
        held: Option<&existing::Credential>,
    ) -> Credential {
        let Cluster { namespace, name, .. } = self.cluster;
        let asked = self.cluster.generations.password(user);
        let (Password { password, generation }, verifier) = self.password(user, alphabet, length, held);
        let verifier = verifier.unwrap_or_else(|| {
            let salt = Context::scram_salt(namespace, name, user, &password).draw(self.seed, 0);
            scram::verifier(&password, &salt)
        });
        let credential = Credential { password, verifier, generation };
        self.diagnostics.extend(held.and_then(|held| reuse::credential_notes(held, user, asked, &credential)));
        credential
    }

    fn instance_sets_if(&mut self, needed: bool, role: Role) -> Result<BTreeMap<String, Certificate>, rcgen::Error> {
        let sets = self.cluster.instance_sets.iter().filter(|_| needed);
        sets.map(|set| Ok((set.name.clone(), self.certificate(role, &set.name)?))).collect()
    }

    fn certificate_if(&mut self, needed: bool, role: Role) -> Result<Option<Certificate>, rcgen::Error> {
        needed.then(|| self.certificate(role, "")).transpose()
    }

    fn certificate(&mut self, role: Role, name: &str) -> Result<Certificate, rcgen::Error> {
        let Cluster { namespace, name: cluster, .. } = self.cluster;
        let Subject { names, usage, .. } = Subject::of(self.cluster, role);
        let (secret, key) = self.place(role, name);
        let (signer, held) = match role {
            Role::Member => (&self.signer_of_members, self.existing.members.get(&secret)),
            _ => (&self.signer, self.existing.certificates.get(&secret)),
        };
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
            match reuse::certificate(held, key, &demand) {
                Ok(certificate) => return Ok(certificate),
                Err(reason) => self.diagnostics.extend(reason),
            }
        }
        let id = CertificateId { namespace, cluster, role, name, generation };
        certificate::issue(&id, &names, usage, &signer.authority, self.window, self.seed)
    }

    /// The Secret that a certificate is in, and its key there.
    fn place(&self, role: Role, set: &str) -> (String, &'static str) {
        let cluster = self.cluster;
        match role {
            Role::Postgres => (cluster.cluster_certificate_secret(), "tls.crt"),
            Role::Replication | Role::Replica => (cluster.replication_certificate_secret(), "tls.crt"),
            Role::InstanceSet => (cluster.instance_set_certificate_secret(set), "pgbackrest-server.crt"),
            Role::Member => (cluster.instance_set_certificate_secret(set), "patroni.crt-combined"),
            Role::PgBackRestClient => (cluster.pgbackrest_name(), "pgbackrest-client.crt"),
            Role::PgBackRestRepoHost => (cluster.repo_host_certificate_secret(), "pgbackrest-repo-host.crt"),
            Role::PgBouncer => (cluster.pgbouncer_certificate_secret(), "pgbouncer-frontend.crt"),
        }
    }
}
