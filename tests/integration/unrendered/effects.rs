//! Measures what each field changes: it renders a cluster with and without the field, and compares the objects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pgrender::diagnostic::FieldPath;
use pgrender::explain::{Change, Effect, path};
use serde_json::{Value, json};

use super::{Fields, any_item, message, set, with_and_without};

const PREFIX: &str = "postgres-operator.crunchydata.com/";

/// The effects of all fields and annotations that `fields.yaml` lists.
pub(super) fn measure(fields: &Fields) -> BTreeMap<String, Effect> {
    let mut effects = BTreeMap::new();
    for (path, value) in fields.section("acts") {
        let [(before, _), (after, _)] = fields.difference(&FieldPath::of(path), value);
        effects.insert(any_item(path), Effect::Changes(changes(&before, &after)));
    }
    for (path, value) in fields.section("warns") {
        effects.insert(any_item(path), Effect::Warning(message(fields, &FieldPath::of(path), value)));
    }
    for (path, value) in fields.section("refused") {
        effects.insert(any_item(path), Effect::Error(message(fields, &FieldPath::of(path), value)));
    }
    annotations(fields, &mut effects);
    effects
}

fn annotations(fields: &Fields, effects: &mut BTreeMap<String, Effect>) {
    let acting = fields.section("annotated");
    for (key, measured) in acting {
        let field = FieldPath::of("metadata.annotations").key(key);
        let mut cluster = fields.before(&field);
        for (path, value) in measured["given"].as_object().into_iter().flatten() {
            set(&mut cluster, &FieldPath::of(path), value);
        }
        let [(before, _), (after, told)] = with_and_without(&cluster, &field, &measured["value"]);
        assert!(!before.is_empty() && !after.is_empty() && before != after, "{key}: {told:?}");
        let key = key.replace(".rhino", ".<user>");
        effects.insert(path::join("metadata.annotations", &key), Effect::Changes(changes(&before, &after)));
    }
    for (name, value) in fields.section("annotations") {
        let key = format!("{PREFIX}{name}");
        let field = FieldPath::of("metadata.annotations").key(&key);
        if !acting.contains_key(&key) {
            let path = path::join("metadata.annotations", &key);
            effects.insert(path, Effect::Warning(message(fields, &field, value)));
        }
    }
}

/// The effects as a file with one line for each field.
pub(super) fn file(effects: &BTreeMap<String, Effect>) -> String {
    let mut text = "{\n".to_owned();
    for (position, (path, effect)) in effects.iter().enumerate() {
        let end = if position + 1 < effects.len() { "," } else { "" };
        writeln!(text, "{}:{}{end}", json!(path), serde_json::to_string(effect).unwrap()).unwrap();
    }
    text + "}\n"
}

/// What is different, by the roles of the objects. Objects with the same differences are together.
fn changes(before: &[Value], after: &[Value]) -> Vec<Change> {
    let mut by_object: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let [before, after] = [before, after].map(by_name);
    let names: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let mut found = BTreeSet::new();
        match (old, new) {
            (Some(old), Some(new)) => compare("", old, new, &mut found),
            _ => _ = found.insert(String::new()),
        }
        if !found.is_empty() {
            by_object.entry(role(old.or(new).unwrap())).or_default().extend(found);
        }
    }
    // Fingerprints follow from what else changes.
    if by_object.len() > 1 {
        by_object.remove("ConfigMap {cluster}-fingerprints");
    }
    let mut by_fields: Vec<Change> = Vec::new();
    for (object, found) in by_object {
        // If an object comes or goes, its fields do not matter.
        let fields = if found.contains("") { Vec::new() } else { summary(&found) };
        match by_fields.iter_mut().find(|change| change.fields == fields) {
            Some(change) => change.objects.push(object),
            None => by_fields.push(Change { objects: vec![object], fields }),
        }
    }
    let all: BTreeSet<String> = after.values().map(|object| role(object)).collect();
    for change in &mut by_fields {
        // All but the ConfigMap of fingerprints.
        if all.len() > 5 && change.objects.len() + 1 >= all.len() {
            change.objects = vec!["every object".to_owned()];
        }
    }
    by_fields
}

fn by_name(objects: &[Value]) -> BTreeMap<(String, String), &Value> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    objects.iter().map(|object| ((text(&object["kind"]), text(&object["metadata"]["name"])), object)).collect()
}

