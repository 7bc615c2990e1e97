//! Whom each certificate of a cluster names and what it may be used for, whoever signs it.

use super::{CertificateRole, Cluster};
use crate::naming::{self, COMMON_NAME_MAX, REPLICATION_USER};

/// What a certificate may be used for. PGO's may be used for everything; a narrower one cannot be turned against another
/// server: the server certificate of Postgres, say, cannot log in anywhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateUsage {
    /// By a server.
    Server,
    /// By a client.
    Client,
    /// By a process that is both, as Patroni is.
    Both,
}

/// The holder of a certificate.
pub struct CertificateSubject {
    /// At most 64 characters.
    pub common_name: String,
    /// Hosts, or the one name of a client.
    pub names: Vec<String>,
    /// What the certificate may be used for.
    pub usage: CertificateUsage,
}

impl CertificateSubject {
    /// The holder of the certificate of `role` in `cluster`. One of an instance set is good for every pod of the cluster, so
    /// that scaling changes no certificate.
    pub fn of(cluster: &Cluster, role: CertificateRole) -> Self {
        let (names, usage) = match role {
            // PGO's two Services, and the leader's, which PGO leaves out.
            CertificateRole::Postgres => {
                let services = [cluster.primary_service(), cluster.replicas_service(), cluster.scope()];
                (services.iter().flat_map(|service| cluster.service_names(service)).collect(), CertificateUsage::Server)
            }
            CertificateRole::Replication => (vec![REPLICATION_USER.to_owned()], CertificateUsage::Client),
            CertificateRole::Replica => (vec![cluster.replica_name()], CertificateUsage::Client),
            CertificateRole::InstanceSet | CertificateRole::Member => (pod_names(cluster, "*"), CertificateUsage::Both),
            CertificateRole::PgBackRestClient => (vec![cluster.pgbackrest_client_name()], CertificateUsage::Client),
            CertificateRole::PgBackRestRepoHost => {
                (pod_names(cluster, &cluster.repo_host_pod()), CertificateUsage::Server)
            }
            CertificateRole::PgBouncer => {
                (cluster.service_names(&cluster.pgbouncer_name()).to_vec(), CertificateUsage::Server)
            }
        };
        Self { common_name: common_name(&names), names, usage }
    }
}

/// The first name that fits (X.520 allows 64 characters); hosts are matched by the DNS names alone (RFC 6125 6.4.4), and
/// clients have one name, which fits.
pub fn common_name(names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    let fitting = names.iter().find(|name| name.len() <= COMMON_NAME_MAX);
    fitting.cloned().unwrap_or_else(|| naming::common_name(first.to_owned()))
}

/// What a pod is called, longest first. PGO's fourth form, without a namespace, is left out, because OpenSSL refuses a
/// wildcard with fewer than two dots, and nothing uses it.
fn pod_names(cluster: &Cluster, pod: &str) -> Vec<String> {
    let services = cluster.service_names(&cluster.pods_service());
    services.iter().take(3).map(|service| format!("{pod}.{service}")).collect()
}
