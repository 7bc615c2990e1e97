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
        context.error(path.key("type"), "is not a type of Service: write `ClusterIP`, `NodePort` or `LoadBalancer`");
        ServiceKind::ClusterIp
    });
    let cluster_ip = kind == ServiceKind::ClusterIp;
    if let Some(port) = spec.node_port {
        let at = path.key("nodePort");
        if cluster_ip {
            context.error(at, "a node port needs a Service that has one: set `type` to `NodePort` or `LoadBalancer`");
        } else if !(1..=65535).contains(&port) {
            context.error(at, format!("`{port}` is not a port: it is between 1 and 65535, mostly 30000 and 32767"));
        }
    }
    if cluster_ip && spec.external_traffic_policy.is_some() {
        let message = "only a Service that is reached from outside has a policy for it: set `type` to `NodePort` or \
                       `LoadBalancer`, or leave this out";
        context.error(path.key("externalTrafficPolicy"), message);
    }
    let families = &spec.ip_families;
    if families.len() > 2 || (families.len() == 2 && families[0] == families[1]) {
        context.error(path.key("ipFamilies"), "at most one of each, `IPv4` and `IPv6`");
    } else if families.len() == 2 && spec.ip_family_policy.as_deref() == Some("SingleStack") {
        context.error(path.key("ipFamilies"), "`SingleStack` takes one family");
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
