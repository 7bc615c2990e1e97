//! The pipelines for metrics. The exporter and Patroni measure; the collector fetches the metrics from both, in the same pod.

use serde_json::{Value, json};

use super::model::Collector;
use super::parts::{Parts, literal, resource_attributes};
use crate::naming::EXPORTER_PORT;
use crate::postgres_cluster::cluster::Cluster;

/// How often metrics are fetched. The queries of the exporter take up to 50 ms.
const INTERVAL: &str = "10s";

/// The processors of all metrics.
pub(crate) const PROCESSORS: [&str; 3] = ["resource/metrics", "batch/metrics", "groupbyattrs/compact"];

/// Adds the processors, and the pipelines if metrics are sent.
pub(crate) fn add(parts: &mut Parts, cluster: &Cluster, collector: &Collector) {
    let encrypted = cluster.exporter.as_ref().is_some_and(|exporter| exporter.custom_tls_secret.is_some());
    let attributes = [("k8s.namespace.name", "${env:K8S_POD_NAMESPACE}"), ("k8s.pod.name", "${env:K8S_POD_NAME}")];
    let attributes = attributes.map(|(key, value)| (key, value.to_owned()));
    parts.processors.insert("resource/metrics".to_owned(), resource_attributes(attributes));
    parts.processors.insert("batch/metrics".to_owned(), json!({"timeout": "200ms"}));
    if collector.metric_exporters.is_empty() {
        return;
    }
    for (name, port, encrypted) in [("postgres", EXPORTER_PORT, encrypted), ("patroni", cluster.patroni.port, true)] {
        let receiver = format!("prometheus/{name}");
        let scrape = scrape(name, port, encrypted, collector);
        parts.receivers.insert(receiver.clone(), json!({"config": {"scrape_configs": [scrape]}}));
        parts.pipelines.insert(
            format!("metrics/{name}"),
            json!({
                "exporters": collector.metric_exporters,
                "processors": PROCESSORS,
                "receivers": [receiver],
            }),
        );
    }
}

fn scrape(name: &str, port: u16, encrypted: bool, collector: &Collector) -> Value {
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
    let mut dropped = Vec::new();
    if !collector.removed_metrics.is_empty() {
        let names = collector.removed_metrics.join("|");
        dropped.push(json!({"action": "drop", "regex": names, "source_labels": ["__name__"]}));
    }
    if name == "postgres" && !collector.queries.tables_of.is_empty() {
        // The collector measures all tables of these databases, and the exporter some of them.
        let databases: Vec<_> = collector.queries.tables_of.iter().map(|name| pattern(name)).collect();
        let tables = literal(&format!("ccp_stat_user_tables_.*;({})", databases.join("|")));
        dropped.push(json!({"action": "drop", "regex": tables, "source_labels": ["__name__", "dbname"]}));
    }
    if !dropped.is_empty() {
        scrape["metric_relabel_configs"] = json!(dropped);
    }
    scrape
}

/// A regular expression for exactly this text (RE2, "Syntax").
fn pattern(text: &str) -> String {
    let escaped = |character: char| {
        let escape = character.is_ascii_punctuation().then_some('\\');
        escape.into_iter().chain([character])
    };
    text.chars().flat_map(escaped).collect()
}
