//! The Services that lead to instances (PGO's `internal/controller/postgrescluster/cluster.go` and `patroni.go`).

use crate::kubernetes::{Service, ServicePort, ServiceSpec};
use crate::naming::{PORT_POSTGRES, label, labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::metadata::{object_meta, selector_labels};
use crate::postgres_cluster::objects::services::{exposed, headless, led_to, port};

/// `<cluster>-pods` gives every pod of a StatefulSet a DNS name, even if the pod is not ready.
pub(crate) fn pods(cluster: &Cluster) -> Service {
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
pub(crate) fn leader(cluster: &Cluster) -> Service {
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
pub(crate) fn patroni_configuration(cluster: &Cluster) -> Service {
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
pub(crate) fn primary(cluster: &Cluster) -> Service {
    let labels = labels([(label::ROLE, "primary")]);
    Service {
        metadata: object_meta(cluster, cluster.primary_service(), &cluster.metadata, labels),
        spec: Some(ServiceSpec { ports: Some(vec![postgres_port(cluster)]), ..headless() }),
        ..Service::default()
    }
}

/// `<cluster>-replicas`: the ready replicas, by the label that Patroni gives them.
pub(crate) fn replicas(cluster: &Cluster) -> Service {
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

fn postgres_port(cluster: &Cluster) -> ServicePort {
    port(PORT_POSTGRES, cluster.port)
}
