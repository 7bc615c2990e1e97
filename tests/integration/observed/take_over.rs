//! Restores the Secrets of a running PGO from their descriptions and lets pgrender reuse them: the values that applications
//! read stay the same.

use std::fs;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::identity::scram;
use pgrender::read;
use serde_json::{Value, json};

use crate::common::authority::{Authority, new_key};
use crate::observed::ours;

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// Creates a certificate from its description.
fn certificate(authority: &Authority, key: &str, noted: &Value) -> String {
    let subject = noted["subject"].as_str().unwrap().strip_prefix("CN=").unwrap();
    if subject == "postgres-operator-ca" {
        return authority.root.clone();
    }
    let names = noted["extensions"]["SubjectAlternativeName"].as_array().unwrap();
    let names: Vec<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
    // OpenSSL refuses a longer common name. Clients of a server check the other names.
    let subject: String = subject.chars().take(64).collect();
    authority.sign(key, &subject, &names)
}

/// Returns a Secret that matches a description.
fn restored(authority: &Authority, noted: &Value) -> Value {
    let mut secret = noted.clone();
    let is_root = noted["metadata"]["name"] == "pgo-root-cacert";
    let private = if is_root { authority.root_key.clone() } else { new_key() };
    for (key, value) in secret["data"].as_object_mut().unwrap() {
        let certificates = value["certificates"].as_array();
        let certificates: Option<String> =
            certificates.map(|all| all.iter().map(|noted| certificate(authority, &private, noted)).collect());
        let text = match (certificates, key.as_str()) {
            (Some(text), "patroni.crt-combined") => private.clone() + &text,
            (Some(text), _) => text,
            (None, "password" | "pgbouncer-password") => "Passwort 1/2".to_owned(),
            (None, "verifier" | "pgbouncer-verifier") => {
                scram::verifier("Passwort 1/2", b"salt of somebody").to_string()
            }
            _ if value.as_str().unwrap().starts_with("BEGIN") => private.clone(),
            _ => value.as_str().unwrap().to_owned(),
        };
        *value = json!(STANDARD.encode(text));
    }
    secret
}

/// Returns the decoded value of a Secret's key; empty if the key does not exist.
fn decoded(secret: &Value, key: &str) -> String {
    String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap_or_default()).unwrap()).unwrap()
}

#[test]
fn applications_read_the_same_after_a_take_over() {
    let Some(pgo) = super::pgo() else { return };
    if crate::common::tools::program("openssl").is_none() {
        return;
    }
    for case in &super::CASES {
        let authority = Authority::new();
        let text = fs::read_to_string(pgo.join("observed").join(case.observed)).unwrap();
        let observed = read::documents(case.observed, &text).unwrap();
        let noted = observed.iter().map(|document| document.node.to_json()).filter(|object| object["kind"] == "Secret");
        let secrets: Vec<Value> = noted.map(|noted| restored(&authority, &noted)).collect();
        let input = super::input(&pgo, case);
        let documents: Vec<String> = secrets.iter().map(Value::to_string).chain([input]).collect();
        let (rendered, warnings) = ours::objects(case.input, &documents.join("\n---\n"), case.namespace, now());
        assert!(warnings.iter().all(|line| !line.contains("Secret")), "{}: {warnings:?}", case.observed);

        let mut users = 0;
        for secret in &secrets {
            let name = secret["metadata"]["name"].as_str().unwrap();
            let of = |object: &&Value| object["kind"] == "Secret" && object["metadata"]["name"] == name;
            // The CA, and instances with names that only PGO has.
            let Some(taken) = rendered.iter().find(of) else { continue };
            assert!(taken["metadata"]["ownerReferences"].is_null());
            for key in
                ["password", "verifier", "pgbouncer-password", "pgbouncer-verifier", "host", "port", "user", "dbname"]
            {
                assert_eq!(decoded(taken, key), decoded(secret, key), "{} {name} {key}", case.observed);
            }
            users += usize::from(name.contains("-pguser-"));
            for (key, _) in taken["data"].as_object().unwrap() {
                let text = decoded(taken, key);
                if let (Some(begin), false) = (text.find("-----BEGIN CERTIFICATE"), key.contains("ca")) {
                    assert!(authority.verifies(&authority.root, &text[begin..]), "{} {name} {key}", case.observed);
                }
            }
        }
        assert!(users > 0, "{}", case.observed);
    }
}
