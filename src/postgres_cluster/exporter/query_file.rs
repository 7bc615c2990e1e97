//! Reads a file of queries as `postgres_exporter` does (`cmd/postgres_exporter/queries.go` of prometheus-community/postgres_exporter).
//!
//! The exporter gets all files of a cluster joined into one YAML document. What is wrong in one of them makes it lose the queries of
//! all: it serves none of them, ends at each scrape, or answers each scrape with an error.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, words};
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::{self, Document};

/// What a column can be (`columnMapping` in `cmd/postgres_exporter/postgres_exporter.go`).
const USAGES: [&str; 7] = ["COUNTER", "DISCARD", "DURATION", "GAUGE", "HISTOGRAM", "LABEL", "MAPPEDMETRIC"];
/// The fields of a query (`UserQuery`). The exporter reads `runonserver`, but does not use it.
const QUERY_FIELDS: [&str; 4] = ["query", "metrics", "master", "cache_seconds"];
/// The fields of a column (`MappingOptions`). The exporter reads `metric_mapping`, but does not use it.
const COLUMN_FIELDS: [&str; 2] = ["usage", "description"];

/// The booleans of YAML 1.1, in lower case (yaml.org/type/bool.html).
const BOOLEANS: [&str; 8] = ["false", "n", "no", "off", "on", "true", "y", "yes"];

/// The keys between which a file is read, to see that it can be joined with others.
const BEFORE: &str = "\"the file before\"";
const AFTER: &str = "\"the file after\"";

/// What is in a file.
#[derive(Default)]
pub(super) struct QueryFile {
    pub(super) queries: Vec<Query>,
    pub(super) faults: Vec<Fault>,
}

/// A query.
pub(super) struct Query {
    /// The first part of the names of its metrics.
    pub(super) namespace: String,
    /// Its line in the file.
    pub(super) line: usize,
    /// The whole names of its metrics, each with its line.
    pub(super) metrics: Vec<(String, usize)>,
}

/// Something that is wrong with a file.
pub(super) struct Fault {
    /// The line in the file.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) message: String,
    /// Whether the exporter then loses queries or metrics. If not, only the field has no effect.
    pub(super) is_error: bool,
}

/// Reads a file. If it is in a Secret, no message repeats its text.
pub(super) fn read(text: &str, is_secret: bool) -> QueryFile {
    let between = format!("{BEFORE}: 0\n{}\n{AFTER}: 0\n", without_markers(text));
    let mut reader = Reader { lines: between.lines().collect(), is_secret, file: QueryFile::default() };
    match joined(&between) {
        Some(entries) => {
            for entry in &entries {
                reader.query(entry);
            }
        }
        None => reader.not_joined(text),
    }
    reader.file
}

/// Returns the queries of a file that stands between others.
fn joined(between: &str) -> Option<Vec<Entry>> {
    let mut documents = read::documents("", between).ok()?;
    let [Document { node: Node { value: NodeValue::Mapping(entries), .. }, .. }] = documents.as_mut_slice() else {
        return None;
    };
    let mut entries = std::mem::take(entries);
    let is = |entry: Option<&Entry>, key: &str| entry.is_some_and(|entry| entry.key == key.trim_matches('"'));
    if !is(entries.first(), BEFORE) || !is(entries.last(), AFTER) {
        return None;
    }
    entries.pop();
    entries.remove(0);
    Some(entries)
}

/// Returns the text without the lines that begin or end a YAML document, as `exporter.sh` joins it. They become empty lines.
fn without_markers(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_marker = |line: &str| {
        let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
        let is_comment =
            |rest: &str| rest.trim().is_empty() || rest.starts_with([' ', '\t']) && rest.trim().starts_with('#');
        line.starts_with('%') || rest.is_some_and(is_comment)
    };
    text.lines().map(|line| if is_marker(line) { "" } else { line }).collect::<Vec<_>>().join("\n")
}

struct Reader<'t> {
    /// The lines that were read. One more is before those of the file.
    lines: Vec<&'t str>,
    is_secret: bool,
    file: QueryFile,
}

