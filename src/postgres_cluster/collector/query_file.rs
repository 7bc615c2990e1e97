//! Checks the user's files of queries for the collector that are in the input. They are lists of queries in the format of its
//! `sqlquery` receiver (opentelemetry-collector-contrib, `receiver/sqlqueryreceiver`).

use super::model::CustomQueries;
use crate::diagnostic::{Diagnostic, FieldPath, words};
use crate::kind::Work;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::exporter::mounted::Sources;
use crate::postgres_cluster::work::of_queries;
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::{self, Document, object};

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

/// What is wrong with a file, and in which of its lines.
type Fault = (usize, String);

/// Checks the files of `cluster` whose ConfigMap is among `sources`. The cost of reading each file is added to `work` before, because a
/// short spec can name a long file many times. Messages about the spec have a field, those about a file its position.
pub(crate) fn check(cluster: &Cluster, sources: &Sources, work: &mut Work) -> Vec<Diagnostic> {
    let files = cluster.collector.iter().flat_map(|collector| &collector.queries.custom);
    let path = FieldPath::of("spec.instrumentation.metrics.customQueries.add");
    let mut found = Vec::new();
    for (index, CustomQueries { config_map, key, .. }) in files.enumerate() {
        let Some(document) = sources.get("ConfigMap", config_map, &cluster.namespace) else { continue };
        let value = |field: &str| document.node.get(field).and_then(|data| data.get(key));
        let Some(value) = value("data") else {
            if value("binaryData").is_none() {
                let message =
                    format!("the ConfigMap `{config_map}` in the input has no key `{key}`: correct one of them");
                found.push(Diagnostic::error(message).at(path.index(index).key("queries").key("key")));
            }
            continue;
        };
        let Some(text) = value.as_str() else { continue };
        work.add(of_queries(text.len()));
        if !work.is_allowed() {
            break;
        }
        for (line, fault) in faults(text) {
            let message = format!("in the collector's file of queries `{key}`, line {line}: {fault}");
            let source = object::reference(&document.node);
            found.push(Diagnostic::error(message).of(source).located(&document.file, value.position));
        }
    }
    found
}

fn faults(text: &str) -> Vec<Fault> {
    let documents = match read::documents("", text) {
        Ok(documents) => documents,
        Err(errors) => {
            let line = |error: &Diagnostic| error.location.as_ref().map_or(1, |location| location.position.line);
            return errors.into_iter().map(|error| (line(&error), error.message)).collect();
        }
    };
    let no_list = "write a list of queries, each with `sql` and `metrics`";
    let (node, more) = match documents.as_slice() {
        [] => return vec![(1, no_list.to_owned())],
        [first, more @ ..] => (&first.node, more),
    };
    let second = |document: &Document| {
        (document.node.position.line, "begins a second document: write all queries in one".to_owned())
    };
    let mut faults: Vec<_> = more.iter().map(second).collect();
    let references = text.lines().enumerate().filter(|(_, line)| refers(line));
    faults.extend(references.map(|(index, _)| {
        let message = "the collector would replace `${` by a variable or a file of its container: write `$${`";
        (index + 1, message.to_owned())
    }));
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
            fault(
                query,
                "the query has no `metrics`: write a list of metrics, each with `metric_name` and `value_column`"
                    .to_owned(),
            );
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
    let Some(value) = node.get(key) else { return false };
    match &value.value {
        // The collector reads YAML 1.2, in which `n`, `off` and so on are texts.
        NodeValue::Bool { plain, .. } => !["true", "false"].contains(&plain.to_ascii_lowercase().as_str()),
        _ => value.as_str().is_some_and(|text| !text.trim().is_empty()),
    }
}

/// Whether a text refers to a variable or a file, which the collector would read. `$$` stands for `$`.
fn refers(text: &str) -> bool {
    text.replace("$$", "").contains("${")
}

/// The first key that is probably a misspelling. Other keys may be those of a later version of the collector.
fn misspelt<'a>(node: &'a Node, known: &[&str]) -> Option<(&'a Node, String)> {
    node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())).find_map(
        |Entry { key, value, .. }| {
            let meant = words::nearest(key, known.iter().copied())?;
            Some((value, format!("`{key}` is not a key of a query: did you mean `{meant}`?")))
        },
    )
}
