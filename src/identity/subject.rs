//! Whom each certificate of a cluster names and what it may be used for, whoever signs it.

use super::certificate::Usage;
use super::context::Role;
use crate::cluster::Cluster;
use crate::naming::{self, COMMON_NAME_MAX, REPLICATION_USER};

/// The role of the one client certificate that the members of `cluster` show to Postgres, their own and, in a standby cluster
/// that streams, that of another.
pub(crate) fn replication_role(cluster: &Cluster) -> Role {
    if cluster.streams_from().is_some() { Role::Replication } else { Role::Replica }
}

/// The holder of a certificate.
pub struct Subject {
    /// At most 64 characters.
    pub common_name: String,
    /// Hosts, or the one name of a client.
    pub names: Vec<String>,
    /// What the certificate may be used for.
    pub usage: Usage,
}

impl Subject {
    /// The holder of the certificate of `role` in `cluster`. One of an instance set is good for every pod of the cluster, so
    /// that scaling changes no certificate.
    pub fn of(cluster: &Cluster, role: Role) -> Self {
        let (names, usage) = match role {
            // PGO's two Services, and the leader's, which PGO leaves out.
            Role::Postgres => {
                let services = [cluster.primary_service(), cluster.replicas_service(), cluster.scope()];
                (services.iter().flat_map(|service| cluster.service_names(service)).collect(), Usage::Server)
            }
            Role::Replication => (vec![REPLICATION_USER.to_owned()], Usage::Client),
            Role::Replica => (vec![cluster.replica_name()], Usage::Client),
            Role::InstanceSet | Role::Member => (pod_names(cluster, "*"), Usage::Both),
            Role::PgBackRestClient => (vec![cluster.pgbackrest_client_name()], Usage::Client),
            Role::PgBackRestRepoHost => (pod_names(cluster, &cluster.repo_host_pod()), Usage::Server),
            Role::PgBouncer => (cluster.service_names(&cluster.pgbouncer_name()).to_vec(), Usage::Server),
        };
        Self { common_name: common_name(&names), names, usage }
    }
}

/// The first name that fits (X.520 allows 64 characters); hosts are matched by the DNS names alone (RFC 6125 6.4.4), and
/// clients have one name, which fits.
pub(super) fn common_name(names: &[String]) -> String {
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
