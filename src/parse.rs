//! Validates a resource against the schema of its kind. The verdict is that of an API server with the CRD, but no
//! server is needed.
//!
//! ```text
//! Node ──normalise──▶ JSON ──constraints──▶ ──rules──▶ JSON that the server would store
//!      unknown fields,     required, ranges,   CEL
//!      types, nulls,       patterns, lists
//!      defaults
//! ```
//!
//! The order is that of the server (`apiextensions-apiserver` 0.34): strict decoding, then defaults, then the schema, then
//! lists with keys. The CEL rules run only if no earlier error could make their results misleading. Everything that one pass
//! finds is reported at once.
//!
//! The schema is `schema.json` in `src/parse`. `tools/schema/reduce.py` generates it from the CRD of PGO (Crunchy Data,
//! Apache-2.0): it keeps the facts of the API and drops the descriptions.

mod constraints;
pub(crate) mod duration;
pub(crate) mod metadata;
mod normalise;
mod number;
pub(crate) mod patterns;
pub(crate) mod schema;

use serde_json::{Map, Value};

use crate::diagnostic::words;
use crate::diagnostic::{Collector, Diagnostic, FieldPath, ResourceRef, Severity, has_errors};
use crate::read::Document;
use crate::read::node::{Node, NodeValue};
use crate::read::object;
use normalise::Normaliser;
use schema::Schema;

/// The definition of a kind of resource, as its CustomResourceDefinition states it. Its schemas are in `schema.json`.
pub struct Definition {
    /// The name of the kind.
    pub kind: &'static str,
    /// The API group.
    pub group: &'static str,
    /// The API versions with their group, the newest first. There is at least one.
    pub api_versions: &'static [&'static str],
    /// Checks the CEL rules of a spec.
    pub(crate) rules: fn(spec: &Value, schema: &'static Schema, path: &FieldPath, findings: &mut Findings),
    /// Gives the message for a field that is not in the schema of the object at `path`.
    pub(crate) unknown_field: fn(key: &str, schema: &'static Schema, path: &FieldPath) -> String,
    /// Gives the message for an unknown field beside `spec`. `known` are the fields that may be there.
    pub(crate) unknown_at_the_top: fn(key: &str, known: &[&str]) -> String,
}

impl Definition {
    /// Whether `api_version` is one of the versions of the kind.
    pub fn has_version(&self, api_version: &str) -> bool {
        self.api_versions.contains(&api_version)
    }

    /// The API versions for a message, each in backticks.
    pub fn versions(&self) -> String {
        self.api_versions.iter().map(|version| format!("`{version}`")).collect::<Vec<_>>().join(" or ")
    }
}

/// What the validator needs to know and cannot see in a document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Whether kustomize wrote the document. kustomize reads YAML 1.2 and puts quotes around `yes`, `on`, `n`, …, so in its
    /// output such a word may be a string although a boolean was meant. It is accepted as a boolean, with a warning.
    pub through_kustomize: bool,
}

/// A problem that was found, without its position in the text.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: FieldPath,
    message: String,
    severity: Severity,
    /// Whether the server does not run the CEL rules after this error.
    blocking: bool,
}

impl Finding {
    /// An error after which the CEL rules still run.
    pub(crate) fn fault(path: &FieldPath, message: impl Into<String>) -> Self {
        Self { path: path.clone(), message: message.into(), severity: Severity::Error, blocking: false }
    }

    /// An error after which the CEL rules do not run, as on the server.
    pub(crate) fn blocking(path: &FieldPath, message: impl Into<String>) -> Self {
        Self { blocking: true, ..Self::fault(path, message) }
    }

    /// A warning.
    pub(crate) fn warning(path: &FieldPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::fault(path, message) }
    }
}

/// The problems that were found so far.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) collected: Collector<Finding>,
    /// Whether one of them prevents the CEL rules from running.
    pub(crate) blocked: bool,
}

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.blocked |= finding.blocking;
        self.collected.push(finding.severity, finding);
    }
}

