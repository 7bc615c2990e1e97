//! NetworkPolicies, where they are asked for: who may connect to which port of the cluster's pods.
//!
//! They are about connections that come in. What goes out is left open: Postgres' own extensions, DNS, the API server and object
//! storage are at addresses that a policy cannot name without knowing the Kubernetes cluster.
//!
//! A peer is whoever has the labels. Who may label pods of the namespace may be any peer (`src/build/access.rs`), so these
//! policies come before the certificates and passwords, and take the place of none.

use super::metadata::{
    Labels, backup_labels, instance_set_labels, labels, object_meta, pgbouncer_labels, repo_host_labels, selector,
};
use crate::cluster::{Backups, Cluster, InstanceSet, Metadata, PgBouncer};
use crate::kubernetes::{
    Container, IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use crate::naming::{PGBACKREST_PORT, label};

/// `<cluster>-set-<set>`. Applications may come from anywhere, also through a node port or a load balancer. Patroni is asked
/// by its own kind; the kubelet's probes come from the node, which the plugins that we know let through
/// (Kubernetes, "Network Policies", "Network traffic filtering"). pgBackRest is called by whoever makes backups.
pub(super) fn instance_set(cluster: &Cluster, set: &InstanceSet) -> NetworkPolicy {
    let mut rules = vec![
        open(cluster.port, &set.containers, &[cluster.patroni.port, PGBACKREST_PORT]),
        only(cluster.patroni.port, vec![instances(cluster)]),
    ];
    let makers = cluster.backups.as_ref().map(|backups| backup_makers(cluster, backups)).unwrap_or_default();
    if !makers.is_empty() {
        rules.push(only(PGBACKREST_PORT, makers));
    }
    policy(cluster, cluster.instance_set_policy(set), &set.metadata, instance_set_labels(set), rules)
}

/// `<cluster>-repo-host`: instances archive to it, and restore from it.
pub(super) fn repo_host(cluster: &Cluster, backups: &Backups) -> NetworkPolicy {
    let rules = vec![only(PGBACKREST_PORT, vec![instances(cluster)])];
    policy(cluster, cluster.repo_host(), &backups.metadata, repo_host_labels(), rules)
}

/// `<cluster>-pgbackrest`: nobody calls a pod that makes a backup.
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

/// The instances of all sets.
fn instances(cluster: &Cluster) -> LabelSelector {
    selector(cluster, labels([(label::DATA, "postgres")]))
}

/// Who reads the data directories over pgBackRest's server: the repo host, which takes the first backup, and scheduled pods.
fn backup_makers(cluster: &Cluster, backups: &Backups) -> Vec<LabelSelector> {
    let repo_host = backups.has_repo_host().then(|| selector(cluster, repo_host_labels()));
    repo_host.into_iter().chain(backups.has_schedules().then(|| selector(cluster, backup_labels()))).collect()
}

/// A port, for everybody; and those that the user's own containers declare, because who adds one knows whom it serves, and we
/// do not. The ports of ours in the same pod stay as `closed` as they are.
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

/// A port, for pods with these labels.
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
