//! The receivers of the queries that the collector runs itself. Each is a configuration file of its own, beside the common one, so
//! that queries which the collector refuses do not keep it from sending the rest (`collector.sh`).

use serde_json::{Map, Value, json};

use super::configuration::DIRECTORY;
use super::metrics::PROCESSORS;
use super::model::Collector;
use super::parts::literal;
use super::tables;
use crate::naming::{COLLECTOR_PORT, MONITORING_USER};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::configuration_file::HEADER;

/// The exporter for Prometheus.
pub(crate) const PROMETHEUS: &str = "prometheus/otel-metrics";

/// The directory of the configurations of receivers, beside the common configuration.
pub(crate) const RECEIVERS: &str = "receivers";

/// The directory of the user's files.
pub(crate) const QUERIES: &str = "queries";

/// The file of the queries about tables.
pub(crate) const TABLES: &str = "tables.yaml";

/// How often tables are measured, as in PGO.
const TABLES_INTERVAL: &str = "5m";

/// What queries about tables run with: no other schema can replace a function or an operator that they use (PostgreSQL, "Client
/// Connection Defaults", `search_path`).
const TABLES_OPTIONS: &str = "-c search_path=pg_catalog,pg_temp";

/// A file for the collector.
pub(crate) struct File {
    /// Its key in a ConfigMap.
    pub(crate) key: String,
    /// Where the collector finds it, in its directory.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// Returns the files in instances.
pub(crate) fn files(cluster: &Cluster, collector: &Collector) -> Vec<File> {
    let mut files: Vec<_> = collector
        .queries
        .custom
        .iter()
        .map(|queries| {
            let name = format!("custom-{}", queries.name);
            let source = format!("{QUERIES}/{}/{}", queries.name, queries.key);
            let interval = format!("{}ms", queries.milliseconds);
            let receiver = |database: &String| receiver(cluster, database, "", &interval, &source);
            configuration(&name, collector, queries.databases.iter().map(receiver))
        })
        .collect();
    let queries = tables::queries(&collector.removed_metrics, &format!("localhost:{}", cluster.port));
    if let Some(queries) = queries.filter(|_| !collector.queries.tables_of.is_empty()) {
        let receiver = |database: &String| receiver(cluster, database, TABLES_OPTIONS, TABLES_INTERVAL, TABLES);
        files.push(configuration("tables", collector, collector.queries.tables_of.iter().map(receiver)));
        files.push(File { key: format!("collector-{TABLES}"), path: TABLES.to_owned(), text: text(&queries) });
    }
    files
}

/// A receiver of the queries in `source`. The password is in the file that `PGPASSFILE` names, so it is not here. The connection does
/// not leave the pod, and `localhost` is in no certificate.
fn receiver(cluster: &Cluster, database: &str, options: &str, interval: &str, source: &str) -> Value {
    let port = cluster.port;
    let mut place =
        format!("host=localhost port={port} user={MONITORING_USER} dbname={} sslmode=require", quoted(database));
    if !options.is_empty() {
        place = format!("{place} options={}", quoted(options));
    }
    json!({
        "collection_interval": interval,
        "datasource": literal(&place),
        "driver": "postgres",
        // Postgres may start at the same time.
        "initial_delay": "15s",
        "queries": format!("${{file:{DIRECTORY}/{source}}}"),
    })
}

/// A value in a connection string (PostgreSQL, "Keyword/Value Connection Strings").
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// The configuration of these receivers. The names of databases may contain what the name of a receiver may not.
fn configuration(name: &str, collector: &Collector, receivers: impl Iterator<Item = Value>) -> File {
    let receivers: Map<_, _> =
        receivers.enumerate().map(|(index, receiver)| (format!("sqlquery/{name}/{index}"), receiver)).collect();
    let exporters: Vec<_> =
        [PROMETHEUS].into_iter().chain(collector.metric_exporters.iter().map(String::as_str)).collect();
    let pipeline = json!({
        "exporters": exporters,
        "processors": PROCESSORS,
        "receivers": receivers.keys().collect::<Vec<_>>(),
    });
    let configuration = json!({
        "exporters": {PROMETHEUS: {"endpoint": format!(":{COLLECTOR_PORT}")}},
        "receivers": receivers,
        "service": {"pipelines": {format!("metrics/{name}"): pipeline}},
    });
    File {
        key: format!("collector-{name}-receiver.yaml"),
        path: format!("{RECEIVERS}/{name}.yaml"),
        text: text(&configuration),
    }
}

fn text(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    format!("{HEADER}{}", crate::write::yaml::to_string(&value))
}