/// The kind of an object, and its name with words for the parts that depend on the spec.
fn role(object: &Value) -> String {
    let metadata = &object["metadata"];
    let (kind, name) = (object["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap());
    let mut name = name.to_owned();
    for (label, word) in [("instance-set", "{set}"), ("pguser", "{user}"), ("pgbackrest-repo", "{repository}")] {
        let part = metadata["labels"][format!("{PREFIX}{label}")].as_str();
        if let Some((start, part)) = part.and_then(|part| Some((name.rfind(&format!("-{part}"))? + 1, part))) {
            name.replace_range(start..start + part.len(), word);
        }
    }
    if kind == "PersistentVolumeClaim"
        && let Some((rest, ordinal)) = name.rsplit_once('-')
        && ordinal.parse::<u32>().is_ok()
    {
        name = format!("{rest}-{{ordinal}}");
    }
    format!("{kind} {}", name.replacen("hippo", "{cluster}", 1))
}

/// Collects the paths of what is different.
fn compare(path: &str, before: &Value, after: &Value, found: &mut BTreeSet<String>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => compare(&path::join(path, name), before, after, found),
                    // The keys of these maps are the user's.
                    _ if ["labels", "annotations", "matchLabels"].iter().any(|map| path.ends_with(map)) => {
                        found.insert(path.to_owned());
                    }
                    _ => _ = found.insert(path::join(path, name)),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => lists(path, before, after, found),
        _ => _ = found.insert(path.to_owned()),
    }
}

/// Items are compared by name, or by position if they have none.
fn lists(path: &str, before: &[Value], after: &[Value], found: &mut BTreeSet<String>) {
    let with_names = |items: &[Value]| -> Option<BTreeMap<String, Value>> {
        items.iter().map(|item| Some((item["name"].as_str()?.to_owned(), item.clone()))).collect()
    };
    let is_object = |items: &[Value]| items.iter().all(Value::is_object);
    match (with_names(before), with_names(after)) {
        (Some(before), Some(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let count = found.len();
            for name in names {
                match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => compare(&format!("{path}[{name}]"), before, after, found),
                    _ => _ = found.insert(format!("{path}[]")),
                }
            }
            if found.len() == count {
                found.insert(path.to_owned());
            }
        }
        _ if before.len() == after.len() && is_object(before) && is_object(after) => {
            for (before, after) in before.iter().zip(after) {
                compare(&format!("{path}[]"), before, after, found);
            }
        }
        _ => _ = found.insert(path.to_owned()),
    }
}

/// Replaces the names of containers by `*` where the same field of several changes.
fn summary(found: &BTreeSet<String>) -> Vec<String> {
    let mut alike: BTreeMap<(String, String), BTreeSet<&String>> = BTreeMap::new();
    for path in found {
        let split = ["initContainers[", "containers["].iter().find_map(|list| {
            let start = path.find(list)? + list.len();
            let end = start + path[start..].find(']')?;
            (end > start).then(|| (path[..start].to_owned(), path[end..].to_owned()))
        });
        alike.entry(split.unwrap_or_else(|| (path.clone(), String::new()))).or_default().insert(path);
    }
    let written = alike.into_iter().map(|((before, after), paths)| match paths.first() {
        Some(only) if paths.len() == 1 => (*only).clone(),
        _ => format!("{before}*{after}"),
    });
    // `more` is the name of an additional volume in `fields.yaml`.
    let written = written.map(|path| path.replace("[volumes-more]", "[volumes-{name}]"));
    written.collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn differences_are_found_and_named() {
    let object = |kind: &str, name: &str, labels: Value, spec: Value| json!({"kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec});
    let of_set = json!({"postgres-operator.crunchydata.com/instance-set": "set"});
    let spec =
        |image: &str| json!({"containers": [{"name": "a", "image": image}, {"name": "b", "image": image}], "x": [1]});
    let before = [
        object("StatefulSet", "hippo-set", of_set.clone(), spec("one")),
        object("Service", "hippo-ha", json!({}), json!({"type": "A"})),
        object("Service", "hippo-gone", json!({}), json!({})),
    ];
    let after = [
        object("StatefulSet", "hippo-set", of_set, spec("two")),
        object("Service", "hippo-ha", json!({"example.com/a": "b"}), json!({"type": "B"})),
    ];
    let found = changes(&before, &after);
    let written = found.iter().map(|change| (change.objects.join(", "), change.fields.join(", "))).collect::<Vec<_>>();
    let expected = [
        ("Service {cluster}-gone", ""),
        ("Service {cluster}-ha", "metadata.labels, spec.type"),
        ("StatefulSet {cluster}-{set}", "spec.containers[*].image"),
    ];
    assert_eq!(written, expected.map(|(object, fields)| (object.to_owned(), fields.to_owned())));
    assert!(changes(&before, &before).is_empty());
}
