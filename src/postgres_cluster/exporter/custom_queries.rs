//! Checks the user's files of queries that are in the input.
//!
//! `postgres_exporter` joins them into one YAML document, and if that is not right, it logs an error and serves none of the queries
//! (`cmd/postgres_exporter/queries.go` of prometheus-community/postgres_exporter).

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, FieldPath, Position, ResourceRef};
use crate::kind::Work;
use crate::kubernetes::KeyToPath;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::query_files::{Check, Fault, Source, Sources, parse};
use crate::read::node::{Entry, Node, NodeValue};

/// What a column can be (`columnMapping` in `cmd/postgres_exporter/postgres_exporter.go`).
const USAGES: [&str; 7] = ["COUNTER", "DISCARD", "DURATION", "GAUGE", "HISTOGRAM", "LABEL", "MAPPEDMETRIC"];

/// Checks the files of `cluster` whose ConfigMap or Secret is among `sources`.
pub(crate) fn check(
    cluster: &Cluster,
    reference: &ResourceRef,
    sources: &Sources,
    work: &mut Work,
) -> Vec<Diagnostic> {
    let projections = cluster.exporter.iter().flat_map(|exporter| exporter.configuration.iter().flatten());
    let mut check = Check { program: "the exporter", cluster: reference, work, diagnostics: Vec::new() };
    // The metrics so far, each with its file.
    let mut known = BTreeMap::new();
    let path = FieldPath::of("spec.monitoring.pgmonitor.exporter.configuration");
    for (index, projection) in projections.enumerate() {
        let path = path.index(index);
        let config_map = projection.config_map.as_ref().map(|source| ("ConfigMap", &source.name, &source.items));
        let secret = projection.secret.as_ref().map(|source| ("Secret", &source.name, &source.items));
        for (kind, name, items) in config_map.into_iter().chain(secret) {
            let path = path.key(if kind == "Secret" { "secret" } else { "configMap" });
            let keys = items.as_ref().map(|items| keys(items, &path));
            check.files(sources, &Source { kind, name, keys }, |file, text| {
                faults(file, text, kind == "Secret", &mut known)
            });
        }
    }
    check.diagnostics
}

/// The keys of these items, and their fields.
fn keys<'a>(items: &'a [KeyToPath], path: &FieldPath) -> Vec<(&'a str, FieldPath)> {
    let field = |index: usize| path.key("items").index(index).key("key");
    items.iter().enumerate().map(|(index, item)| (item.key.as_str(), field(index))).collect()
}

fn faults(file: &str, text: &str, is_secret: bool, known: &mut BTreeMap<String, String>) -> Vec<Fault> {
    let (node, mut faults) = parse(file, text, is_secret);
    let Some(node) = node else { return faults };
    if !matches!(node.value, NodeValue::Mapping(_)) {
        faults
            .push((node.position.line, "write a mapping from the name of a metric to its `query` and `metrics`".to_owned()));
    }
    for Entry { key, value, .. } in node.entries() {
        let mut fault = |position: Position, fault: String| faults.push((position.line, fault));
        if let Some(other) = known.insert(key.clone(), file.to_owned()) {
            fault(value.position, format!("`{key}` is also in `{other}`: each metric may be in one file only"));
        }
        if value.get("query").and_then(Node::as_str).is_none_or(|query| query.trim().is_empty()) {
            fault(value.position, format!("`{key}` has no `query`: write the SQL there"));
        }
        match value.get("metrics") {
            Some(metrics) if !metrics.items().is_empty() => {
                for column in metrics.items() {
                    if let Some(message) = column_fault(column) {
                        fault(column.position, message);
                    }
                }
            }
            _ => {
                fault(value.position, format!("`{key}` has no `metrics`: write a list of the columns of its query"));
            }
        }
    }
    faults
}

/// What is wrong with an element of `metrics`.
fn column_fault(column: &Node) -> Option<String> {
    let [Entry { key, value, .. }] = column.entries() else {
        return Some(
            "each element of `metrics` is a mapping from one column to its `usage` and `description`".to_owned(),
        );
    };
    match value.get("usage").and_then(Node::as_str) {
        Some(usage) if USAGES.contains(&usage) => None,
        Some(usage) => Some(format!("column `{key}` has the usage `{usage}`: write one of {}", USAGES.join(", "))),
        None => Some(format!("column `{key}` has no `usage`: write one of {}", USAGES.join(", "))),
    }
}
