//! What all Services have in common.

use crate::kubernetes::{IntOrString, ServicePort, ServiceSpec};
use crate::postgres_cluster::cluster::{ServiceKind, ServiceSettings};

/// A port of a Service without a selector. Its target is the port with this name in the Endpoints.
pub(crate) fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number.into(),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}

/// `port`, with the container port of this name as its target. A pod without such a port gets no connections.
pub(crate) fn led_to(port: ServicePort, container_port: String) -> ServicePort {
    ServicePort { target_port: Some(IntOrString::String(container_port)), ..port }
}

/// A Service without a cluster IP: its DNS name gives the addresses of the pods.
pub(crate) fn headless() -> ServiceSpec {
    ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        internal_traffic_policy: Some("Cluster".to_owned()),
        session_affinity: Some("None".to_owned()),
        type_: Some("ClusterIP".to_owned()),
        ..ServiceSpec::default()
    }
}

/// A Service with a cluster IP, a node port or a load balancer, as the user's settings say.
pub(crate) fn exposed(settings: &ServiceSettings, port: ServicePort) -> ServiceSpec {
    // Fields without a user's value get the default of the API server (Kubernetes' `SetDefaults_Service`).
    let external = settings.kind != ServiceKind::ClusterIp;
    let default_policy = || external.then(|| "Cluster".to_owned());
    ServiceSpec {
        allocate_load_balancer_node_ports: (settings.kind == ServiceKind::LoadBalancer).then_some(true),
        external_traffic_policy: settings.external_traffic_policy.clone().or_else(default_policy),
        internal_traffic_policy: Some(settings.internal_traffic_policy.clone().unwrap_or_else(|| "Cluster".to_owned())),
        ip_families: (!settings.ip_families.is_empty()).then(|| settings.ip_families.clone()),
        ip_family_policy: settings.ip_family_policy.clone(),
        ports: Some(vec![ServicePort { node_port: settings.node_port, ..port }]),
        session_affinity: Some("None".to_owned()),
        type_: Some(settings.kind.as_str().to_owned()),
        ..ServiceSpec::default()
    }
}
