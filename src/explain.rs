//! What a field of the input is, in the form in which the program shows it. Each kind of resource fills it in itself.

pub mod example;
pub mod path;
pub mod rules;
pub mod types;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known about one field, or about the kind itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The kind of the resource.
    pub kind: String,
    /// The version of the API.
    pub api_version: String,
    /// The path of the field; empty for the kind itself. `[]` stands for any item of a list.
    pub path: String,
    /// The type: `string`, `integer`, `boolean`, `Object`, `[]string`, `map[string]string`, …
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether the object that has the field is not valid without it.
    pub required: bool,
    /// The value that is used if the field is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What the field is for.
    pub description: String,
    /// What a value must fulfil, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// What pgrender makes of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<FieldEffect>,
    /// A part of a resource, in YAML, in which the field is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The fields below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldLine>,
}

/// One field below another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldLine {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether the object that has the field is not valid without it.
    pub required: bool,
    /// What it is for.
    pub description: String,
    /// The fields below it, if the whole tree is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Self>,
}

/// What pgrender makes of a field.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldEffect {
    /// The field that this is known of: the field itself, or one that contains it.
    pub field: String,
    /// Who acts on the field in the running cluster, if it is not a pod that is rendered with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_run_time: Option<String>,
    /// What happens.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What happens when a field is set.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// These parts of the output change.
    Changes(Vec<Change>),
    /// The field contains others, which change these objects.
    Objects(Vec<String>),
    /// Nothing is rendered for it, and this warning is printed.
    Warning(String),
    /// Nothing is rendered at all, and this error is printed.
    Error(String),
}

/// Parts of objects that change.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The objects, by kind and role: `StatefulSet {cluster}-{set}`.
    pub objects: Vec<String>,
    /// The fields that change in each of them. Empty: the objects as a whole come, go, or are called differently.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// What `pgrender explain --format json` prints if the path does not exist.
#[derive(Serialize, JsonSchema)]
struct Failure<'a> {
    /// What is wrong, and what to write instead.
    error: &'a str,
}

/// The JSON for a path that does not exist.
pub fn failure(message: &str) -> String {
    format!("{:#}\n", serde_json::to_value(Failure { error: message }).unwrap_or_default())
}

/// Everything that the command prints.
#[derive(JsonSchema)]
#[schemars(untagged, title = "pgrender explain")]
#[expect(dead_code, reason = "only its schema is used")]
enum Output {
    Explanation(Box<Explanation>),
    Failure(Failure<'static>),
}

/// The JSON schema of what `pgrender explain --format json` prints.
pub fn json_schema() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Output>().to_value()
}
