//! Checks the user's files of queries that are in the input.
//!
//! `postgres_exporter` joins them into one YAML document, and if that is not right, it logs an error and serves none of the queries
//! (`cmd/postgres_exporter/queries.go` of prometheus-community/postgres_exporter).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::diagnostic::{Diagnostic, Position};
use crate::kind::Work;
use crate::kubernetes::KeyToPath;
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::work::of_queries;
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::{self, Document, object};

/// What a column can be (`columnMapping` in `cmd/postgres_exporter/postgres_exporter.go`).
const USAGES: [&str; 7] = ["COUNTER", "DISCARD", "DURATION", "GAUGE", "HISTOGRAM", "LABEL", "MAPPEDMETRIC"];

/// The ConfigMaps and Secrets of the input, by kind, namespace and name.
pub(crate) struct Sources<'a>(BTreeMap<(String, String, String), Vec<&'a Document>>);

impl<'a> Sources<'a> {
    /// Finds them in `documents`. If one has no namespace, the namespace comes from `options`, as for a cluster.
    pub(crate) fn of(documents: &[&'a Document], options: &Options) -> Self {
        let mut sources = BTreeMap::<_, Vec<_>>::new();
        for document in documents {
            let reference = object::reference_in(&document.node, options.namespace.as_deref());
            if reference.api_version == "v1" && ["ConfigMap", "Secret"].contains(&reference.kind.as_str()) {
                let place = (reference.kind, reference.namespace, reference.name);
                sources.entry(place).or_default().push(*document);
            }
        }
        Self(sources)
    }
}

/// Checks the files of `cluster` whose ConfigMap or Secret is among `sources`. The cost of reading each file is added to `work` before,
/// because a short spec can name a long file many times.
pub(crate) fn check(cluster: &Cluster, sources: &Sources, work: &mut Work) -> Vec<Diagnostic> {
    let projections = cluster.exporter.iter().flat_map(|exporter| exporter.configuration.iter().flatten());
    let mut check = Check { work, known: BTreeMap::new(), diagnostics: Vec::new() };
    for projection in projections {
        let config_map = projection.config_map.as_ref().map(|source| ("ConfigMap", &source.name, &source.items));
        let secret = projection.secret.as_ref().map(|source| ("Secret", &source.name, &source.items));
        for (kind, name, items) in config_map.into_iter().chain(secret) {
            let place = (kind.to_owned(), cluster.namespace.clone(), name.clone());
            for document in sources.0.get(&place).into_iter().flatten() {
                check.files(document, kind, items.as_deref());
            }
        }
    }
    check.diagnostics
}

struct Check<'w> {
    work: &'w mut Work,
    /// The metrics so far, each with its file.
    known: BTreeMap<String, String>,
    diagnostics: Vec<Diagnostic>,
}

impl Check<'_> {
    /// Checks the keys of a ConfigMap or Secret that are mounted: those of `items`, or all.
    fn files(&mut self, document: &Document, kind: &'static str, items: Option<&[KeyToPath]>) {
        for field in ["data", "stringData"] {
            for Entry { key, value, .. } in document.node.get(field).map(Node::entries).unwrap_or_default() {
                if items.is_some_and(|items| items.iter().all(|item| item.key != *key)) {
                    continue;
                }
                let encoded = kind == "Secret" && field == "data";
                let Some(text) = value.as_str() else { continue };
                self.work.add(of_queries(text.len()));
                if !self.work.is_allowed() {
                    return;
                }
                let text = if encoded { decoded(text) } else { Some(text.to_owned()) };
                let faults = text.map(|text| self.faults(&text, key, kind == "Secret")).unwrap_or_default();
                for (line, fault) in faults {
                    let message = format!("`{key}` is not a file of queries for the exporter: line {line}: {fault}");
                    let reference = object::reference(&document.node);
                    let found = Diagnostic::error(message).of(reference).located(&document.file, value.position);
                    self.diagnostics.push(found);
                }
            }
        }
    }

    /// What is wrong with a file, and in which of its lines. The text of a Secret is not repeated.
    fn faults(&mut self, text: &str, file: &str, is_secret: bool) -> Vec<(usize, String)> {
        let documents = match read::documents(file, text) {
            Ok(documents) => documents,
            Err(errors) => {
                let fault = |error: Diagnostic| {
                    let line = error.location.map_or(1, |location| location.position.line);
                    (line, if is_secret { "is not valid YAML".to_owned() } else { error.message })
                };
                return errors.into_iter().map(fault).collect();
            }
        };
        let mut faults = Vec::new();
        for Document { node, .. } in documents.iter().skip(1) {
            faults.push((node.position.line, "begins a second document: write all queries in one".to_owned()));
        }
        let Some(Document { node, .. }) = documents.first() else { return faults };
        if !matches!(node.value, NodeValue::Mapping(_)) {
            faults.push((
                node.position.line,
                "write a mapping from the name of a metric to its `query` and `metrics`".to_owned(),
            ));
        }
        for Entry { key, value, .. } in node.entries() {
            let mut fault = |position: Position, fault: String| faults.push((position.line, fault));
            if let Some(other) = self.known.insert(key.clone(), file.to_owned()) {
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
                    fault(
                        value.position,
                        format!("`{key}` has no `metrics`: write a list of the columns of its query"),
                    );
                }
            }
        }
        faults
    }
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

/// The text of a value in `data` of a Secret; `None` if it is not base64 of a text. That is not a fault of the queries.
fn decoded(text: &str) -> Option<String> {
    let compact: String = text.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}
