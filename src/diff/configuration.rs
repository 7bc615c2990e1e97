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
            gather_repositories(data);
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
    let mut sections: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    let mut section = "";
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key.trim(), value.trim()));
        sections.entry(section).or_default().entry(key).or_default().push(value);
    }
    let settings = |settings: BTreeMap<&str, Vec<&str>>| -> Value {
        settings.into_iter().map(|(key, values)| (key.to_owned(), Value::from(values.join(", ")))).collect()
    };
    sections.into_iter().map(|(name, all)| (name.to_owned(), settings(all))).collect()
}

/// Moves the options of repositories out of pgBackRest's files, because one of these files is not there in every cluster, and most
/// of them repeat the same options: `data["pgbackrest.conf"].repo1.path`. How a file reaches the repo host stays in it.
fn gather_repositories(data: &mut Map<String, Value>) {
    let mut repositories: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (_, file) in data.iter_mut().filter(|(name, _)| name.starts_with("pgbackrest_")) {
        let Some(global) = file.get_mut("global").and_then(Value::as_object_mut) else { continue };
        global.retain(|name, value| {
            let parts = name.split_once('-').filter(|(repository, _)| is_repository(repository));
            let Some((repository, option)) = parts.filter(|(_, option)| !option.starts_with("host")) else {
                return true;
            };
            let options = repositories.entry(repository.to_owned()).or_default();
            options.insert(option.to_owned(), value.clone());
            false
        });
    }
    if repositories.is_empty() {
        return;
    }
    for options in repositories.values_mut() {
        // The number alone does not say what is kept.
        for retention in ["retention-full", "retention-archive"] {
            let unit = options.shift_remove(&format!("{retention}-type"));
            if let Some(Value::String(number)) = options.get_mut(retention) {
                let unit = unit.as_ref().and_then(Value::as_str).unwrap_or("count");
                *number = format!(
                    "{number} {}",
                    if unit == "count" {
                        "backups"
                    } else if unit == "time" {
                        "days"
                    } else {
                        unit
                    }
                );
            }
        }
    }
    let repositories = repositories.into_iter().map(|(name, options)| (name, Value::Object(options)));
    data.insert("pgbackrest.conf".to_owned(), Value::Object(repositories.collect()));
}

fn is_repository(word: &str) -> bool {
    word.strip_prefix("repo")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_become_fields() {
        let mut object = json!({"kind": "ConfigMap", "data": {
            "pgbackrest_instance.conf": "# c\n\n[global]\nrepo1-path = /a\nrepo1-host = h\n[db]\npg1-path = /b\npg1-path = /c\n",
            "pgbackrest_repo.conf": "[global]\nrepo1-path = /a\nrepo1-retention-full = 4\nrepo1-retention-full-type = time\n",
            "patroni.yaml": "bootstrap:\n  dcs: {ttl: 30}\n",
            "caretaker.py": "[a]\nb = 1\n",
        }});
        read(&mut object);
        let data = json!({
            "pgbackrest_instance.conf": {"global": {"repo1-host": "h"}, "db": {"pg1-path": "/b, /c"}},
            "pgbackrest_repo.conf": {"global": {}},
            "pgbackrest.conf": {"repo1": {"path": "/a", "retention-full": "4 days"}},
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
