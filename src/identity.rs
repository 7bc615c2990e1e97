//! Everything secret about a cluster: passwords, verifiers, keys and certificates, derived from one seed.
//!
//! Each value is a function of the seed and of its own context (which cluster, which user, which generation: the table is in
//! `context.rs`), so the order of derivation never matters, and adding or removing one value changes no other.

mod authority;
mod certificate;
mod context;
mod key;
mod password;
mod rotation;
pub mod scram;
mod seed;
mod subject;
pub mod uri;
#[cfg(test)]
mod vectors;
pub mod window;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

pub use self::certificate::Usage;
pub use self::context::Role;
pub use self::seed::{Seed, SeedError};
pub use self::subject::Subject;

use self::authority::Authority;
use self::context::{CertificateId, Context};
use self::password::Alphabet;
use self::rotation::Generations;
use self::window::Window;
use crate::cluster::{Backups, Cluster, PasswordType, User};
use crate::naming::{MONITORING_USER, PGBOUNCER_USER};
use crate::options::Options;
use crate::report::{Diagnostic, ResourceRef};

/// All that is secret about one cluster. It has no `Debug`, so that it cannot be printed.
pub struct Identity {
    /// The CA certificates that everyone of the trust domain trusts, PEM.
    pub trust_bundle: String,
    /// By name of the user, but for those whose Secret the user brings; the next two likewise.
    pub users: BTreeMap<String, Credential>,
    /// Of [`crate::naming::PGBOUNCER_USER`]; there when the cluster has pgBouncer.
    pub pgbouncer: Option<Credential>,
    /// Of [`crate::naming::MONITORING_USER`]; there when the cluster has an exporter.
    pub monitoring: Option<Credential>,
    /// Postgres' server certificate; absent when the user brings one.
    pub cluster_certificate: Option<Certificate>,
    /// The client certificate of replicas; absent when the user brings one.
    pub replication_certificate: Option<Certificate>,
    /// By name of the instance set: of Patroni's API, of its clients and of pgBackRest's server. There are none of these, and
    /// no other certificate, when cert-manager makes them.
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

/// A password and what Postgres stores of it.
pub struct Credential {
    /// Printable ASCII.
    pub password: Zeroizing<String>,
    /// `SCRAM-SHA-256$4096:…`.
    pub verifier: Zeroizing<String>,
}

/// A certificate and its key.
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM, `EC PRIVATE KEY` as PGO writes it (SEC 1, RFC 5915).
    pub key: Zeroizing<String>,
}

/// Derives the identity of `cluster` from `seed`, with the schedule and trust domain of `options` and for the certificate
/// window that their time is in. Errors are a time that cannot be and rotation annotations that say nothing sensible.
pub fn derive(cluster: &Cluster, seed: &Seed, options: &Options) -> Result<Identity, Vec<Diagnostic>> {
    let window = Window::containing(options.time, options.certificates);
    let (window, generations) = match (window, Generations::of(cluster)) {
        (Ok(window), Ok(generations)) => (window, generations),
        (window, generations) => {
            let time = window.err().map(|error| Diagnostic::error(error.to_string()));
            let annotations = generations.err().unwrap_or_default().into_iter();
            return Err(time.into_iter().chain(annotations.map(|error| error.of(resource(cluster)))).collect());
        }
    };
    // A namespace is a trust domain of its own, as in PGO.
    let trust_domain = options.trust_domain.as_deref().unwrap_or(&cluster.namespace);
    Authority::derive(seed, trust_domain, generations.authority)
        .and_then(|authority| {
            Derivation { cluster, seed, window, generations, authority, trust_also: &options.trust_also }.identity()
        })
        .map_err(|error| {
            vec![Diagnostic::error(format!("cannot make its certificates: {error}")).of(resource(cluster))]
        })
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
    generations: Generations<'a>,
    authority: Authority<'a>,
    trust_also: &'a [String],
}

