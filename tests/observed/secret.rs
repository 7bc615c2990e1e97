//! Secrets as `observed` describes PGO's: certificates by their facts, keys by their form, passwords by their length.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Value, json};

use crate::certificate;

/// A Secret of ours, its data described.
pub(crate) fn ours(mut object: Value) -> Value {
    for (key, value) in object["data"].as_object_mut().unwrap() {
        let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
        *value = described(key, &String::from_utf8(bytes).unwrap());
    }
    object
}

fn described(key: &str, text: &str) -> Value {
    if text.contains("BEGIN CERTIFICATE") {
        // With a key before it in one file of Patroni's; the key is checked where it is alone.
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

/// A Secret of PGO's, in the same words.
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

/// `text` with `PASSWORD` for the password, where one is part of it.
fn without_password(key: &str, text: &str) -> String {
    let (pattern, replacement) = match key {
        "uri" | "pgbouncer-uri" => ("://([^:]+):[^@]+@", "://$1:PASSWORD@"),
        "jdbc-uri" | "pgbouncer-jdbc-uri" => ("password=[^&]+", "password=PASSWORD"),
        "pgbouncer-users.txt" => (r#"" ".+"\n?"#, r#"" "PASSWORD""#),
        _ => return text.to_owned(),
    };
    Regex::new(pattern).unwrap().replace(text, replacement).into_owned()
}
