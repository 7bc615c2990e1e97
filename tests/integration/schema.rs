//! Compares the types of the spec, and the JSON schema that is derived from them, with PGO's CRD, its examples and the specs of
//! a running PGO. The CRD is not part of this repository: the tests that need it look for it in `$PGRENDER_SHARED` and in
//! `../shared`, and print a message if it is in neither.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pgrender::postgres_cluster::spec::{PostgresCluster, json_schema};
use serde_json::{Map, Value, json};

const GROUP: &str = "postgres-operator.crunchydata.com";
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Keywords that must have the same value in both schemas, or be absent from both.
const KEYWORDS: [&str; 11] = [
    "type",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-int-or-string",
];

#[test]
fn the_schema_is_that_of_the_crd() {
    let Some(crd) = crd() else { return };
    let schema = json_schema();
    for version in VERSIONS {
        let mut comparison = Comparison { schema: &schema, differences: Vec::new() };
        let ours = json!({ "$ref": "#/definitions/PostgresClusterSpec" });
        comparison.compare("spec", &spec_schema(&crd, version), &ours, false);
        // One schema serves both versions. The validation that runs before the types distinguishes them.
        let expected: &[&str] = match version {
            "v1" => &["spec.instances: maxItems is 16 in the CRD, nothing here"],
            _ => &[],
        };
        assert_eq!(comparison.differences, expected, "{version}");
    }
}

#[test]
fn a_cluster_with_every_field_of_the_crd_comes_back_the_same() {
    let Some(crd) = crd() else { return };
    for version in VERSIONS {
        let spec = Generator::default().value(&spec_schema(&crd, version));
        let cluster = json!({
            "apiVersion": format!("{GROUP}/{version}"),
            "kind": "PostgresCluster",
            "metadata": { "annotations": { "a": "b" }, "labels": { "c": "d" }, "name": "hippo", "namespace": "zoo" },
            "spec": spec,
        });
        let mut differences = Vec::new();
        compare_values("", &cluster, &serde_json::to_value(parsed(&cluster)).unwrap(), &mut differences);
        assert!(differences.is_empty(), "{version}:\n{}", differences.join("\n"));
    }
}

#[test]
fn every_example_and_every_observed_input_is_a_cluster() {
    let Some(shared) = shared() else { return };
    let mut files = Vec::new();
    find_yaml(&shared.join("pgo/examples"), &mut files);
    find_yaml(&shared.join("pgo/observed"), &mut files);
    let observed = |file: &Path| file.starts_with(shared.join("pgo/observed"));
    files.retain(|file| !observed(file) || file.to_string_lossy().ends_with(".input.yaml"));
    let clusters: Vec<Value> = files
        .iter()
        .flat_map(|file| documents(file))
        .filter(|document| document["kind"] == "PostgresCluster")
        .collect();
    for cluster in &clusters {
        let parsed = parsed(cluster);
        assert_eq!(parsed.metadata.name.as_deref(), cluster["metadata"]["name"].as_str());
        assert_eq!(parsed.spec.instances.len(), cluster["spec"]["instances"].as_array().unwrap().len());
    }
    assert!(clusters.len() >= 10, "only {} clusters in {}", clusters.len(), shared.display());
}

/// Collects the differences of two schemas.
struct Comparison<'a> {
    schema: &'a Value,
    differences: Vec<String>,
}

impl Comparison<'_> {
    /// Compares one node. `kubernetes` says whether it is inside a type of Kubernetes. The schema there is that of k8s-openapi,
    /// which has no defaults and no list keys; everything else must be as in the CRD.
    fn compare(&mut self, path: &str, crd: &Value, ours: &Value, kubernetes: bool) {
        let kubernetes =
            kubernetes || ours["$ref"].as_str().is_some_and(|name| name.starts_with("#/definitions/io.k8s."));
        let ours = &self.resolved(ours);
        for keyword in KEYWORDS {
            // The CRD also limits the length of enumerated strings, to limit the cost of its CEL rules.
            if keyword != "maxLength" || crd.get("enum").is_none() {
                self.equal(path, keyword, crd.get(keyword), ours.get(keyword));
            }
        }
        self.equal(path, "pattern", crd.get("pattern").map(portable).as_ref(), ours.get("pattern"));
        if !kubernetes {
            self.equal(path, "default", crd.get("default"), ours.get("default"));
            self.equal(path, "key", crd["x-kubernetes-list-map-keys"].get(0), ours.get("x-kubernetes-patch-merge-key"));
        }
        self.equal(path, "enum", enumeration(crd).as_ref(), enumeration(ours).as_ref());
        self.equal(path, "required", Some(&required(crd, crd)), Some(&required(ours, crd)));
        self.equal(path, "free", Some(&free(crd)), Some(&free(ours)));

        let none = Map::new();
        let crd_properties = crd["properties"].as_object().unwrap_or(&none);
        let our_properties = ours["properties"].as_object().unwrap_or(&none);
        for (name, property) in crd_properties {
            match our_properties.get(name) {
                Some(ours) => self.compare(&format!("{path}.{name}"), property, ours, kubernetes),
                None => self.differences.push(format!("{path}.{name}: only in the CRD")),
            }
        }
        for name in our_properties.keys().filter(|name| !crd_properties.contains_key(*name)) {
            self.differences.push(format!("{path}.{name}: not in the CRD"));
        }
        for (keyword, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
            match (crd.get(keyword).filter(|of| of.is_object()), ours.get(keyword).filter(|of| of.is_object())) {
                (Some(crd), Some(ours)) => self.compare(&format!("{path}{suffix}"), crd, ours, kubernetes),
                (crd, ours) => self.equal(path, keyword, crd, ours),
            }
        }
    }

    fn equal(&mut self, path: &str, keyword: &str, crd: Option<&Value>, ours: Option<&Value>) {
        if crd != ours {
            let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            self.differences.push(format!("{path}: {keyword} is {} in the CRD, {} here", show(crd), show(ours)));
        }
    }

    /// Resolves the reference of a schema. Keywords beside the reference take precedence.
    fn resolved(&self, ours: &Value) -> Value {
        let Some(reference) = ours["$ref"].as_str() else { return ours.clone() };
        let mut resolved = self.schema.pointer(reference.trim_start_matches('#')).expect(reference).clone();
        let fields = resolved.as_object_mut().unwrap();
        fields.extend(ours.as_object().unwrap().clone());
        fields.remove("$ref");
        resolved
    }
}

