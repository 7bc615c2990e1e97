//! Describes certificates: pgrender's as OpenSSL prints them, PGO's as `observed` records them.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Describes each certificate of a PEM text.
pub(crate) fn ours(pem: &str) -> Vec<Value> {
    let end = "-----END CERTIFICATE-----\n";
    let begin = "-----BEGIN CERTIFICATE-----";
    pem.split_inclusive(end).filter_map(|block| Some(facts(&openssl(&block[block.find(begin)?..])))).collect()
}

fn openssl(pem: &str) -> String {
    let arguments = "x509 -noout -subject -issuer -dates -text -nameopt rfc2253 -dateopt iso_8601 -certopt no_sigdump";
    let mut command = Command::new("openssl");
    let mut child =
        command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(pem.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn facts(text: &str) -> Value {
    let line = |beginning: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(beginning));
        found.unwrap_or_else(|| panic!("no `{beginning}` in\n{text}")).trim().to_owned()
    };
    let date = |name: &str| OffsetDateTime::parse(&line(name).replace(' ', "T"), &Rfc3339).unwrap();
    json!({
        "subject": line("subject="),
        "issuer": line("issuer="),
        "days": (date("notAfter=") - date("notBefore=")).whole_days(),
        "curve": line("NIST CURVE: "),
        "signature": line("Signature Algorithm: ecdsa-with-").to_lowercase(),
        "extensions": extensions(text),
    })
}

/// Returns the extensions by name, with a star if they are critical.
fn extensions(text: &str) -> BTreeMap<String, Value> {
    let extension = Regex::new(r"X509v3 ([A-Z][A-Za-z ]+): ?(critical)?\n +(.+)").unwrap();
    extension
        .captures_iter(text)
        .map(|found| {
            let words = || found[3].split(", ").map(|word| word.trim().trim_start_matches("DNS:"));
            let value = match &found[1] {
                "Subject Key Identifier" | "Authority Key Identifier" => json!("(identifier)"),
                "Basic Constraints" => json!(&found[3]),
                _ => json!(words().collect::<Vec<_>>()),
            };
            (format!("{}{}", &found[1], if found.get(2).is_some() { "*" } else { "" }), value)
        })
        .collect()
}

/// Converts the description of a certificate in `observed` to OpenSSL's terms.
#[allow(clippy::cast_possible_truncation, reason = "a number of days")]
pub(crate) fn theirs(observed: &Value) -> Value {
    let extensions: BTreeMap<String, Value> = observed["extensions"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                "KeyUsage*" => ("Key Usage*".to_owned(), json!(key_usages(text))),
                "BasicConstraints*" => ("Basic Constraints*".to_owned(), json!(basic_constraints(text))),
                "SubjectKeyIdentifier" => ("Subject Key Identifier".to_owned(), json!("(identifier)")),
                "AuthorityKeyIdentifier" => ("Authority Key Identifier".to_owned(), json!("(identifier)")),
                "SubjectAlternativeName" => ("Subject Alternative Name".to_owned(), value.clone()),
                _ => panic!("`{name}` of {observed}"),
            }
        })
        .collect();
    let curve = if observed["key"] == "secp256r1" { "P-256" } else { "another" };
    json!({
        "subject": observed["subject"],
        "issuer": observed["issuer"],
        "days": observed["days"].as_f64().unwrap() as i64,
        "curve": curve,
        "signature": observed["signature"],
        "extensions": extensions,
    })
}

fn key_usages(text: &str) -> Vec<&'static str> {
    let words = [
        ("digital_signature", "Digital Signature"),
        ("key_encipherment", "Key Encipherment"),
        ("key_cert_sign", "Certificate Sign"),
        ("crl_sign", "CRL Sign"),
    ];
    assert_eq!(text.matches("True").count(), words.iter().filter(|(word, _)| is_true(text, word)).count(), "{text}");
    words.iter().filter(|(word, _)| is_true(text, word)).map(|(_, openssl)| *openssl).collect()
}

fn basic_constraints(text: &str) -> &'static str {
    match (is_true(text, "ca"), text.contains("'path_length': 0")) {
        (true, true) => "CA:TRUE, pathlen:0",
        (true, false) => "CA:TRUE",
        (false, _) => "CA:FALSE",
    }
}

fn is_true(text: &str, word: &str) -> bool {
    text.contains(&format!("'{word}': True"))
}
