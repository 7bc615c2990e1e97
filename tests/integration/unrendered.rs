//! Tests that every field of the spec has an effect, or that its user gets a message. `unrendered/fields.yaml` lists all
//! fields, with a value for each.

mod effects;
mod page;
mod restore;

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use pgrender::diagnostic::{Diagnostic, FieldPath, Segment, Severity};
use pgrender::identity::Seed;
use pgrender::options::Options;
use pgrender::postgres_cluster::spec::json_schema;
use pgrender::read;
use pgrender::render::render;
use serde_json::{Map, Value, json};

/// The content of `fields.yaml`.
struct Fields(Value);

impl Fields {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/unrendered/fields.yaml");
        let documents = read::documents(path, &fs::read_to_string(path).unwrap()).unwrap();
        Self(documents[0].node.to_json())
    }

    fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap()
    }

    /// Returns the cluster in which `field` will be set.
    fn before(&self, field: &FieldPath) -> Value {
        let mut cluster = self.0["cluster"].clone();
        let given = self.section("given").iter().filter(|(path, _)| field.0.starts_with(&FieldPath::of(path).0));
        let longest = given.max_by_key(|(path, _)| path.len()).and_then(|(_, given)| given.as_object());
        for (path, value) in longest.into_iter().flatten() {
            set(&mut cluster, &FieldPath::of(path), value);
        }
        cluster
    }

    /// Returns the objects and the messages before and after `field` is set.
    fn difference(&self, field: &FieldPath, value: &Value) -> [(Vec<Value>, Vec<Diagnostic>); 2] {
        with_and_without(&self.before(field), field, value)
    }
}

/// Returns the objects and the messages of a cluster before and after `field` is set.
fn with_and_without(before: &Value, field: &FieldPath, value: &Value) -> [(Vec<Value>, Vec<Diagnostic>); 2] {
    let mut after = before.clone();
    set(&mut after, field, value);
    [before, &after].map(rendered)
}

/// Sets a field, and creates its parents.
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
    let objects =
        rendered.resources.into_iter().flat_map(|resource| resource.objects).map(|object| object.to_value()).collect();
    (objects, rendered.diagnostics)
}

/// Collects the fields below a schema, down to those that are not an object of pgrender's own types: a text, a list of texts, a
/// map, or a type of Kubernetes. It does not go below a path in `stop`.
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

/// Returns a path without the indexes of lists.
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
    let (acts, warns) = (listed("acts"), &listed("warns") | &listed("refused"));
    let schema = json_schema();
    let mut all = BTreeSet::new();
    walk(&schema["definitions"], &json!({"$ref": "#/definitions/PostgresClusterSpec"}), "spec", &warns, &mut all);
    let both: Vec<_> = acts.intersection(&warns).collect();
    assert!(both.is_empty(), "{both:?}");
    let listed = &acts | &warns;
    let different: Vec<_> = listed.symmetric_difference(&all).collect();
    assert!(different.is_empty(), "{different:?}");
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
fn what_costs_data_when_it_is_left_out_is_refused() {
    let fields = Fields::read();
    for (path, value) in fields.section("refused") {
        let field = FieldPath::of(path);
        let [(_, before), (after, diagnostics)] = fields.difference(&field, value);
        let told = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect::<Vec<_>>();
        // A rule of the CRD may be about the object that has the field.
        let is_same = |at: &FieldPath| at.0.starts_with(&field.0) || field.0.starts_with(&at.0);
        let at = |diagnostic: &Diagnostic| diagnostic.field.as_ref().is_some_and(is_same);
        assert!(told.len() == 1 && at(told[0]) && !before.contains(told[0]), "{path}: {told:?}");
        assert!(after.is_empty(), "{path}");
    }
}

#[test]
fn an_empty_data_source_is_an_error() {
    for empty in [json!({}), json!({"postgresCluster": null, "volumes": null})] {
        let [(_, before), (after, told)] = Fields::read().difference(&FieldPath::of("spec.dataSource"), &empty);
        let is_it = |diagnostic: &Diagnostic| diagnostic.message.contains("names no source");
        assert!(after.is_empty() && told.iter().any(is_it), "{told:?}");
        assert!(!before.iter().any(is_it), "{before:?}");
    }
}

#[test]
fn snapshots_are_refused_where_nothing_else_backs_up() {
    let mut cluster = Fields::read().0["cluster"].clone();
    set(&mut cluster, &FieldPath::of("spec.backups"), &json!({"snapshots": {"volumeSnapshotClassName": "other"}}));
    let (_, diagnostics) = rendered(&cluster);
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let fields: Vec<String> = errors.filter_map(|error| Some(error.field.as_ref()?.to_string())).collect();
    assert_eq!(fields, ["spec.backups.snapshots"]);
}

/// Renders the cluster of `fields.yaml` with these fields. Returns the objects, and what is said about fields whose path contains
/// one of the words: the field and the message.
fn said_about(words: &[&str], changes: &[(&str, Value)]) -> (Vec<Value>, Vec<(String, Diagnostic)>) {
    let mut cluster = Fields::read().0["cluster"].clone();
    for (path, value) in changes {
        set(&mut cluster, &FieldPath::of(path), value);
    }
    let (objects, diagnostics) = rendered(&cluster);
    let with_field = |diagnostic: Diagnostic| {
        let field = diagnostic.field.as_ref().map(ToString::to_string).unwrap_or_default();
        words.iter().any(|word| field.contains(word)).then_some((field, diagnostic))
    };
    (objects, diagnostics.into_iter().filter_map(with_field).collect())
}

