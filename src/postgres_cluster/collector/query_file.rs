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

/// The keys whose values are texts. The collector converts nothing ("Configuration", `confmap`, strict types).
const TEXTS: [&str; 6] =
    ["description", "start_ts_column", "tracking_column", "tracking_start_value", "ts_column", "unit"];

/// What is wrong with a file, and in which of its lines.
type Fault = (usize, String);

/// Checks the files of `cluster` whose ConfigMap is among `sources`. The cost of reading each file is added to `work` before, because a
/// short spec can name a long file many times. Messages about the spec have a field, those about a file its position.
pub(crate) fn check(cluster: &Cluster, sources: &Sources, work: &mut Work) -> Vec<Diagnostic> {
    let Some(collector) = &cluster.collector else { return Vec::new() };
    let files = collector.queries.custom.iter();
    let removed = &collector.removed_metrics;
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
        let told = |(line, fault): Fault, severity: fn(String) -> Diagnostic| {
            let message = format!("in the collector's file of queries `{key}`, line {line}: {fault}");
            let source = object::reference(&document.node);
            severity(message).of(source).located(&document.file, value.position)
        };
        match read::documents("", text) {
            Ok(documents) => {
                found.extend(faults(text, &documents).into_iter().map(|fault| told(fault, Diagnostic::error)));
                found.extend(notes(&documents, removed).into_iter().map(|note| told(note, Diagnostic::warning)));
            }
            Err(errors) => found.extend(errors.into_iter().map(|error| {
                let line = error.location.as_ref().map_or(1, |location| location.position.line);
                told((line, error.message), Diagnostic::error)
            })),
        }
    }
    found
}

/// What the collector refuses, or what would not be measured.
fn faults(text: &str, documents: &[Document]) -> Vec<Fault> {
    let no_list = "write a list of queries, each with `sql` and `metrics`";
    let (node, more) = match documents {
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
        for message in types(query, "ignore_null_values") {
            fault(query, message);
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
    if let Some(columns) = metric.get("attribute_columns") {
        if !matches!(columns.value, NodeValue::Sequence(_)) {
            faults.push("`attribute_columns` must be a list of columns".to_owned());
        } else if !columns.items().iter().all(is_text) {
            faults
                .push("each of the `attribute_columns` must be the name of a column, in quotes if need be".to_owned());
        }
    }
    if let Some(attributes) = metric.get("static_attributes") {
        let are_texts = attributes.entries().iter().all(|entry| is_text(&entry.value));
        if !matches!(attributes.value, NodeValue::Mapping(_)) || !are_texts {
            faults.push(
                "`static_attributes` must be a mapping of texts: write numbers and the like in quotes".to_owned(),
            );
        }
    }
    faults.extend(types(metric, "monotonic"));
    faults
}

/// What is wrong with the values of a query or a metric that are texts, and with its boolean.
fn types(node: &Node, boolean: &str) -> Vec<String> {
    let texts = TEXTS.into_iter().filter(|key| node.get(key).is_some_and(|value| !is_text(value)));
    let mut faults: Vec<_> = texts.map(|key| format!("`{key}` must be a text: write it in quotes")).collect();
    let is_boolean = |value: &Node| matches!(value.value, NodeValue::Bool { .. }) && !is_text(value);
    if node.get(boolean).is_some_and(|value| !is_boolean(value)) {
        faults.push(format!("`{boolean}` must be `true` or `false`"));
    }
    faults
}

/// What the collector may refuse, because it depends on its version, and what has no effect.
fn notes(documents: &[Document], removed: &[String]) -> Vec<Fault> {
    let mut notes = Vec::new();
    for query in documents.iter().flat_map(|document| document.node.items()) {
        notes.extend(unknown(query, &QUERY));
        for metric in query.get("metrics").map(Node::items).unwrap_or_default() {
            notes.extend(unknown(metric, &METRIC));
            let Some(name) = metric
                .get("metric_name")
                .filter(|name| name.as_str().is_some_and(|name| removed.iter().any(|removed| removed == name)))
            else {
                continue;
            };
            let message =
                "`customQueries.remove` has no effect on a metric of your own queries: delete it here".to_owned();
            notes.push((name.position.line, message));
        }
    }
    notes
}

fn has_text(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|value| is_text(value) && value.as_str().is_none_or(|text| !text.trim().is_empty()))
}

/// Whether a value is a text for the collector. It reads YAML 1.2, in which `n`, `off` and so on are texts.
fn is_text(value: &Node) -> bool {
    match &value.value {
        NodeValue::Bool { plain, .. } => !["true", "false"].contains(&plain.to_ascii_lowercase().as_str()),
        _ => value.as_str().is_some(),
    }
}

/// Whether a text refers to a variable or a file, which the collector would read. `$$` stands for `$`.
fn refers(text: &str) -> bool {
    text.replace("$$", "").contains("${")
}

/// The first key that is probably a misspelling.
fn misspelt<'a>(node: &'a Node, known: &[&str]) -> Option<(&'a Node, String)> {
    node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())).find_map(
        |Entry { key, value, .. }| {
            let meant = words::nearest(key, known.iter().copied())?;
            Some((value, format!("`{key}` is not a key of a query: did you mean `{meant}`?")))
        },
    )
}

/// The keys that are no misspelling. They may be those of a later version of the collector.
fn unknown(node: &Node, known: &[&str]) -> impl Iterator<Item = Fault> {
    let unknown = node.entries().iter().filter(|entry| {
        !known.contains(&entry.key.as_str()) && words::nearest(&entry.key, known.iter().copied()).is_none()
    });
    unknown.map(|Entry { key, key_position, .. }| {
        let message = format!(
            "{} is not a key of a query of the collector 0.158, which refuses the file: remove it, unless your version is \
             another one",
            words::quote(key)
        );
        (key_position.line, message)
    })
}
