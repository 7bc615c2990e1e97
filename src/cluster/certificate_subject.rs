//! The names and the usages of each certificate of a cluster. They do not depend on the issuer.

use super::{CertificateRole, Cluster};
use crate::naming::{self, COMMON_NAME_MAX, REPLICATION_USER};

/// What a certificate may be used for (its extended key usage). PGO's certificates may be used for everything. With a narrower
/// usage, a stolen certificate is less useful: for example, nobody can log in with the server certificate of Postgres.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateUsage {
    /// Only by a server.
    Server,
    /// Only by a client.
    Client,
    /// By a process that is both a server and a client, for example Patroni.
    Both,
}

/// The subject of a certificate.
pub struct CertificateSubject {
    /// The common name, at most 64 characters.
    pub common_name: String,
    /// The DNS names: the names of a server's host, or the one name of a client.
    pub names: Vec<String>,
    /// What the certificate may be used for.
    pub usage: CertificateUsage,
}

impl CertificateSubject {
    /// The subject of the certificate of `role` in `cluster`. The certificate of an instance set is valid for every pod of the
    /// cluster, so that no certificate changes when the cluster is scaled.
    pub fn of(cluster: &Cluster, role: CertificateRole) -> Self {
        let (names, usage) = match role {
            // The two Services of PGO's certificate, and the Service of the leader, which PGO's certificate does not contain.
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

/// The first name that has at most 64 characters, the maximum of X.520. If there is none, the first name is shortened. This is
/// safe: clients compare a host only with the DNS names (RFC 6125 6.4.4), and the one name of a client always fits.
pub fn common_name(names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    let fitting = names.iter().find(|name| name.len() <= COMMON_NAME_MAX);
    fitting.cloned().unwrap_or_else(|| naming::common_name(first.to_owned()))
}

/// The names of a pod, the longest first. PGO has a fourth name, without the namespace. It is omitted here, because OpenSSL
/// does not accept a wildcard in a name with fewer than two dots, and nothing uses it.
fn pod_names(cluster: &Cluster, pod: &str) -> Vec<String> {
    let services = cluster.service_names(&cluster.pods_service());
    services.iter().take(3).map(|service| format!("{pod}.{service}")).collect()
}