/// Rewrites a pattern of the CRD so that JavaScript, which editors use, can read it too.
fn portable(pattern: &Value) -> Value {
    let pattern = pattern.as_str().unwrap().replace("[[:print:]]", "[ -~]");
    json!(pattern.replace(r"\pZ\pC\pS", r"\p{Z}\p{C}\p{S}"))
}

/// Returns the values that a schema enumerates, sorted. If each has a description, they are a `oneOf` of constants.
fn enumeration(schema: &Value) -> Option<Value> {
    let values: BTreeSet<&str> = match (&schema["enum"], &schema["oneOf"]) {
        (Value::Array(values), _) => values.iter().map(|value| value.as_str().unwrap()).collect(),
        (_, Value::Array(constants)) => constants.iter().map(|constant| constant["const"].as_str().unwrap()).collect(),
        _ => return None,
    };
    Some(json!(values))
}

/// Returns the required fields, without those that have a default in the CRD, because defaults are set before the check.
fn required(schema: &Value, crd: &Value) -> Value {
    let names = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
    json!(names.filter(|name| crd["properties"][name].get("default").is_none()).collect::<BTreeSet<_>>())
}

/// Whether an object can have any field.
fn free(schema: &Value) -> Value {
    json!(schema["x-kubernetes-preserve-unknown-fields"] == true || schema["additionalProperties"] == true)
}

/// Creates a value for every property of a schema. No two strings are equal, and no two numbers where ranges allow it.
#[derive(Default)]
struct Generator {
    count: i64,
}

impl Generator {
    fn value(&mut self, schema: &Value) -> Value {
        self.count += 1;
        if let Some(values) = schema["enum"].as_array() {
            return values.iter().rfind(|value| **value != schema["default"]).unwrap().clone();
        }
        if schema["x-kubernetes-int-or-string"] == true {
            // Only quantities have a pattern, and k8s-openapi stores them as strings.
            return if schema.get("pattern").is_some() {
                json!(format!("{}Mi", self.count))
            } else {
                json!(self.count)
            };
        }
        match schema["type"].as_str().unwrap() {
            "boolean" => json!(schema["default"] != true),
            "integer" => {
                let minimum = schema["minimum"].as_i64().unwrap_or(0);
                json!((minimum + self.count).min(schema["maximum"].as_i64().unwrap_or(i64::MAX)))
            }
            "string" => json!(format!("text {}", self.count)),
            "array" => json!([self.value(&schema["items"]), self.value(&schema["items"])]),
            "object" => self.object(schema),
            other => panic!("no value for the type {other}"),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        if free(schema) == true {
            return json!({ "free": { "deep": [self.count, 1.5, true, null, "text", {}] } });
        }
        if schema["additionalProperties"].is_object() {
            return json!({ "one": self.value(&schema["additionalProperties"]), "two": self.value(&schema["additionalProperties"]) });
        }
        let properties = schema["properties"].as_object().unwrap();
        properties.iter().map(|(name, property)| (name.clone(), self.value(property))).collect::<Map<_, _>>().into()
    }
}

/// Collects the paths at which two values differ.
fn compare_values(path: &str, given: &Value, returned: &Value, differences: &mut Vec<String>) {
    match (given, returned) {
        (Value::Object(given), Value::Object(returned)) => {
            let names: BTreeSet<&String> = given.keys().chain(returned.keys()).collect();
            for name in names {
                let of = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                compare_values(&format!("{path}.{name}"), &of(given), &of(returned), differences);
            }
        }
        (Value::Array(given), Value::Array(returned)) if given.len() == returned.len() => {
            for (index, (given, returned)) in given.iter().zip(returned).enumerate() {
                compare_values(&format!("{path}[{index}]"), given, returned, differences);
            }
        }
        _ if given == returned => {}
        _ => differences.push(format!("{path}: {given} became {returned}")),
    }
}

/// Deserializes a cluster into the types of pgrender.
fn parsed(cluster: &Value) -> PostgresCluster {
    serde_path_to_error::deserialize(cluster).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the directory with the CRD and the examples, if it exists.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("PGRENDER_SHARED").map_or(beside, PathBuf::from);
    if !shared.join("pgo").is_dir() {
        println!("skipped: PGO's CRD is neither in $PGRENDER_SHARED nor in ../shared");
        return None;
    }
    Some(shared)
}

/// PGO's CRD.
fn crd() -> Option<Value> {
    documents(&shared()?.join(format!("pgo/crd/{GROUP}_postgresclusters.yaml"))).pop()
}

/// The schema of one version's spec.
fn spec_schema(crd: &Value, version: &str) -> Value {
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let version = versions.iter().find(|entry| entry["name"] == version).expect(version);
    version["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// The documents of a YAML file.
fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let unbounded = serde_saphyr::options! { budget: None };
    serde_saphyr::from_multiple_with_options(&text, unbounded)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The YAML files of a directory and of those in it.
fn find_yaml(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_yaml(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}
