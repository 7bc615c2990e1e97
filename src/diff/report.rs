//! The result of a comparison, as it is printed.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use super::effect::{Consequence, EffectKind};

/// The version of the format. It changes when a field is removed or means something else.
pub const VERSION: u32 = 1;

/// What changes from one input to another.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "pgrender diff")]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// The most serious consequence of all changes; null if the inputs could not be compared.
    pub consequence: Option<Consequence>,
    /// The clusters of both inputs, ordered by namespace and name.
    pub clusters: Vec<ClusterReport>,
    /// What the comparison does not cover.
    pub notes: Vec<String>,
    /// What is wrong with the inputs. Then nothing was compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// Whether something is new, gone or different.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Only the new input has it.
    Created,
    /// Both inputs have it, and they differ.
    Changed,
    /// Only the old input has it.
    Removed,
    /// Both inputs have it, and they are the same.
    Same,
}

/// What changes in one cluster.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Whether the cluster is new, gone or different.
    pub change: Change,
    /// The most serious consequence.
    pub consequence: Consequence,
    /// What happens in the running cluster, the most serious first.
    pub effects: Vec<Effect>,
    /// The objects that differ.
    pub objects: Vec<ObjectReport>,
}

/// Something that happens in the running cluster.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// What it is.
    pub effect: EffectKind,
    /// How serious it is.
    pub consequence: Consequence,
    /// What it means for this cluster, in one sentence.
    pub message: String,
    /// What causes it, in words.
    pub details: Vec<String>,
    /// The pods that are replaced, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// The objects whose change causes it, as `Kind name`.
    pub objects: Vec<String>,
}

/// An object that differs.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReport {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// Whether the object is new, gone or different.
    pub change: Change,
    /// The fields that differ, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldReport>,
}

/// A field that differs.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldReport {
    /// The path of the field. Configuration files in ConfigMaps and Secrets have paths inside them.
    pub path: String,
    /// Its effect.
    pub effect: EffectKind,
    /// The old value. It is absent if there was none, or if it may be secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The new value. It is absent if there is none, or if it may be secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// The JSON schema of a [`Report`].
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Report>().to_value()
}
