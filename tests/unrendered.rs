//! Every field of the spec acts, or its author is told that it does not. `unrendered/fields.yaml` lists them all, with a value
//! for each.

#![expect(clippy::disallowed_methods, reason = "a test reads files")]
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

use std::collections::BTreeSet;
use std::fs;

use pgrender::identity::Seed;
use pgrender::options::Options;
use pgrender::read;
use pgrender::render::render;
use pgrender::report::{Diagnostic, FieldPath, Segment, Severity};
use pgrender::spec::json_schema;
use serde_json::{Map, Value, json};

/// The content of `fields.yaml`.
struct Fields(Value);

impl Fields {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/unrendered/fields.yaml");
        let documents = read::documents(path, &fs::read_to_string(path).unwrap()).unwrap();
        Self(documents[0].node.to_json())
    }

    fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap()
    }

    /// The cluster in which `field` is set.
    fn before(&self, field: &FieldPath) -> Value {
        let mut cluster = self.0["cluster"].clone();
        let given = self.section("given").iter().filter(|(path, _)| field.0.starts_with(&FieldPath::of(path).0));
        let longest = given.max_by_key(|(path, _)| path.len()).and_then(|(_, given)| given.as_object());
        for (path, value) in longest.into_iter().flatten() {
            set(&mut cluster, &FieldPath::of(path), value);
        }
        cluster
    }

    /// What is rendered, and said, before and after `field` is set.
    fn difference(&self, field: &FieldPath, value: &Value) -> [(Vec<Value>, Vec<Diagnostic>); 2] {
        let before = self.before(field);
        let mut after = before.clone();
        set(&mut after, field, value);
        [before, after].map(|cluster| rendered(&cluster))
    }
}

/// Sets a field, and makes what it is in.
fn set(object: &mut Value, field: &FieldPath, value: &Value) {
    let mut place = object;
    for segment in &field.0 {
        place = match segment {
            Segment::Key(key) => &mut place[key],
            Segment::Index(index) => {
                if place.is_null() {
                    *place = json!([]);
                }
                let list = place.as_array_mut().unwrap();
                if list.len() <= *index {
                    list.resize(index + 1, Value::Null);
                }
                &mut list[*index]
            }
        };
    }
    *place = value.clone();
}

fn rendered(cluster: &Value) -> (Vec<Value>, Vec<Diagnostic>) {
    let documents = read::documents("cluster.json", &cluster.to_string()).unwrap();
    let seed = Seed::new(b"the fields that are not rendered are found without a secret").ok().unwrap();
    let options = Options { time: 1_767_225_600, ..Options::default() };
    let rendered = render(&documents, &options, Ok(&seed));
    let objects = rendered.clusters.into_iter().flat_map(|cluster| cluster.objects).collect();
    (objects, rendered.diagnostics)
}

/// The fields below a schema, down to those that are not an object of this program's own: a text, a list of texts, a map, a
/// type of Kubernetes. Below a path in `stop`, no further.
fn walk(definitions: &Value, schema: &Value, path: &str, stop: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    let name = schema["$ref"].as_str().map(|reference| reference.trim_start_matches("#/definitions/"));
    let definition = name.map_or(schema, |name| &definitions[name]);
    let is_ours = !name.is_some_and(|name| name.starts_with("io.k8s."));
    match definition["properties"].as_object() {
        _ if stop.contains(path) => _ = found.insert(path.to_owned()),
        Some(properties) if is_ours => {
            for (key, property) in properties {
                walk(definitions, property, &format!("{path}.{key}"), stop, found);
            }
        }
        _ if is_list_of_ours(definitions, definition) => {
            walk(definitions, &definition["items"], &format!("{path}[]"), stop, found);
        }
        _ => _ = found.insert(path.to_owned()),
    }
}

fn is_list_of_ours(definitions: &Value, schema: &Value) -> bool {
    let name = schema["items"]["$ref"].as_str().unwrap_or_default().trim_start_matches("#/definitions/");
    !name.starts_with("io.k8s.") && definitions[name]["properties"].is_object()
}

/// A path without the numbers of list items.
fn any_item(path: &str) -> String {
    let mut text = String::new();
    for segment in FieldPath::of(path).0 {
        match segment {
            Segment::Key(key) if text.is_empty() => text = key,
            Segment::Key(key) => text = format!("{text}.{key}"),
            Segment::Index(_) => text += "[]",
        }
    }
    text
}

#[test]
fn every_field_of_the_spec_is_listed() {
    let fields = Fields::read();
    let listed = |section: &str| fields.section(section).keys().map(|path| any_item(path)).collect::<BTreeSet<_>>();
    let (acts, warns) = (listed("acts"), listed("warns"));
    let schema = json_schema();
    let mut all = BTreeSet::new();
    walk(&schema["definitions"], &json!({"$ref": "#/definitions/PostgresClusterSpec"}), "spec", &warns, &mut all);
    let both: Vec<_> = acts.intersection(&warns).collect();
    assert!(both.is_empty(), "{both:?}");
    assert_eq!(acts.union(&warns).cloned().collect::<BTreeSet<_>>(), all);
}

#[test]
fn what_acts_changes_what_is_rendered() {
    let fields = Fields::read();
    let mut idle = Vec::new();
    for (path, value) in fields.section("acts") {
        let [(before, _), (after, diagnostics)] = fields.difference(&FieldPath::of(path), value);
        if before == after || before.is_empty() || after.is_empty() {
            idle.push(format!("{path}: {diagnostics:?}"));
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

#[test]
fn what_does_not_act_gives_a_warning() {
    let fields = Fields::read();
    let mut silent = Vec::new();
    let annotations = fields.section("annotations").iter().map(|(key, value)| {
        let key = format!("postgres-operator.crunchydata.com/{key}");
        (FieldPath::of("metadata.annotations").key(key), value)
    });
    for (field, value) in
        fields.section("warns").iter().map(|(path, value)| (FieldPath::of(path), value)).chain(annotations)
    {
        let [(_, before), (after, diagnostics)] = fields.difference(&field, value);
        let told = diagnostics.iter().any(|diagnostic| {
            diagnostic.severity == Severity::Warning
                && !before.contains(diagnostic)
                && diagnostic.field.as_ref().is_some_and(|at| field.0.starts_with(&at.0))
        });
        if !told || after.is_empty() {
            silent.push(format!("{field}: {diagnostics:?}"));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