fn on_demand(changes: &[(&str, Value)]) -> (Vec<Value>, Vec<(String, Diagnostic)>) {
    said_about(&["manual", "pgbackrest-backup"], changes)
}

/// The annotation with this value.
fn requested(value: &str) -> (&'static str, Value) {
    ("metadata.annotations", json!({"postgres-operator.crunchydata.com/pgbackrest-backup": value}))
}

fn manual(repository: &str, options: &[&str]) -> (&'static str, Value) {
    ("spec.backups.pgbackrest.manual", json!({"repoName": repository, "options": options}))
}

/// What the repo host and the caretaker are asked to do.
fn requests(objects: &[Value]) -> (String, Value) {
    let config = |name: &str| {
        objects.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == name).unwrap()
    };
    let settings = config("hippo-caretaker")["data"]["caretaker.json"].as_str().unwrap();
    let settings: Value = serde_json::from_str(settings).unwrap();
    let file = config("hippo-pgbackrest-config")["data"]["manual-backup"].as_str().unwrap();
    (file.to_owned(), settings["manualBackup"].clone())
}

#[test]
fn a_backup_on_demand_is_taken_where_its_repository_can_be_written() {
    let (objects, said) =
        on_demand(&[manual("repo1", &["--type full", "--start-fast", "--no-resume"]), requested("a b")]);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(requests(&objects), ("a b\n1\n--type=full\n--start-fast\n--no-resume\n".to_owned(), Value::Null));
    let (objects, said) = on_demand(&[manual("repo2", &["--type", "diff"]), requested("now")]);
    assert!(said.is_empty(), "{said:?}");
    let expected = json!({"trigger": "now", "repository": 2, "options": ["--type=diff"]});
    assert_eq!(requests(&objects), (String::new(), expected));
    let paused = ("spec.paused", json!(true));
    let (objects, _) = on_demand(&[manual("repo1", &[]), requested("now"), paused]);
    assert_eq!(requests(&objects), (String::new(), Value::Null));
}

/// No pod restarts because of a request: only files change, and what says that they have changed.
#[test]
fn a_backup_on_demand_changes_no_pod() {
    let (before, _) = on_demand(&[]);
    for repository in ["repo1", "repo2"] {
        let (after, _) = on_demand(&[manual(repository, &["--type=full"]), requested("now")]);
        assert_eq!(before.len(), after.len());
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
        let changed: BTreeSet<String> = changed.map(|(_, after)| after["metadata"]["name"].to_string()).collect();
        let file = if repository == "repo1" { "\"hippo-pgbackrest-config\"" } else { "\"hippo-caretaker\"" };
        assert_eq!(changed, BTreeSet::from([file.to_owned(), "\"hippo-fingerprints\"".to_owned()]));
    }
}

#[test]
fn a_backup_that_is_not_taken_is_told_with_what_is_missing() {
    const ANNOTATION: &str = r#"metadata.annotations["postgres-operator.crunchydata.com/pgbackrest-backup"]"#;
    let standby = ("spec.standby", json!({"enabled": true, "repoName": "repo1"}));
    for (changes, field, expected) in [
        (vec![("spec.backups", json!({})), requested("now")], ANNOTATION, "this cluster has no backups"),
        (vec![requested("now")], ANNOTATION, "also write the repository in `spec.backups.pgbackrest.manual.repoName`"),
        (vec![manual("repo1", &[])], "spec.backups.pgbackrest.manual", "also annotate the cluster with `postgres-op"),
        (vec![manual("repo1", &[]), requested("")], ANNOTATION, "because it is empty"),
        (vec![manual("repo1", &[]), requested("now"), standby], ANNOTATION, "because this is a standby cluster"),
    ] {
        let (objects, said) = on_demand(&changes);
        let [(at, diagnostic)] = said.as_slice() else { panic!("{said:?}") };
        assert!(diagnostic.message.contains(expected), "{diagnostic:?}");
        assert_eq!((at.as_str(), diagnostic.severity), (field, Severity::Warning), "{diagnostic:?}");
        assert!(!objects.is_empty());
    }
    for value in ["a\nb", "a\u{1}b", "a\tb", &"x".repeat(1025)] {
        let (objects, said) = on_demand(&[manual("repo1", &[]), requested(value)]);
        let [(at, diagnostic)] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!((at.as_str(), diagnostic.severity), (ANNOTATION, Severity::Error), "{diagnostic:?}");
        assert!(objects.is_empty());
    }
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

/// The first message about a field that is not there without the field.
fn message(fields: &Fields, field: &FieldPath, value: &Value) -> String {
    let [(_, before), (_, after)] = fields.difference(field, value);
    let new =
        after.into_iter().find(|diagnostic| diagnostic.severity != Severity::Info && !before.contains(diagnostic));
    new.map(|diagnostic| diagnostic.message).unwrap_or_default()
}

/// `SNAPSHOTS=overwrite cargo test --test integration unrendered::` updates the data that the program includes, and the page.
#[test]
fn the_effects_of_fields_and_their_page_are_up_to_date() {
    let measured = effects::measure(&Fields::read());
    for (file, text) in [
        ("src/postgres_cluster/explain/effects.json", effects::file(&measured)),
        ("docs/fields.md", page::write(&measured)),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
            fs::write(&path, &text).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap() == text,
            "{file} is not up to date: run `SNAPSHOTS=overwrite cargo test --test integration unrendered::`"
        );
    }
}
