//! The PodMonitor, with which Prometheus Operator makes Prometheus scrape the exporter of every instance.

use super::model::Exporter;
use crate::kubernetes::custom_resource::CustomResource;
use crate::kubernetes::prometheus_operator::{PodMetricsEndpoint, PodMonitorSpec, Relabeling, TlsConfig};
use crate::naming::{PORT_COLLECTOR, PORT_EXPORTER, label, labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::metadata::{object_meta, selector};

/// The version of the API of Prometheus Operator.
pub(crate) const API_VERSION: &str = "monitoring.coreos.com/v1";

/// Labels of time series that come from the pod: their name, and Prometheus' name for the source (Prometheus, "Configuration",
/// `kubernetes_sd_config`). They are those of Crunchy's example for Prometheus, which pgMonitor's dashboards expect.
const OF_POD: [(&str, &str); 5] = [
    ("kubernetes_namespace", "__meta_kubernetes_namespace"),
    ("pod", "__meta_kubernetes_pod_name"),
    ("ip", "__meta_kubernetes_pod_ip"),
    ("deployment", "__meta_kubernetes_pod_label_postgres_operator_crunchydata_com_instance"),
    ("role", "__meta_kubernetes_pod_label_postgres_operator_crunchydata_com_role"),
];

/// Labels with the namespace and the name of the cluster, `<namespace>:<cluster>`. Their value is written here, because an instance
/// can change the labels of its own pod.
const OF_CLUSTER: [&str; 2] = ["pg_cluster", "cluster_name"];

/// `<cluster>-exporter`.
pub(crate) fn pod_monitor(cluster: &Cluster, exporter: &Exporter) -> CustomResource<PodMonitorSpec> {
    let metadata =
        object_meta(cluster, cluster.exporter_name(), &cluster.metadata, labels([(label::ROLE, "monitoring")]));
    let of_pod = OF_POD.map(|(target_label, source)| Relabeling {
        action: "replace",
        replacement: None,
        source_labels: vec![source],
        target_label,
    });
    let of_cluster = OF_CLUSTER.map(|target_label| Relabeling {
        action: "replace",
        replacement: Some(series_label(cluster)),
        source_labels: Vec::new(),
        target_label,
    });
    let tls = exporter.custom_tls_secret.is_some();
    let mut endpoints = vec![PodMetricsEndpoint {
        metric_relabelings: Vec::new(),
        port: PORT_EXPORTER,
        relabelings: of_pod.iter().chain(&of_cluster).cloned().collect(),
        scheme: tls.then_some("https"),
        // Prometheus connects to the address of the pod, and only the user knows which names and which CA the certificate has.
        tls_config: tls.then_some(TlsConfig { insecure_skip_verify: true }),
    }];
    if cluster.collector_runs_queries() {
        endpoints.push(PodMetricsEndpoint {
            // These do not affect `up` (Prometheus, "Configuration", `metric_relabel_configs`), so alerts find only that of the exporter.
            metric_relabelings: of_cluster.to_vec(),
            port: PORT_COLLECTOR,
            relabelings: of_pod.to_vec(),
            scheme: None,
            tls_config: None,
        });
    }
    let selector = selector(cluster, labels([(label::EXPORTER, "true")]));
    let spec = PodMonitorSpec { pod_metrics_endpoints: endpoints, selector };
    CustomResource { api_version: API_VERSION, kind: "PodMonitor", metadata, spec }
}

/// The value of the label `pg_cluster` of the cluster's time series.
pub(crate) fn series_label(cluster: &Cluster) -> String {
    format!("{}:{}", cluster.namespace, cluster.name)
}