impl Reader<'_> {
    /// Returns a key as it was written. For the exporter, a key such as `n` or `off` is a text, as every key is.
    fn written(&self, Entry { key, key_position, .. }: &Entry) -> String {
        let line = self.lines.get(key_position.line - 1).copied().unwrap_or_default();
        let word: String = line.chars().skip(key_position.column - 1).take_while(char::is_ascii_alphabetic).collect();
        // A key that an alias repeats is elsewhere.
        let is_boolean = BOOLEANS.contains(&word.to_ascii_lowercase().as_str());
        if is_boolean && (key == "true" || key == "false") { word } else { key.clone() }
    }

    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.file.faults.push(Fault { line, message: message.into(), is_error: true });
    }

    fn warning(&mut self, line: usize, message: impl Into<String>) {
        self.file.faults.push(Fault { line, message: message.into(), is_error: false });
    }

    /// A word of the file, or what it is, in a message.
    fn quoted(&self, word: &str, what: &str) -> String {
        if self.is_secret { what.to_owned() } else { words::quote(word) }
    }

    /// Says why a file cannot be joined with others.
    fn not_joined(&mut self, text: &str) {
        let documents = match read::documents("", text) {
            Ok(documents) => documents,
            Err(errors) => {
                for error in errors {
                    self.not_yaml(error);
                }
                return;
            }
        };
        match documents.first() {
            Some(Document { node, .. }) if !matches!(node.value, NodeValue::Mapping(_)) => {
                let message = "write a mapping from the name of a metric to its `query` and `metrics`";
                self.error(node.position.line, message);
            }
            first => {
                let line = first.map_or(1, |document| document.node.position.line);
                let message = "it cannot be joined with other files: write each metric at the beginning of a line, \
                               without `{` and `}` around all of them, and each only once";
                self.error(line, message);
            }
        }
    }

    fn not_yaml(&mut self, error: Diagnostic) {
        let line = error.location.map_or(1, |location| location.position.line);
        let message = if self.is_secret { "is not valid YAML".to_owned() } else { error.message };
        self.error(line, message);
    }

    fn query(&mut self, entry: &Entry) {
        let Entry { key_position, value, .. } = entry;
        let line = key_position.line - 1;
        let namespace = self.written(entry);
        let name = self.quoted(&namespace, "the metric");
        for Entry { key, key_position, value } in value.entries() {
            let line = key_position.line - 1;
            match (key.as_str(), &value.value) {
                ("master", NodeValue::Bool { .. } | NodeValue::Null)
                | ("cache_seconds", NodeValue::Null)
                | ("query" | "metrics", _) => {}
                ("master", _) => self.error(line, "`master` must be `true` or `false`, without quotes"),
                ("cache_seconds", NodeValue::Number { value, .. }) if value.is_u64() => {}
                ("cache_seconds", _) => {
                    self.error(line, "`cache_seconds` must be a whole number of seconds, without quotes and unit");
                }
                ("runonserver", NodeValue::Sequence(_) | NodeValue::Mapping(_)) => {
                    self.error(line, "`runonserver` must be a text");
                }
                (field, _) => self.no_effect(line, field, &QUERY_FIELDS),
            }
        }
        if value.get("query").and_then(Node::as_str).is_none_or(|query| query.trim().is_empty()) {
            self.error(line, format!("{name} has no `query`: write the SQL there"));
        }
        let columns = value.get("metrics").map(Node::items).unwrap_or_default();
        if columns.is_empty() {
            self.error(line, format!("{name} has no `metrics`: write a list of the columns of its query"));
        }
        let mut query = Query { namespace, line, metrics: Vec::new() };
        let mut known = BTreeSet::new();
        for column in columns {
            if column.entries().is_empty() {
                let message = "each element of `metrics` is a mapping from one column to its `usage` and `description`";
                self.error(column.position.line - 1, message);
            }
            for entry in column.entries() {
                if !known.insert(self.written(entry)) {
                    let column = self.quoted(&self.written(entry), "a column");
                    self.error(entry.key_position.line - 1, format!("{column} is twice in the `metrics` of {name}"));
                }
                self.column(entry, &mut query);
            }
        }
        self.file.queries.push(query);
    }

    /// Checks a column, and adds its metric to `query`.
    fn column(&mut self, entry: &Entry, query: &mut Query) {
        let Entry { key_position, value, .. } = entry;
        let line = key_position.line - 1;
        let column = self.written(entry);
        let name = self.quoted(&column, "the column");
        for Entry { key, key_position, value } in value.entries() {
            let line = key_position.line - 1;
            match (key.as_str(), &value.value) {
                ("description" | "usage", NodeValue::Sequence(_) | NodeValue::Mapping(_)) => {
                    self.error(line, format!("`{key}` must be a text"));
                }
                ("description" | "usage", _) => {}
                ("pg_version", NodeValue::Null) => self.no_effect(line, key, &COLUMN_FIELDS),
                ("pg_version", _) => self.error(line, "`pg_version` is not possible in a file of queries: remove it"),
                ("metric_mapping", found) => {
                    let is_number = |entry: &Entry| matches!(entry.value.value, NodeValue::Number { .. });
                    match found {
                        NodeValue::Mapping(entries) if !entries.iter().all(is_number) => {
                            self.error(line, "each value of `metric_mapping` must be a number");
                        }
                        NodeValue::Mapping(_) | NodeValue::Null => self.no_effect(line, key, &COLUMN_FIELDS),
                        _ => self.error(line, "`metric_mapping` must be a mapping from texts to numbers"),
                    }
                }
                (field, _) => self.no_effect(line, field, &COLUMN_FIELDS),
            }
        }
        let usages = USAGES.join(", ");
        match value.get("usage").and_then(Node::as_str) {
            Some("DISCARD") => {}
            Some("LABEL") => self.label(line, &column, &name),
            Some(usage) if USAGES.contains(&usage) => self.metric(line, &column, usage, query),
            Some(usage) => {
                let usage = self.quoted(usage, "another one");
                self.error(line, format!("column {name} has the usage {usage}: write one of {usages}"));
            }
            None => self.error(line, format!("column {name} has no `usage`: write one of {usages}")),
        }
    }

    /// Checks the name of a label (Prometheus, "Data model"). The exporter itself adds the label `server`.
    fn label(&mut self, line: usize, column: &str, name: &str) {
        let is_valid = column.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && column.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !column.starts_with("__");
        if !is_valid {
            let message = format!(
                "{name} is not a valid name of a label: in the query, name the column with letters, digits and `_`"
            );
            self.error(line, message);
        } else if column == "server" {
            self.error(line, format!("the exporter itself adds the label {name}: give the column another name"));
        }
    }

    /// Adds a metric to `query`, if its name is valid (Prometheus, "Data model").
    fn metric(&mut self, line: usize, column: &str, usage: &str, query: &mut Query) {
        let unit = if usage == "DURATION" { "_milliseconds" } else { "" };
        let name = format!("{}_{column}{unit}", query.namespace);
        let is_valid = name.starts_with(|first: char| first.is_ascii_alphabetic() || "_:".contains(first))
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter));
        if !is_valid {
            let name = self.quoted(&name, "this");
            let message = format!(
                "{name} is not a valid name of a metric: write only letters, digits and `_`, and no digit at the beginning"
            );
            self.error(line, message);
            return;
        }
        // A histogram is a family of metrics, and no other may have one of their names.
        if usage == "HISTOGRAM" {
            query.metrics.extend(["_bucket", "_count", "_sum"].map(|part| (format!("{name}{part}"), line)));
        }
        query.metrics.push((name, line));
    }

    fn no_effect(&mut self, line: usize, field: &str, known: &[&str]) {
        let field = self.quoted(field, "a field");
        let known = known.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        self.warning(line, format!("{field} has no effect, because the exporter does not know it: it knows {known}"));
    }
}
