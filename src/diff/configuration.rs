//! Reads the configuration files in ConfigMaps and Secrets, so that a change of one setting is a change of one field.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::read;

/// Replaces the texts of known files in a ConfigMap or Secret by what they contain.
pub(super) fn read(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    match fields.get("kind").and_then(Value::as_str) {
        Some("ConfigMap") => {
            let Some(data) = fields.get_mut("data").and_then(Value::as_object_mut) else { return };
            for (key, value) in data.iter_mut() {
                if let Some(content) = value.as_str().and_then(|text| content(key, text)) {
                    *value = content;
                }
            }
        }
        Some("Secret") => {
            let values = decoded(fields).into_iter().map(|(key, bytes)| {
                let text = String::from_utf8(bytes).unwrap_or_else(|error| format!("{:?}", error.as_bytes()));
                let value = content(&key, &text).unwrap_or(Value::String(text));
                (key, value)
            });
            let values: Map<String, Value> = values.collect();
            fields.shift_remove("stringData");
            fields.insert("data".to_owned(), values.into());
        }
        _ => {}
    }
}

/// Decodes the values of a Secret, so that both forms of it are the same.
fn decoded(fields: &Map<String, Value>) -> BTreeMap<String, Vec<u8>> {
    let mut values = BTreeMap::new();
    for (key, value) in fields.get("data").and_then(Value::as_object).into_iter().flatten() {
        let text: String = value.as_str().unwrap_or_default().split_whitespace().collect();
        values.insert(key.clone(), STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()));
    }
    for (key, value) in fields.get("stringData").and_then(Value::as_object).into_iter().flatten() {
        values.insert(key.clone(), value.as_str().unwrap_or_default().as_bytes().to_vec());
    }
    values
}

/// Returns the content of a configuration file, or `None` if it is no such file or cannot be read.
fn content(name: &str, text: &str) -> Option<Value> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension {
        "json" if name.starts_with("caretaker") || name.starts_with("roles") || name.starts_with("restore-drill") => {
            serde_json::from_str(text).ok()
        }
        "yaml" if name.starts_with("patroni") || name.starts_with("collector") => yaml(text),
        "conf" | "ini" => Some(ini(text)),
        _ => None,
    }
}

fn yaml(text: &str) -> Option<Value> {
    let documents = read::documents("", text).ok()?;
    match documents.as_slice() {
        [only] => Some(only.node.to_json()),
        _ => None,
    }
}

/// The sections of the files of pgBackRest and pgBouncer. A setting that is written several times keeps all its values.
fn ini(text: &str) -> Value {
    let mut sections = Map::new();
    let mut section = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key.trim(), value.trim()));
        let settings = sections.entry(section.clone()).or_insert_with(|| Value::Object(Map::new()));
        let Some(settings) = settings.as_object_mut() else { continue };
        match settings.get_mut(key).and_then(|earlier| earlier.as_str().map(|text| format!("{text}, {value}"))) {
            Some(all) => settings.insert(key.to_owned(), all.into()),
            None => settings.insert(key.to_owned(), value.into()),
        };
    }
    Value::Object(sections)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_become_fields() {
        let mut object = json!({"kind": "ConfigMap", "data": {
            "pgbackrest_instance.conf": "# c\n\n[global]\nrepo1-path = /a\n[db]\npg1-path = /b\npg1-path = /c\n",
            "patroni.yaml": "bootstrap:\n  dcs: {ttl: 30}\n",
            "caretaker.py": "[a]\nb = 1\n",
        }});
        read(&mut object);
        let data = json!({
            "pgbackrest_instance.conf": {"global": {"repo1-path": "/a"}, "db": {"pg1-path": "/b, /c"}},
            "patroni.yaml": {"bootstrap": {"dcs": {"ttl": 30}}},
            "caretaker.py": "[a]\nb = 1\n",
        });
        assert_eq!(object["data"], data);
    }

    #[test]
    fn both_forms_of_a_secret_are_the_same() {
        let mut one = json!({"kind": "Secret", "data": {"a": "aGk="}});
        let mut other = json!({"kind": "Secret", "stringData": {"a": "hi"}});
        read(&mut one);
        read(&mut other);
        assert_eq!(one["data"], other["data"]);
    }
}
