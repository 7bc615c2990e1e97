//! Resolves `spec.service`, `spec.replicaService` and `spec.proxy.pgBouncer.service`.

use crate::diagnostic::FieldPath;
use crate::postgres_cluster::cluster::{ServiceKind, ServiceSettings};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::metadata;
use crate::postgres_cluster::spec::ServiceSpec;

/// Returns the settings of one Service. What the API server would refuse is an error here.
pub(crate) fn resolve(spec: Option<&ServiceSpec>, path: &FieldPath, context: &mut Context) -> ServiceSettings {
    let Some(spec) = spec else { return ServiceSettings::default() };
    let kind = ServiceKind::ALL.into_iter().find(|kind| kind.as_str() == spec.type_).unwrap_or_else(|| {
        context.error(
            path.key("type"),
            "is not a valid type of a Service: write `ClusterIP`, `NodePort` or `LoadBalancer`",
        );
        ServiceKind::ClusterIp
    });
    let cluster_ip = kind == ServiceKind::ClusterIp;
    if let Some(port) = spec.node_port {
        let at = path.key("nodePort");
        if cluster_ip {
            context.error(
                at,
                "a Service of type `ClusterIP` has no node port: set `type` to `NodePort` or `LoadBalancer`, or \
                 remove it",
            );
        } else if !(1..=65535).contains(&port) {
            context.error(
                at,
                format!("`{port}` is not a valid port: write a number from 1 to 65535, usually from 30000 to 32767"),
            );
        }
    }
    if cluster_ip && spec.external_traffic_policy.is_some() {
        let message = "a Service of type `ClusterIP` has no policy for external traffic: set `type` to `NodePort` or \
                       `LoadBalancer`, or remove it";
        context.error(path.key("externalTrafficPolicy"), message);
    }
    let families = &spec.ip_families;
    if families.len() > 2 || (families.len() == 2 && families[0] == families[1]) {
        context.error(path.key("ipFamilies"), "must have `IPv4` and `IPv6` at most once each");
    } else if families.len() == 2 && spec.ip_family_policy.as_deref() == Some("SingleStack") {
        context.error(path.key("ipFamilies"), "`SingleStack` allows only one IP family: remove one of them");
    }
    ServiceSettings {
        metadata: metadata::resolve(spec.metadata.as_ref(), &path.key("metadata"), context),
        kind,
        node_port: spec.node_port,
        external_traffic_policy: spec.external_traffic_policy.clone(),
        internal_traffic_policy: spec.internal_traffic_policy.clone(),
        ip_family_policy: spec.ip_family_policy.clone(),
        ip_families: spec.ip_families.clone(),
    }
}
