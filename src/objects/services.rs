//! Services (PGO's `internal/controller/postgrescluster/cluster.go`, `patroni.go` and `pgbouncer.go`).

use super::metadata::{object_meta, selector_labels};
use crate::cluster::{Cluster, Metadata, PgBouncer, ServiceKind, ServiceSettings};
use crate::kubernetes::{IntOrString, Service, ServicePort, ServiceSpec};
use crate::naming::{PORT_PGBOUNCER, PORT_POSTGRES, label, labels, pgbouncer_labels};

/// `<cluster>-pods` gives every pod of a StatefulSet a DNS name, even if the pod is not ready.
pub(super) fn pods(cluster: &Cluster) -> Service {
    Service {
        metadata: object_meta(cluster, cluster.pods_service(), &cluster.metadata, labels([])),
        spec: Some(ServiceSpec {
            publish_not_ready_addresses: Some(true),
            selector: Some(selector_labels(cluster, labels([]))),
            ..headless()
        }),
        ..Service::default()
    }
}

/// `<cluster>-ha`: the leader. It has no selector, because Patroni writes its Endpoints, which contain both the address and the
/// leader lock.
pub(super) fn leader(cluster: &Cluster) -> Service {
    let metadata = cluster.metadata.merged(Some(&cluster.service.metadata));
    let labels = labels([(label::PATRONI, &cluster.scope())]);
    Service {
        metadata: object_meta(cluster, cluster.scope(), &metadata, labels),
        spec: Some(exposed(&cluster.service, postgres_port(cluster))),
        ..Service::default()
    }
}

/// `<cluster>-ha-config`: while this Service exists, no controller deletes the Endpoints of the same name, in which Patroni
/// stores its configuration.
pub(super) fn patroni_configuration(cluster: &Cluster) -> Service {
    let labels = labels([(label::PATRONI, &cluster.scope())]);
    Service {
        metadata: object_meta(cluster, cluster.dcs_service(), &cluster.metadata, labels),
        spec: Some(headless()),
        ..Service::default()
    }
}

/// `<cluster>-primary`: the Service that applications connect to. It is headless and has no selector. The caretaker writes the
/// stable cluster IP of `<cluster>-ha` into its Endpoints, so an address that a client has cached is still right after a
/// failover.
pub(super) fn primary(cluster: &Cluster) -> Service {
    let labels = labels([(label::ROLE, "primary")]);
    Service {
        metadata: object_meta(cluster, cluster.primary_service(), &cluster.metadata, labels),
        spec: Some(ServiceSpec { ports: Some(vec![postgres_port(cluster)]), ..headless() }),
        ..Service::default()
    }
}

/// `<cluster>-replicas`: the ready replicas, by the label that Patroni gives them.
pub(super) fn replicas(cluster: &Cluster) -> Service {
    let metadata = cluster.metadata.merged(Some(&cluster.replica_service.metadata));
    let role = labels([(label::ROLE, "replica")]);
    Service {
        metadata: object_meta(cluster, cluster.replicas_service(), &metadata, role.clone()),
        spec: Some(ServiceSpec {
            selector: Some(selector_labels(cluster, role)),
            ..exposed(&cluster.replica_service, led_to(postgres_port(cluster), cluster.postgres_container_port()))
        }),
        ..Service::default()
    }
}

/// `<cluster>-pgbouncer`: the pods of pgBouncer.
pub(super) fn pgbouncer(cluster: &Cluster, pgbouncer: &PgBouncer) -> Service {
    let metadata: Metadata = pgbouncer.metadata.merged(Some(&pgbouncer.service.metadata));
    let port = led_to(port(PORT_PGBOUNCER, pgbouncer.port), cluster.pgbouncer_container_port());
    Service {
        metadata: object_meta(cluster, cluster.pgbouncer_name(), &metadata, pgbouncer_labels()),
        spec: Some(ServiceSpec {
            selector: Some(selector_labels(cluster, pgbouncer_labels())),
            ..exposed(&pgbouncer.service, port)
        }),
        ..Service::default()
    }
}

fn postgres_port(cluster: &Cluster) -> ServicePort {
    port(PORT_POSTGRES, cluster.port)
}

/// A port of a Service without a selector. Its target is the port with this name in the Endpoints.
fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number.into(),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}

/// `port`, with the container port of this name as its target. A pod without such a port gets no connections.
fn led_to(port: ServicePort, container_port: String) -> ServicePort {
    ServicePort { target_port: Some(IntOrString::String(container_port)), ..port }
}

fn headless() -> ServiceSpec {
    ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        internal_traffic_policy: Some("Cluster".to_owned()),
        session_affinity: Some("None".to_owned()),
        type_: Some("ClusterIP".to_owned()),
        ..ServiceSpec::default()
    }
}

/// A Service with a cluster IP, a node port or a load balancer, as the user's settings say.
fn exposed(settings: &ServiceSettings, port: ServicePort) -> ServiceSpec {
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
