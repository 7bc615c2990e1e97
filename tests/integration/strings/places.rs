//! The fields of a spec that accept any string.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A field in which a user can write a string.
pub(crate) struct Place {
    /// The name of its clusters.
    pub(crate) name: &'static str,
    /// Writes the string with this number into a spec, and returns the path of the field.
    pub(crate) put: fn(&mut Value, usize, &str) -> String,
    /// Finds the string in the objects of the cluster.
    pub(crate) find: fn(&[Value], usize) -> Option<Value>,
    /// Whether the field refuses a string.
    pub(crate) refused: fn(&str) -> bool,
}

pub(crate) const PLACES: [Place; 7] = [
    Place {
        name: "annotation",
        put: |spec, number, text| {
            spec["metadata"]["annotations"][format!("s{number}")] = json!(text);
            format!("spec.metadata.annotations.s{number}")
        },
        find: |objects, number| Some(objects[0]["metadata"]["annotations"][format!("s{number}")].clone()),
        refused: |_| false,
    },
    Place {
        name: "environment",
        put: |spec, number, text| {
            let sidecar = &mut spec["instances"][0]["containers"];
            if sidecar.is_null() {
                *sidecar = json!([{"name": "extra", "image": "example.com/extra:1", "env": []}]);
            }
            let variables = sidecar[0]["env"].as_array_mut().unwrap();
            variables.push(json!({"name": format!("S{number}"), "value": text}));
            format!("spec.instances[0].containers[0].env[{}]", variables.len() - 1)
        },
        find: |objects, number| {
            let set = objects.iter().find(|object| object["kind"] == "StatefulSet")?;
            let containers = set["spec"]["template"]["spec"]["containers"].as_array()?;
            let sidecar = containers.iter().find(|container| container["name"] == "extra")?;
            let named = |variable: &&Value| variable["name"] == format!("S{number}");
            Some(sidecar["env"].as_array()?.iter().find(named)?["value"].clone())
        },
        refused: |_| false,
    },
    Place {
        name: "parameter",
        put: |spec, number, text| {
            spec["config"]["parameters"][format!("x.s{number}")] = json!(text);
            format!("spec.config.parameters[\"x.s{number}\"]")
        },
        find: |objects, number| {
            let settings = caretaker(objects)?;
            Some(settings["dynamicConfiguration"]["postgresql"]["parameters"][format!("x.s{number}")].clone())
        },
        refused: |text| ends_its_line(text) || is_template(text),
    },
    Place {
        name: "dynamic",
        put: |spec, number, text| {
            spec["patroni"]["dynamicConfiguration"][format!("s{number}")] = json!({ "deep": [text] });
            format!("spec.patroni.dynamicConfiguration.s{number}")
        },
        find: |objects, number| {
            Some(caretaker(objects)?["dynamicConfiguration"][format!("s{number}")]["deep"][0].clone())
        },
        refused: |text| ends_its_line(text) || is_template(text),
    },
    Place {
        name: "global",
        put: |spec, number, text| {
            spec["backups"]["pgbackrest"]["repos"] = json!([{"name": "repo1", "gcs": {"bucket": "b"}}]);
            spec["backups"]["pgbackrest"]["global"][format!("s{number}")] = json!(text);
            format!("spec.backups.pgbackrest.global.s{number}")
        },
        find: |objects, number| {
            let file = &object(objects, "ConfigMap", "-pgbackrest-config")?["data"]["pgbackrest_cloud.conf"];
            // An empty value leaves no space at the end of its line.
            let value = |line: &str| {
                let rest = line.strip_prefix(&format!("s{number} ="))?.to_owned();
                Some(json!(rest.strip_prefix(' ').unwrap_or(&rest)))
            };
            file.as_str()?.split('\n').find_map(value)
        },
        // pgBackRest does not accept an option without a value, or spaces at the ends of a value.
        refused: |text| {
            ends_its_line(text) || is_template(text) || text.is_empty() || text.trim_matches([' ', '\t']) != text
        },
    },
    Place {
        name: "options",
        put: |spec, number, text| user(spec, number, json!({"options": text})),
        find: |objects, number| Some(role(objects, number)?["options"].clone()),
        // The rules of the CRD, templates, and what is not allowed in SQL. Line breaks are white space there.
        refused: |text| {
            text.contains(';')
                || text.contains("--")
                || text.chars().count() > 200
                || is_template(text)
                || text.split(['\n', '\r']).any(ends_its_line)
        },
    },
    Place {
        name: "database",
        put: |spec, number, text| user(spec, number, json!({"databases": [text]})),
        find: |objects, number| {
            let name = object(objects, "Secret", &format!("-pguser-s{number}"))?["data"]["dbname"].clone();
            let role = role(objects, number)?["databases"][0].clone();
            assert_eq!(json!(decode(&name)), role);
            Some(role)
        },
        // Postgres truncates longer names and does not accept an empty one.
        refused: |text| {
            text.is_empty() || text.len() > 63 || ends_its_line(text) || is_template(text) || text.contains('\t')
        },
    },
];

/// No two programs treat this alike: one fills in the template, and another uses the text unchanged.
fn is_template(text: &str) -> bool {
    text.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}"))
}

/// Characters that would begin another setting for some reader if a setting is a line, or that are invisible.
fn ends_its_line(text: &str) -> bool {
    text.contains(|character: char| {
        (character.is_control() && character != '\t') || matches!(character, '\u{2028}' | '\u{2029}')
    })
}

fn user(spec: &mut Value, number: usize, mut user: Value) -> String {
    user["name"] = json!(format!("s{number}"));
    if spec["users"].is_null() {
        spec["users"] = json!([]);
    }
    let users = spec["users"].as_array_mut().unwrap();
    users.push(user);
    format!("spec.users[{}]", users.len() - 1)
}

fn object<'a>(objects: &'a [Value], kind: &str, suffix: &str) -> Option<&'a Value> {
    let named = |object: &&Value| object["metadata"]["name"].as_str().is_some_and(|name| name.ends_with(suffix));
    objects.iter().filter(|object| object["kind"] == kind).find(named)
}

/// The settings of the caretaker.
fn caretaker(objects: &[Value]) -> Option<Value> {
    let settings = object(objects, "ConfigMap", "-caretaker")?["data"]["caretaker.json"].as_str()?;
    serde_json::from_str(settings).ok()
}

/// The settings of a user for the caretaker.
fn role(objects: &[Value], number: usize) -> Option<Value> {
    let roles = decode(&object(objects, "Secret", "-caretaker")?["data"]["roles.json"]);
    let roles: Value = serde_json::from_str(&roles).ok()?;
    roles["users"].as_array()?.iter().find(|user| user["name"] == format!("s{number}")).cloned()
}

fn decode(text: &Value) -> String {
    String::from_utf8(STANDARD.decode(text.as_str().unwrap()).unwrap()).unwrap()
}
