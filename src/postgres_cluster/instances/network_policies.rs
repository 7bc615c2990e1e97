//! The NetworkPolicies of instances.

use crate::kubernetes::{LabelSelector, NetworkPolicy};
use crate::naming::{COLLECTOR_PORT, EXPORTER_PORT, PGBACKREST_PORT, instance_set_labels};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::objects::metadata::{backup_labels, repo_host_labels, selector};
use crate::postgres_cluster::objects::network_policies::{instances, only, open, policy};
use crate::postgres_cluster::pgbackrest::model::Backups;

/// `<cluster>-set-<set>`. Applications may connect to Postgres from anywhere, also through a node port or a load balancer. Only
/// instances may connect to Patroni. The kubelet's probes come from the node, and the known network plugins always allow them
/// (Kubernetes, "Network Policies", "Network traffic filtering"). Only pods that make backups may connect to pgBackRest.
pub(crate) fn instance_set(cluster: &Cluster, set: &InstanceSet) -> NetworkPolicy {
    let mut rules = vec![
        open(cluster.port, &set.containers, &[cluster.patroni.port, PGBACKREST_PORT]),
        only(cluster.patroni.port, vec![instances(cluster)]),
    ];
    // Prometheus may run in any namespace.
    rules.extend(cluster.exporter.as_ref().map(|_| open(EXPORTER_PORT, &[], &[])));
    rules.extend(cluster.collector_runs_queries().then(|| open(COLLECTOR_PORT, &[], &[])));
    let makers = cluster.backups.as_ref().map(|backups| backup_makers(cluster, backups)).unwrap_or_default();
    if !makers.is_empty() {
        rules.push(only(PGBACKREST_PORT, makers));
    }
    policy(cluster, cluster.instance_set_policy(set), &set.metadata, instance_set_labels(&set.name), rules)
}

/// The pods that read data directories through pgBackRest's server: the repo host, which takes the first backup, and the pods
/// of scheduled backups.
fn backup_makers(cluster: &Cluster, backups: &Backups) -> Vec<LabelSelector> {
    let repo_host = backups.has_repo_host().then(|| selector(cluster, repo_host_labels()));
    repo_host.into_iter().chain(backups.has_schedules().then(|| selector(cluster, backup_labels()))).collect()
}
