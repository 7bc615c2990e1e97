//! Checks the user's files of queries for the collector that are in the input. They are lists of queries in the format of its
//! `sqlquery` receiver (opentelemetry-collector-contrib, `receiver/sqlqueryreceiver`).

use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef, words};
use crate::kind::Work;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::query_files::{Check, Fault, Source, Sources, parse};
use crate::read::node::{Entry, Node, NodeValue};

/// The keys of a query.
const QUERY: [&str; 6] = ["ignore_null_values", "logs", "metrics", "sql", "tracking_column", "tracking_start_value"];

/// The keys of a metric.
const METRIC: [&str; 12] = [
    "aggregation",
    "attribute_columns",
    "data_type",
    "description",
    "metric_name",
    "monotonic",
    "start_ts_column",
    "static_attributes",
    "ts_column",
    "unit",
    "value_column",
    "value_type",
];

/// The keys of a metric with few values, and these.
const VALUES: [(&str, [&str; 2]); 3] =
    [("aggregation", ["cumulative", "delta"]), ("data_type", ["gauge", "sum"]), ("value_type", ["int", "double"])];

/// Checks the files of `cluster` whose ConfigMap is among `sources`.
pub(crate) fn check(
    cluster: &Cluster,
    reference: &ResourceRef,
    sources: &Sources,
    work: &mut Work,
) -> Vec<Diagnostic> {
    let files = cluster.collector.iter().flat_map(|collector| &collector.queries.custom);
    let mut check = Check { program: "the collector", cluster: reference, work, diagnostics: Vec::new() };
    let path = FieldPath::of("spec.instrumentation.metrics.customQueries.add");
    for (index, queries) in files.enumerate() {
        let field = path.index(index).key("queries").key("key");
        let keys = Some(vec![(queries.key.as_str(), field)]);
        check.files(sources, &Source { kind: "ConfigMap", name: &queries.config_map, keys }, faults);
    }
    check.diagnostics
}

fn faults(file: &str, text: &str) -> Vec<Fault> {
    let (node, mut faults) = parse(file, text, false);
    let no_list = "write a list of queries, each with `sql` and `metrics`";
    let Some(node) = node else {
        // An empty file has no document.
        return if faults.is_empty() { vec![(1, no_list.to_owned())] } else { faults };
    };
    if node.items().is_empty() {
        faults.push((node.position.line, no_list.to_owned()));
    }
    for query in node.items() {
        let mut fault = |node: &Node, message: String| faults.push((node.position.line, message));
        if !matches!(query.value, NodeValue::Mapping(_)) {
            fault(query, "each query is a mapping with `sql` and `metrics`".to_owned());
            continue;
        }
        if let Some((key, message)) = misspelt(query, &QUERY) {
            fault(key, message);
        }
        if !has_text(query, "sql") {
            fault(query, "the query has no `sql`: write the statement there".to_owned());
        }
        let metrics = query.get("metrics").map(Node::items).unwrap_or_default();
        if metrics.is_empty() {
            fault(query, "the query has no `metrics`: write a list of metrics, each with `metric_name` and `value_column`".to_owned());
        }
        for metric in metrics {
            for message in metric_faults(metric) {
                fault(metric, message);
            }
        }
    }
    faults
}

/// What is wrong with an element of `metrics`.
fn metric_faults(metric: &Node) -> Vec<String> {
    let mut faults = Vec::new();
    for key in ["metric_name", "value_column"] {
        if !has_text(metric, key) {
            faults.push(format!("the metric has no `{key}`"));
        }
    }
    faults.extend(misspelt(metric, &METRIC).map(|(_, message)| message));
    for (key, values) in VALUES {
        if metric.get(key).is_some_and(|value| value.as_str().is_none_or(|text| !values.contains(&text))) {
            faults.push(format!("`{key}` must be one of {}", words::list(values)));
        }
    }
    if metric.get("data_type").and_then(Node::as_str) == Some("gauge") && metric.get("aggregation").is_some() {
        faults.push("a gauge has no `aggregation`: remove it, or write `data_type: sum`".to_owned());
    }
    if metric.get("attribute_columns").is_some_and(|columns| !matches!(columns.value, NodeValue::Sequence(_))) {
        faults.push("`attribute_columns` must be a list of columns".to_owned());
    }
    if metric.get("monotonic").is_some_and(|value| !matches!(value.value, NodeValue::Bool { .. })) {
        faults.push("`monotonic` must be `true` or `false`".to_owned());
    }
    faults
}

fn has_text(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_str).is_some_and(|text| !text.trim().is_empty())
}

/// The first key that is probably a misspelling. Other keys may be those of a later version of the collector.
fn misspelt<'a>(node: &'a Node, known: &[&str]) -> Option<(&'a Node, String)> {
    node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())).find_map(|Entry { key, value, .. }| {
        let meant = words::nearest(key, known.iter().copied())?;
        Some((value, format!("`{key}` is not a key of a query: did you mean `{meant}`?")))
    })
}
