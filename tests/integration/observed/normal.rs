//! The common form in which both sides are compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::observed::texts;

/// Kind and name.
pub(crate) type Identity = (String, String);

/// Objects in that form. PGO has several objects per instance set, so a name can occur several times.
pub(crate) type Objects = Vec<(Identity, Value)>;

/// Converts an object: configuration files are parsed, scripts are removed, and permissions are listed one by one.
pub(crate) fn described(mut object: Value) -> (Identity, Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let identity = (text(&object["kind"]), text(&object["metadata"]["name"]));
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.entry("annotations").or_insert_with(|| json!({}));
    if identity.0 == "ConfigMap" {
        for (key, value) in object["data"].as_object_mut().unwrap() {
            *value = texts::parsed(key, value.as_str().unwrap());
        }
    }
    if let Some(rules) = object.get_mut("rules") {
        *rules = rights(rules.as_array().unwrap());
    }
    forget_form(&mut object);
    (identity, object)
}

/// Returns each permission, `<resource> <verb>`, with the names that it is for, or `any`.
fn rights(rules: &[Value]) -> Value {
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        rule[key].as_array().into_iter().flatten().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let mut rights: BTreeMap<String, Value> = BTreeMap::new();
    for rule in rules {
        let group = if rule["resources"] == json!(["endpointslices"]) { "discovery.k8s.io" } else { "" };
        assert_eq!(rule["apiGroups"], json!([group]));
        let names = texts(rule, "resourceNames");
        for (resource, verb) in texts(rule, "resources")
            .iter()
            .flat_map(|one| texts(rule, "verbs").into_iter().map(move |verb| (one.clone(), verb)))
        {
            let names = if names.is_empty() { json!("any") } else { json!(names) };
            rights.insert(format!("{resource} {verb}"), names);
        }
    }
    json!(rights)
}

/// Removes what has the same meaning in another form: `resources: {}`, and the text of scripts, which other tests run.
fn forget_form(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("resources") == Some(&Value::Object(Map::new())) {
                map.shift_remove("resources");
            }
            if let Some(words) = map.get_mut("command").and_then(Value::as_array_mut) {
                words.iter_mut().filter(|word| is_script(word)).for_each(|word| *word = json!("(script)"));
            }
            map.values_mut().for_each(forget_form);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_form),
        _ => {}
    }
}

/// `observed` has the length of a script instead of its text.
fn is_script(word: &Value) -> bool {
    let word = word.as_str().unwrap();
    word.starts_with("(script, ") || word.contains('\n')
}
