//! NetworkPolicies, if the user asks for them: they say which pods may connect to which ports of the cluster's pods.
//!
//! They restrict ingress only. Egress is not restricted: Postgres' extensions, DNS, the API server and object storage have
//! addresses that are different in every Kubernetes cluster.
//!
//! A policy selects peers by their labels. An attacker who may label pods in the namespace can be any peer
//! (`src/objects/access.rs`). So these policies are an additional protection, and do not replace certificates and passwords.

use super::metadata::{backup_labels, object_meta, repo_host_labels, selector};
use crate::cluster::{Backups, Cluster, InstanceSet, Metadata, PgBouncer};
use crate::kubernetes::{
    Container, IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use crate::naming::{Labels, PGBACKREST_PORT, instance_set_labels, label, labels, pgbouncer_labels};

/// `<cluster>-set-<set>`. Applications may connect to Postgres from anywhere, also through a node port or a load balancer. Only
/// instances may connect to Patroni. The kubelet's probes come from the node, and the known network plugins always allow them
/// (Kubernetes, "Network Policies", "Network traffic filtering"). Only pods that make backups may connect to pgBackRest.
pub(super) fn instance_set(cluster: &Cluster, set: &InstanceSet) -> NetworkPolicy {
    let mut rules = vec![
        open(cluster.port, &set.containers, &[cluster.patroni.port, PGBACKREST_PORT]),
        only(cluster.patroni.port, vec![instances(cluster)]),
    ];
    let makers = cluster.backups.as_ref().map(|backups| backup_makers(cluster, backups)).unwrap_or_default();
    if !makers.is_empty() {
        rules.push(only(PGBACKREST_PORT, makers));
    }
    policy(cluster, cluster.instance_set_policy(set), &set.metadata, instance_set_labels(&set.name), rules)
}

/// `<cluster>-repo-host`: instances archive WAL to it and restore from it.
pub(super) fn repo_host(cluster: &Cluster, backups: &Backups) -> NetworkPolicy {
    let rules = vec![only(PGBACKREST_PORT, vec![instances(cluster)])];
    policy(cluster, cluster.repo_host(), &backups.metadata, repo_host_labels(), rules)
}

/// `<cluster>-pgbackrest`: no pod may connect to a pod that makes a backup.
pub(super) fn backup_jobs(cluster: &Cluster, backups: &Backups) -> NetworkPolicy {
    policy(cluster, cluster.pgbackrest_name(), &backups.metadata, backup_labels(), Vec::new())
}

/// `<cluster>-pgbouncer`: applications may come from anywhere.
pub(super) fn pgbouncer(cluster: &Cluster, pgbouncer: &PgBouncer) -> NetworkPolicy {
    let rules = vec![open(pgbouncer.port, &pgbouncer.containers, &[])];
    policy(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), rules)
}

fn policy(
    cluster: &Cluster,
    name: String,
    metadata: &Metadata,
    labels: Labels,
    rules: Vec<NetworkPolicyIngressRule>,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: object_meta(cluster, name, metadata, labels.clone()),
        spec: Some(NetworkPolicySpec {
            ingress: (!rules.is_empty()).then_some(rules),
            pod_selector: Some(selector(cluster, labels)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// Selects the instances of all sets.
fn instances(cluster: &Cluster) -> LabelSelector {
    selector(cluster, labels([(label::DATA, "postgres")]))
}

/// The pods that read data directories through pgBackRest's server: the repo host, which takes the first backup, and the pods
/// of scheduled backups.
fn backup_makers(cluster: &Cluster, backups: &Backups) -> Vec<LabelSelector> {
    let repo_host = backups.has_repo_host().then(|| selector(cluster, repo_host_labels()));
    repo_host.into_iter().chain(backups.has_schedules().then(|| selector(cluster, backup_labels()))).collect()
}

/// Allows everybody to connect to the port `number` and to the ports that the user's own containers declare. pgrender does not
/// know who uses those. The ports `closed`, which belong to pgrender's containers in the same pod, are not opened in this way.
fn open(number: u16, containers: &[Container], closed: &[u16]) -> NetworkPolicyIngressRule {
    let declared = containers.iter().flat_map(|container| container.ports.iter().flatten());
    let theirs = declared.filter(|declared| !closed.iter().any(|port| i32::from(*port) == declared.container_port));
    let theirs = theirs.map(|declared| NetworkPolicyPort {
        port: Some(IntOrString::Int(declared.container_port)),
        protocol: Some(declared.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        ..NetworkPolicyPort::default()
    });
    let mut ports = vec![port(number)];
    ports.extend(theirs);
    NetworkPolicyIngressRule { ports: Some(ports), ..NetworkPolicyIngressRule::default() }
}

/// Allows only pods with these labels to connect to a port.
fn only(number: u16, peers: Vec<LabelSelector>) -> NetworkPolicyIngressRule {
    let peer = |labels| NetworkPolicyPeer { pod_selector: Some(labels), ..NetworkPolicyPeer::default() };
    NetworkPolicyIngressRule { from: Some(peers.into_iter().map(peer).collect()), ports: Some(vec![port(number)]) }
}

fn port(number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    }
}
