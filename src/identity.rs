//! Everything secret about a cluster: passwords, verifiers, keys and certificates, derived from one seed.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::cluster::Cluster;
use crate::report::Diagnostic;

/// The seed: at least 32 bytes of high-entropy secret.
pub struct Seed(Zeroizing<Vec<u8>>);

/// All that is secret about one cluster. It has no `Debug`, so that it cannot be printed.
pub struct Identity {
    /// The CA certificates that everyone of the trust domain trusts, PEM.
    pub trust_bundle: String,
    /// By name of the user.
    pub users: BTreeMap<String, Credential>,
    /// Of [`crate::naming::PGBOUNCER_USER`]; there when the cluster has pgBouncer.
    pub pgbouncer: Option<Credential>,
    /// Of [`crate::naming::MONITORING_USER`]; there when the cluster has an exporter.
    pub monitoring: Option<Credential>,
    /// Postgres' server certificate; absent when the user brings one.
    pub cluster_certificate: Option<Certificate>,
    /// The client certificate of replicas; absent when the user brings one.
    pub replication_certificate: Option<Certificate>,
    /// By name of the instance set: of Patroni's API, of its clients and of pgBackRest's server.
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

/// Derives the identity of `cluster` from `seed` for the certificate window that `time` (seconds since 1970) is in.
pub fn derive(cluster: &Cluster, seed: &Seed, time: i64) -> Result<Identity, Vec<Diagnostic>> {
    let _ = (cluster, &seed.0, time);
    Err(vec![Diagnostic::error("not yet")])
}
