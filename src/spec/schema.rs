//! The types as one JSON schema, for editors and for kustomize.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{PostgresCluster, pattern};
use crate::kubernetes::Quantity;

/// The JSON schema of a whole `PostgresCluster`, v1 and v1beta1.
///
/// It has the CRD's types, ranges, patterns, enumerations and defaults, but not its CEL rules. An editor follows the
/// `$ref` at its root. Kustomize (`openapi: {path: …}`) looks in `definitions`, where it finds the resource by
/// `x-kubernetes-group-version-kind` and learns which lists a strategic merge patch merges by name.
pub fn json_schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/definitions".into();
    let mut generator = settings.with_transform(RecursiveTransform(without_null)).into_generator();
    let root = generator.subschema_for::<PostgresCluster>();
    // Kubernetes publishes no pattern of its quantities; the CRD does.
    if let Some(quantity) = generator.definitions_mut().get_mut(Quantity::schema_name().as_ref()) {
        quantity["pattern"] = pattern::QUANTITY.into();
    }
    let mut schema = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" });
    schema["$ref"] = root.as_value()["$ref"].clone();
    schema["definitions"] = generator.take_definitions(true).into();
    schema
}

/// Takes the `null` out of what `Option` adds to a schema: the CRD has no nullable field.
fn without_null(schema: &mut Schema) {
    let null = Value::from("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|alternative| alternative.get("type") != Some(&null));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            schema.ensure_object().extend(only);
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}