/// Validates a document that claims to be of the kind of `definition`.
///
/// Returns the object as the server would store it (without nulls and `status`, with defaults), or `None` if an error is among
/// the diagnostics. Each diagnostic has a position in the document, and they are in the order of the document.
pub fn validate(definition: &Definition, document: &Document, settings: Settings) -> (Option<Value>, Vec<Diagnostic>) {
    let (object, findings) = check(definition, &document.node, settings);
    let resource = object::reference(&document.node);
    let (kept, rest) = findings.collected.finish();
    let rest = rest.map(|diagnostic| diagnostic.of(resource.clone()));
    let told = kept.into_iter().map(|finding| told(finding, &resource)).chain(rest).collect();
    let mut diagnostics: Vec<Diagnostic> = document.locate_all(told).collect();
    // The sort is stable, so findings at the same position keep the order of the checks.
    diagnostics.sort_by_key(|diagnostic| diagnostic.location.as_ref().map(|location| location.position));
    let valid = !has_errors(&diagnostics);
    (valid.then_some(object), diagnostics)
}

pub(crate) fn check(definition: &Definition, root: &Node, settings: Settings) -> (Value, Findings) {
    let top = FieldPath::default();
    let mut findings = Findings::default();
    if !matches!(root.value, NodeValue::Mapping(_)) {
        let found = root.describe(false);
        findings.push(Finding::blocking(&top, format!("expected a {}, found {found}", definition.kind)));
        return (Value::Null, findings);
    }

    let spec_schema = identify(definition, root, &mut findings);
    unknown_at_the_top(definition, root, &mut findings);

    let mut object = Map::new();
    for field in ["apiVersion", "kind"] {
        if let Some(value) = root.get(field) {
            object.insert(field.to_owned(), value.to_json());
        }
    }
    for (field, schema) in [("metadata", Some(Schema::metadata())), ("spec", spec_schema)] {
        let path = top.key(field);
        let Some(node) = root.get(field).filter(|node| !matches!(node.value, NodeValue::Null)) else {
            findings.push(Finding::blocking(&path, words::REQUIRED));
            continue;
        };
        let Some(schema) = schema else { continue };
        let value = Normaliser::new(definition, &path, settings, &mut findings).value(node, schema);
        constraints::check(&value, schema, &path, &mut findings);
        object.insert(field.to_owned(), value);
    }

    if let Some(metadata) = object.get("metadata") {
        metadata::check(metadata, &mut findings);
    }
    if let (Some(spec), Some(schema)) = (object.get("spec"), spec_schema)
        && !findings.blocked
    {
        (definition.rules)(spec, schema, &top.key("spec"), &mut findings);
    }
    (Value::Object(object), findings)
}

/// Returns the schema of the spec if `apiVersion` and `kind` are right.
fn identify(definition: &Definition, root: &Node, findings: &mut Findings) -> Option<&'static Schema> {
    let top = FieldPath::default();
    let kind = definition.kind;
    match root.get("kind") {
        Some(found) if found.as_str() == Some(kind) => {}
        found => {
            let message = match found {
                Some(other) => format!("expected `{kind}`, found {}", other.describe(false)),
                None => format!("{}: write `{kind}`", words::REQUIRED),
            };
            findings.push(Finding::blocking(&top.key("kind"), message));
        }
    }

    let version = root.get("apiVersion");
    let known = version.and_then(Node::as_str).filter(|version| definition.has_version(version));
    if known.is_none() {
        let fault = match version {
            Some(other) => format!("expected an API version of {kind}, found {}", other.describe(false)),
            None => words::REQUIRED.to_owned(),
        };
        let message = format!("{fault}: write {}", definition.versions());
        findings.push(Finding::blocking(&top.key("apiVersion"), message));
    }
    let (_, version) = known?.rsplit_once('/')?;
    Schema::of(kind, version)
}

fn unknown_at_the_top(definition: &Definition, root: &Node, findings: &mut Findings) {
    // `status` describes the running cluster and is ignored, so that a resource that was read back from a cluster can be
    // rendered.
    const KNOWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let unknown = root.entries().iter().filter(|entry| !KNOWN.contains(&entry.key.as_str()));
    for (position, entry) in unknown.enumerate() {
        let path = FieldPath::default().key(entry.key.as_str());
        let message = if position < words::SUGGESTIONS {
            (definition.unknown_at_the_top)(&entry.key, &KNOWN)
        } else {
            words::UNKNOWN.to_owned()
        };
        findings.push(Finding::blocking(&path, message));
    }
}

fn told(finding: Finding, resource: &ResourceRef) -> Diagnostic {
    let diagnostic = match finding.severity {
        Severity::Error => Diagnostic::error(finding.message),
        Severity::Warning => Diagnostic::warning(finding.message),
        Severity::Info => Diagnostic::info(finding.message),
    };
    let diagnostic = if finding.path.0.is_empty() { diagnostic } else { diagnostic.at(finding.path) };
    diagnostic.of(resource.clone())
}
