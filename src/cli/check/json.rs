//! Findings as one JSON document. Its types are also its schema.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;

use super::findings::{Findings, Summary};
use crate::diagnostic::{Diagnostic, ResourceRef, Severity};

/// The version of the document. It is raised if a key changes its meaning or is removed.
const VERSION: u8 = 1;

/// The output of `pgrender check --format json`.
#[derive(JsonSchema, Serialize)]
#[schemars(title = "pgrender check")]
struct Report {
    /// The version of this format. It changes if a key is removed or changes its meaning. Keys may be added without a new
    /// version.
    #[schemars(schema_with = "version")]
    version: u8,
    /// What was found; empty if nothing is wrong.
    findings: Vec<Finding>,
    /// How many findings there are. The counts include findings that the list does not contain because they are too many.
    summary: Summary,
}

/// One finding. A key whose value is unknown is `null`.
#[derive(JsonSchema, Serialize)]
struct Finding {
    /// How serious it is.
    severity: Level,
    /// What is wrong, and what to write instead. It never contains a secret.
    message: String,
    /// The path of the field, for example `spec.instances[0].name`.
    field: Option<String>,
    /// The object.
    object: Option<Object>,
    /// The file as it was given, or `<stdin>`.
    file: Option<String>,
    /// The line, from 1.
    #[schemars(range(min = 1))]
    line: Option<usize>,
    /// The column in characters, from 1.
    #[schemars(range(min = 1))]
    column: Option<usize>,
}

/// How serious a finding is.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// The input is not valid, so `pgrender render` renders nothing.
    Error,
    /// `pgrender render` renders, but something may not behave as the user expects.
    Warning,
    /// Useful to know in connection with an error.
    Info,
}

/// An object of the input. A key is empty if it is unknown.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    /// `apiVersion`.
    api_version: String,
    /// `kind`.
    kind: String,
    /// `metadata.name`.
    name: String,
    /// `metadata.namespace`, or the namespace that `--namespace` gives the object.
    namespace: String,
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        let location = diagnostic.location.as_ref();
        Self {
            severity: match diagnostic.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
                Severity::Info => Level::Info,
            },
            message: diagnostic.line(),
            field: diagnostic.field.as_ref().map(ToString::to_string),
            object: diagnostic.resource.as_ref().map(Object::from),
            file: location.map(|location| location.file.clone()),
            line: location.map(|location| location.position.line),
            column: location.map(|location| location.position.column),
        }
    }
}

impl From<&ResourceRef> for Object {
    fn from(reference: &ResourceRef) -> Self {
        let ResourceRef { api_version, kind, name, namespace } = reference.clone();
        Self { api_version, kind, name, namespace }
    }
}

/// Returns the document.
pub(super) fn write(found: &Findings) -> String {
    let findings = found.list.iter().map(Finding::from).collect();
    let report = Report { version: VERSION, findings, summary: found.summary };
    // Texts and numbers can always be written as JSON.
    format!("{:#}\n", serde_json::to_value(report).unwrap_or_default())
}

/// Returns the JSON schema of the document.
pub(super) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Report>().to_value()
}

fn version(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "const": VERSION })
}
