//! The pipelines for metrics. The exporter and Patroni measure; the collector fetches the metrics from both, in the same pod.

use serde_json::{Value, json};

use super::model::Collector;
use super::parts::{Parts, resource_attributes};
use crate::naming::EXPORTER_PORT;
use crate::postgres_cluster::cluster::Cluster;

/// How often metrics are fetched. The queries of the exporter take up to 50 ms.
const INTERVAL: &str = "10s";

/// Adds the pipelines.
pub(crate) fn add(parts: &mut Parts, cluster: &Cluster, collector: &Collector) {
    let encrypted = cluster.exporter.as_ref().is_some_and(|exporter| exporter.custom_tls_secret.is_some());
    let attributes = [("k8s.namespace.name", "${env:K8S_POD_NAMESPACE}"), ("k8s.pod.name", "${env:K8S_POD_NAME}")];
    let attributes = attributes.map(|(key, value)| (key, value.to_owned()));
    parts.processors.insert("resource/metrics".to_owned(), resource_attributes(attributes));
    parts.processors.insert("batch/metrics".to_owned(), json!({"timeout": "200ms"}));
    for (name, port, encrypted) in [("postgres", EXPORTER_PORT, encrypted), ("patroni", cluster.patroni.port, true)] {
        let receiver = format!("prometheus/{name}");
        let scrape = scrape(name, port, encrypted, &collector.removed_metrics);
        parts.receivers.insert(receiver.clone(), json!({"config": {"scrape_configs": [scrape]}}));
        parts.pipelines.insert(
            format!("metrics/{name}"),
            json!({
                "exporters": collector.metric_exporters,
                "processors": ["resource/metrics", "batch/metrics", "groupbyattrs/compact"],
                "receivers": [receiver],
            }),
        );
    }
}

fn scrape(name: &str, port: u16, encrypted: bool, removed: &[String]) -> Value {
    let mut scrape = json!({
        "job_name": name,
        "scrape_interval": INTERVAL,
        "scrape_timeout": INTERVAL,
        "static_configs": [{"targets": [format!("localhost:{port}")]}],
    });
    if encrypted {
        scrape["scheme"] = json!("https");
        // The connection does not leave the pod, and `localhost` is in no certificate.
        scrape["tls_config"] = json!({"insecure_skip_verify": true});
    }
    if !removed.is_empty() {
        let drop = json!({"action": "drop", "regex": removed.join("|"), "source_labels": ["__name__"]});
        scrape["metric_relabel_configs"] = json!([drop]);
    }
    scrape
}
