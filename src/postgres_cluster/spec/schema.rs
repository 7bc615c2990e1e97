//! Generates one JSON schema from the types, for editors and for kustomize.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{PostgresCluster, pattern};
use crate::kubernetes::Quantity;

/// The JSON schema of a whole `PostgresCluster`, v1 and v1beta1.
///
/// It has the CRD's types, ranges, patterns, enumerations and defaults, but not its CEL rules. An editor follows the `$ref` at
/// its root. Kustomize (`openapi: {path: …}`) looks in `definitions`, where it finds the resource by
/// `x-kubernetes-group-version-kind` and learns which lists a strategic merge patch merges by name. Kustomize then does not use
/// its built-in schema, so that patches of Deployments and other built-in resources in the same kustomization replace lists.
pub fn json_schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/definitions".into();
    let mut generator = settings.with_transform(RecursiveTransform(without_null)).into_generator();
    let root = generator.subschema_for::<PostgresCluster>();
    // The schema that Kubernetes publishes has no pattern for quantities; the CRD has one.
    if let Some(quantity) = generator.definitions_mut().get_mut(Quantity::schema_name().as_ref()) {
        quantity["pattern"] = pattern::QUANTITY.into();
    }
    let mut schema = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" });
    schema["$ref"] = root.as_value()["$ref"].clone();
    schema["definitions"] = generator.take_definitions(true).into();
    schema
}

/// Removes the `null` that `Option` adds to a schema, because the CRD has no nullable field.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Calls `look` with a schema and with every schema below it.
    fn visit(value: &Value, look: &mut impl FnMut(&Value)) {
        look(value);
        match value {
            Value::Object(fields) => fields.values().for_each(|field| visit(field, look)),
            Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_has_a_target() {
        let schema = json_schema();
        let mut targets = BTreeSet::new();
        visit(&schema, &mut |part| targets.extend(part["$ref"].as_str().map(str::to_owned)));
        assert!(targets.len() > 50, "{targets:?}");
        for target in targets {
            assert!(schema.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
    }

    #[test]
    fn nothing_is_nullable() {
        visit(&json_schema(), &mut |part| {
            assert_ne!(part["type"], "null", "{part}");
            assert!(part["type"].as_array().is_none(), "{part}");
            assert!(part.get("default") != Some(&Value::Null), "{part}");
            assert!(part["anyOf"].as_array().is_none(), "{part}");
        });
    }

    #[test]
    fn kustomize_finds_both_versions_and_merges_lists_by_name() {
        let schema = json_schema();
        let versions = &schema["definitions"]["PostgresCluster"]["x-kubernetes-group-version-kind"];
        assert_eq!([&versions[0]["version"], &versions[1]["version"]], ["v1", "v1beta1"]);
        for (section, list) in
            [("PostgresClusterSpec", "instances"), ("PostgresClusterSpec", "users"), ("PgBackRestSpec", "repos")]
        {
            let property = &schema["definitions"][section]["properties"][list];
            assert_eq!(property["type"], "array", "{list}");
            assert_eq!(property["x-kubernetes-patch-merge-key"], "name", "{list}");
            assert_eq!(property["x-kubernetes-patch-strategy"], "merge", "{list}");
        }
    }
}