impl Derivation<'_> {
    fn identity(&self) -> Result<Identity, rcgen::Error> {
        let Cluster { namespace, name, pgbouncer, backups, .. } = self.cluster;
        let known = |role: &str| !self.cluster.referenced_credentials.contains(role);
        let ours = self.cluster.cert_manager.is_none();
        let needs_postgres = ours && self.cluster.custom_tls_secret.is_none();
        let needs_replication = ours && self.cluster.custom_replication_tls_secret.is_none();
        let needs_client = ours && backups.is_some();
        let needs_repo_host = ours && backups.as_ref().is_some_and(Backups::has_repo_host);
        let needs_frontend = ours && pgbouncer.as_ref().is_some_and(|pgbouncer| pgbouncer.custom_tls_secret.is_none());
        Ok(Identity {
            trust_bundle: self.authority.trust_bundle(self.seed, self.trust_also)?,
            users: self.users(),
            pgbouncer: (pgbouncer.is_some() && known(PGBOUNCER_USER))
                .then(|| self.credential(PGBOUNCER_USER, &password::ASCII, password::PGBOUNCER_LENGTH)),
            monitoring: (self.cluster.exporter && known(MONITORING_USER))
                .then(|| self.credential(MONITORING_USER, &password::ASCII, password::USER_LENGTH)),
            cluster_certificate: self.certificate_if(needs_postgres, Role::Postgres)?,
            replication_certificate: self.certificate_if(needs_replication, Role::Replication)?,
            instance_sets: if ours { self.instance_sets()? } else { BTreeMap::new() },
            pgbackrest_client: self.certificate_if(needs_client, Role::PgBackRestClient)?,
            pgbackrest_repo_host: self.certificate_if(needs_repo_host, Role::PgBackRestRepoHost)?,
            pgbouncer_frontend: self.certificate_if(needs_frontend, Role::PgBouncer)?,
            fingerprint_key: Context::fingerprint_key(namespace, name).draw(self.seed, 0),
        })
    }

    fn users(&self) -> BTreeMap<String, Credential> {
        let credential = |user: &User| {
            let alphabet = match user.password {
                PasswordType::Ascii => &password::ASCII,
                PasswordType::AlphaNumeric => &password::ALPHANUMERIC,
            };
            (user.name.clone(), self.credential(&user.name, alphabet, password::USER_LENGTH))
        };
        let known = |user: &&User| !self.cluster.referenced_credentials.contains(&user.name);
        self.cluster.users.iter().filter(known).map(credential).collect()
    }

    fn credential(&self, user: &str, alphabet: &Alphabet, length: usize) -> Credential {
        let Cluster { namespace, name, .. } = self.cluster;
        let context = Context::password(namespace, name, user, alphabet.name, self.generations.password(user));
        let password = password::derive(&context, self.seed, alphabet, length);
        let salt = Context::scram_salt(namespace, name, user, &password).draw(self.seed, 0);
        let verifier = scram::verifier(&password, &salt);
        Credential { password, verifier }
    }

    fn instance_sets(&self) -> Result<BTreeMap<String, Certificate>, rcgen::Error> {
        let sets = self.cluster.instance_sets.iter();
        sets.map(|set| Ok((set.name.clone(), self.certificate(Role::InstanceSet, &set.name)?))).collect()
    }

    fn certificate_if(&self, needed: bool, role: Role) -> Result<Option<Certificate>, rcgen::Error> {
        needed.then(|| self.certificate(role, "")).transpose()
    }

    fn certificate(&self, role: Role, name: &str) -> Result<Certificate, rcgen::Error> {
        let Cluster { namespace, name: cluster, .. } = self.cluster;
        let id = CertificateId { namespace, cluster, role, name, generation: self.generations.certificates };
        let Subject { names, usage, .. } = Subject::of(self.cluster, role);
        certificate::issue(&id, &names, usage, &self.authority, self.window, self.seed)
    }
}
