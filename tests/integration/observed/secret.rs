//! Describes Secrets as `observed` describes those of PGO: certificates by their properties, keys by their format, passwords by
//! their length.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Value, json};

use crate::observed::certificate;

/// Describes the data of a Secret of pgrender.
pub(crate) fn ours(mut object: Value) -> Value {
    for (key, value) in object["data"].as_object_mut().unwrap() {
        let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
        *value = described(key, &String::from_utf8(bytes).unwrap());
    }
    object
}

fn described(key: &str, text: &str) -> Value {
    if text.contains("BEGIN CERTIFICATE") {
        // In one file of Patroni, a key comes before the certificate. The key is checked in the entry that has it alone.
        return json!({ "certificates": certificate::ours(text) });
    }
    if let Some(rest) = text.strip_prefix("-----") {
        return json!(rest.split_once("-----").unwrap().0);
    }
    if key.ends_with("password") || key.ends_with("verifier") {
        return json!(format!("({} bytes)", text.len()));
    }
    json!(without_password(key, text))
}

/// Describes a Secret of PGO in the same terms.
pub(crate) fn theirs(mut object: Value) -> Value {
    for (key, value) in object["data"].as_object_mut().unwrap() {
        if let Some(certificates) = value.get_mut("certificates").and_then(Value::as_array_mut) {
            for certificate in certificates {
                *certificate = certificate::theirs(certificate);
            }
        } else {
            *value = json!(without_password(key, value.as_str().unwrap()));
        }
    }
    object
}

/// Returns `text` with `PASSWORD` instead of the password, if it contains one.
fn without_password(key: &str, text: &str) -> String {
    let (pattern, replacement) = match key {
        "uri" | "pgbouncer-uri" => ("://([^:]+):[^@]+@", "://$1:PASSWORD@"),
        "jdbc-uri" | "pgbouncer-jdbc-uri" => ("password=[^&]+", "password=PASSWORD"),
        "pgbouncer-users.txt" => (r#"" ".+"\n?"#, r#"" "PASSWORD""#),
        _ => return text.to_owned(),
    };
    Regex::new(pattern).unwrap().replace(text, replacement).into_owned()
}
