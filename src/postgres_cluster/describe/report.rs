//! The description as JSON.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use super::model::ClusterDescription;
use crate::diagnostic::Diagnostic;

/// What `pgrender describe --format json` prints, also if there is an error.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "pgrender describe")]
pub struct Report {
    /// The clusters, by namespace and name; empty if one of the messages is an error.
    clusters: Vec<ClusterDescription>,
    /// The messages of the rendering.
    messages: Vec<Message>,
}

/// A message.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Message {
    /// `error`, `warning` or `info`.
    severity: String,
    /// What is wrong, and what to write instead.
    text: String,
    /// The resource, as `<Kind> <namespace>/<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// The path of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl Report {
    /// A report about clusters, with the messages about their input.
    pub fn new(clusters: Vec<ClusterDescription>, diagnostics: &[Diagnostic]) -> Self {
        let message = |diagnostic: &Diagnostic| Message {
            severity: diagnostic.severity.to_string(),
            text: diagnostic.message.clone(),
            resource: diagnostic.resource.as_ref().map(ToString::to_string),
            field: diagnostic.field.as_ref().map(ToString::to_string),
            file: diagnostic.location.as_ref().map(|location| location.file.clone()),
            line: diagnostic.location.as_ref().map(|location| location.position.line),
            column: diagnostic.location.as_ref().map(|location| location.position.column),
        };
        Self { clusters, messages: diagnostics.iter().map(message).collect() }
    }

    /// The text of the report.
    pub fn to_json(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        format!("{value:#}\n")
    }
}

/// The JSON schema of what `pgrender describe --format json` prints.
pub fn json_schema() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report>().to_value()
}
