//! The configuration of the collector in each kind of pod (PGO's `internal/collector`).

use serde_json::{Map, Value, json};

use super::logs::{self, Source};
use super::metrics;
use super::model::Collector;
use super::parts::{OUTPUT, Parts};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::configuration_file::HEADER;
use crate::postgres_cluster::pgbackrest;
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::pgbouncer;
use crate::postgres_cluster::pgbouncer::model::PgBouncer;

/// The key of the ConfigMaps with the configuration.
pub const KEY: &str = "collector.yaml";

/// The directory of the configuration and of the queries. The user's files are not there, because they could replace them.
pub const DIRECTORY: &str = "/etc/pgrender-collector";

/// The directory of the user's files, as in PGO.
pub const FILES_DIRECTORY: &str = "/etc/otel-collector";

/// Where the collector remembers what it has read.
pub const STATE_DIRECTORY: &str = "/var/lib/otelcol";

/// Returns the configuration in instances: all logs of an instance, and its metrics.
pub fn instance(cluster: &Cluster, collector: &Collector) -> String {
    let mut sources = vec![Source::postgres(cluster), Source::patroni()];
    if cluster.backups.is_some() {
        sources.push(Source::pgbackrest(&pgbackrest::configuration::instance_log_directory(cluster)));
    }
    let mut parts = parts(collector, &sources);
    if !collector.metric_exporters.is_empty() || !collector.queries.is_empty() {
        metrics::add(&mut parts, cluster, collector);
    }
    text(parts)
}

/// Returns the configuration in the repo host.
pub fn repo_host(backups: &Backups, collector: &Collector) -> Option<String> {
    let directory = pgbackrest::configuration::repo_host_log_directory(backups)?;
    Some(text(parts(collector, &[Source::pgbackrest(&directory)])))
}

/// Returns the configuration in the pods of pgBouncer.
pub fn pgbouncer(pgbouncer: &PgBouncer, collector: &Collector) -> String {
    text(parts(collector, &[Source::pgbouncer(pgbouncer::configuration::log_file(pgbouncer))]))
}

fn parts(collector: &Collector, sources: &[Source]) -> Parts {
    let mut parts = Parts {
        receivers: Map::new(),
        processors: processors(collector),
        exporters: Map::from_iter([(OUTPUT.to_owned(), json!({"verbosity": "detailed"}))]),
        pipelines: Map::new(),
    };
    parts.exporters.extend(collector.exporters.clone());
    for source in sources {
        logs::add(&mut parts, source, collector);
    }
    parts
}

fn processors(collector: &Collector) -> Map<String, Value> {
    let batches = collector.batches;
    let mut logs = json!({"send_batch_size": batches.least, "timeout": format!("{}ms", batches.delay)});
    if let Some(most) = batches.most {
        logs["send_batch_max_size"] = json!(most);
    }
    // Records of a batch that have the same resource are sent with one copy of it.
    let mut processors =
        Map::from_iter([("batch/logs".to_owned(), logs), ("groupbyattrs/compact".to_owned(), json!({}))]);
    if !collector.detectors.is_empty() {
        let names: Vec<_> = collector.detectors.iter().map(|(name, _)| name).collect();
        let mut detection = json!({"detectors": names, "override": false, "timeout": "30s"});
        for (name, attributes) in collector.detectors.iter().filter(|(_, attributes)| !attributes.is_empty()) {
            let enabled = attributes.iter().map(|(name, enabled)| (name.clone(), json!({"enabled": enabled})));
            detection[name] = json!({"resource_attributes": enabled.collect::<Map<_, _>>()});
        }
        processors.insert("resourcedetection".to_owned(), detection);
    }
    processors
}

fn text(parts: Parts) -> String {
    let Parts { receivers, processors, exporters, pipelines } = parts;
    let mut configuration = json!({
        "exporters": exporters,
        "extensions": {"file_storage": {"directory": STATE_DIRECTORY, "fsync": true}},
        "processors": processors,
        "receivers": receivers,
        "service": {
            "extensions": ["file_storage"],
            "pipelines": pipelines,
            // Its own metrics would need a port.
            "telemetry": {"metrics": {"level": "none"}},
        },
    });
    configuration.sort_all_objects();
    format!("{HEADER}{}", crate::write::yaml::to_string(&configuration))
}
