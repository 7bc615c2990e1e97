//! A field of the spec or of the metadata: its schema, and its description.
//!
//! The schema of the CRD says what is valid in which version. The JSON schema that is generated from the types has the
//! descriptions: those of the spec are comments of this program, and those of Kubernetes' types come from its API.

use serde_json::Value;

use super::metadata;
use crate::explain::path;
use crate::parse::schema::Schema;
use crate::postgres_cluster::KIND;

/// One field.
#[derive(Clone)]
pub(super) struct Place<'a> {
    /// Its path, with `[]` after each list that it is below of.
    pub(super) path: String,
    /// Its name.
    pub(super) name: String,
    pub(super) schema: &'static Schema,
    /// Whether the object that has the field is not valid without it.
    pub(super) required: bool,
    pub(super) description: String,
    /// Whether the fields below are defined by Kubernetes.
    pub(super) is_of_kubernetes: bool,
    /// The JSON schema of the value.
    definition: &'a Value,
    definitions: &'a Value,
}

impl<'a> Place<'a> {
    /// `metadata` or `spec`.
    pub(super) fn below_root(schema: &'a Value, version: &str, field: &str) -> Option<Self> {
        let found = match field {
            "metadata" => Schema::metadata(),
            "spec" => Schema::of(KIND, version)?,
            _ => return None,
        };
        let definitions = &schema["definitions"];
        let property = &definitions[KIND]["properties"][field];
        Some(Self {
            path: field.to_owned(),
            name: field.to_owned(),
            schema: found,
            required: true,
            description: described(definitions, property),
            is_of_kubernetes: false,
            definition: target(definitions, property),
            definitions,
        })
    }

    /// The field `key` below it. If it is a list, the field of its items.
    pub(super) fn child(&self, key: &str) -> Option<Self> {
        let mut base = self.path.clone();
        let (mut schema, mut definition) = (self.schema, self.definition);
        let mut is_of_kubernetes = self.is_of_kubernetes;
        while let Some(item) = schema.item() {
            base += "[]";
            schema = item;
            is_of_kubernetes |= is_reference_to_kubernetes(&definition["items"]);
            definition = target(self.definitions, &definition["items"]);
        }
        let found = schema.field(key)?;
        let is_named = schema.fields().any(|(name, _)| name == key);
        let property = if is_named { &definition["properties"][key] } else { &definition["additionalProperties"] };
        let path = path::join(&base, key);
        let description = match metadata::description(&path) {
            Some(description) => description.to_owned(),
            None if is_named => described(self.definitions, property),
            None => format!("One entry of `{base}`. {}", self.description),
        };
        Some(Self {
            path,
            name: key.to_owned(),
            schema: found,
            required: schema.required.iter().any(|name| name == key),
            description,
            is_of_kubernetes: is_of_kubernetes || is_reference_to_kubernetes(property),
            definition: target(self.definitions, property),
            definitions: self.definitions,
        })
    }

    /// The fields below it that have names.
    pub(super) fn children(&self) -> Vec<Self> {
        let mut schema = self.schema;
        while let Some(item) = schema.item() {
            schema = item;
        }
        schema.fields().filter_map(|(name, _)| self.child(name)).collect()
    }
}

fn is_reference_to_kubernetes(property: &Value) -> bool {
    property["$ref"].as_str().is_some_and(|reference| reference.contains("io.k8s."))
}

/// What a `$ref` leads to, or the property itself.
fn target<'a>(definitions: &'a Value, property: &'a Value) -> &'a Value {
    let name = property["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/"));
    name.map_or(property, |name| &definitions[name])
}

/// The description of a field, else that of its type. The schema says it in several lines.
fn described(definitions: &Value, property: &Value) -> String {
    let own = property["description"].as_str();
    let text = own.or_else(|| target(definitions, property)["description"].as_str()).unwrap_or_default();
    text.split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}
