//! NetworkPolicies, if the user asks for them: they say which pods may connect to which ports of the cluster's pods.
//!
//! They restrict ingress only. Egress is not restricted: Postgres' extensions, the API server and object storage have addresses
//! that are different in every Kubernetes cluster. Pods of the restore drill are an exception.
//!
//! A policy selects peers by their labels. An attacker who may label pods in the namespace can be any peer
//! (`src/postgres_cluster/instances/access.rs`). So these policies are an additional protection, and do not replace
//! certificates and passwords.

use super::metadata::{object_meta, repo_host_labels, selector};
use crate::kubernetes::{
    Container, IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule,
    NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use crate::naming::{Labels, PGBACKREST_PORT, label, labels};
use crate::postgres_cluster::cluster::{Cluster, Metadata};

/// A policy for the pods that `labels` select. Without rules, nobody can connect to them.
pub(crate) fn policy(
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
pub(crate) fn instances(cluster: &Cluster) -> LabelSelector {
    selector(cluster, labels([(label::DATA, "postgres")]))
}

/// Allows everybody to connect to the port `number` and to the ports that the user's own containers declare. pgrender does not
/// know who uses those. The ports `closed`, which belong to pgrender's containers in the same pod, are not opened in this way.
pub(crate) fn open(number: u16, containers: &[Container], closed: &[u16]) -> NetworkPolicyIngressRule {
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
pub(crate) fn only(number: u16, peers: Vec<LabelSelector>) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from: Some(peers.into_iter().map(peer).collect()), ports: Some(vec![port(number)]) }
}

/// The ports of DNS servers: the standard one, and the one on which the pods of OpenShift's servers listen. Plugins apply policies
/// to the pods behind a Service.
const DNS_PORTS: [u16; 2] = [53, 5353];

/// Allows connections to the repo host, and to DNS servers, which are not known.
pub(crate) fn to_repo_host(cluster: &Cluster) -> Vec<NetworkPolicyEgressRule> {
    let dns = DNS_PORTS.into_iter().flat_map(|number| ["TCP", "UDP"].map(|protocol| port_of(number, protocol)));
    let repo_host = vec![peer(selector(cluster, repo_host_labels()))];
    vec![
        NetworkPolicyEgressRule { ports: Some(vec![port(PGBACKREST_PORT)]), to: Some(repo_host) },
        NetworkPolicyEgressRule { ports: Some(dns.collect()), to: None },
    ]
}

fn peer(labels: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(labels), ..NetworkPolicyPeer::default() }
}

fn port(number: u16) -> NetworkPolicyPort {
    port_of(number, "TCP")
}

fn port_of(number: u16, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}
