//! Tests that in any cluster, a rotation changes what was requested in every Secret that contains it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::references::generate;

/// A part of the content of Secrets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content {
    Passwords,
    Certificates,
    Keys,
    Roots,
}

/// Returns what the key of a Secret contains, apart from what is not secret.
fn contents(key: &str) -> &'static [Content] {
    match key {
        "authentication.yaml"
        | "password"
        | "verifier"
        | "uri"
        | "jdbc-uri"
        | "pgbouncer-uri"
        | "pgbouncer-jdbc-uri"
        | "pgbouncer-password"
        | "pgbouncer-verifier"
        | "pgbouncer-users.txt"
        | "roles.json" => &[Content::Passwords],
        "patroni.crt-combined" => &[Content::Certificates, Content::Keys],
        "ca.crt" => &[Content::Roots],
        _ => match key.rsplit_once('.') {
            Some((_, "ca-roots")) => &[Content::Roots],
            Some((_, "crt")) => &[Content::Certificates],
            Some((_, "key")) => &[Content::Keys],
            _ => &[],
        },
    }
}

/// Returns the values of Secrets and fingerprints by `<kind>/<name>` and key. Other objects count as one value.
fn values(objects: &[Value]) -> BTreeMap<(String, String), Value> {
    let mut values = BTreeMap::new();
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let id = format!("{}/{name}", object["kind"].as_str().unwrap());
        let mut rest = object.clone();
        if object["kind"] == "Secret" || name.ends_with("-fingerprints") {
            let data = rest.as_object_mut().unwrap().remove("data").unwrap();
            values.extend(
                data.as_object().unwrap().iter().map(|(key, value)| ((id.clone(), key.clone()), value.clone())),
            );
        }
        // These annotations have the generation of a Secret.
        if let Some(annotations) = rest["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.starts_with("pgrender.dev/generation."));
        }
        values.insert((id, String::new()), rest);
    }
    values
}

/// Checks that `annotation` changes all of `rotated` in the Secrets with these suffixes (in all Secrets if there are none).
fn check(cluster: &Value, annotation: &str, rotated: &[Content], secrets: &[String]) -> Result<(), TestCaseError> {
    let render = |generation: &str| {
        let mut cluster = cluster.clone();
        cluster["metadata"]["annotations"][annotation] = json!(generation);
        values(&crate::common::rendering::objects(&cluster.to_string()).unwrap())
    };
    let (before, after) = (render("4"), render("5"));
    prop_assert!(before.keys().eq(after.keys()));

    let is_meant = |(id, key): &(String, String)| {
        id.starts_with("Secret/")
            && contents(key).iter().any(|content| rotated.contains(content))
            && (secrets.is_empty() || secrets.iter().any(|ending| id.ends_with(ending)))
    };
    let name = cluster["metadata"]["name"].as_str().unwrap();
    let mut expected: BTreeSet<(String, String)> = before.keys().filter(|place| is_meant(place)).cloned().collect();
    // If Postgres has no passwords, the caretaker's Secret has none.
    let patroni = format!("Secret/{name}-patroni");
    if expected.iter().all(|(id, key)| key == "roles.json" || *id == patroni) {
        expected.retain(|(_, key)| key != "roles.json");
    }
    let marks = |id: &String| format!("secret.{}", id.trim_start_matches("Secret/"));
    let fingerprints: BTreeSet<(String, String)> =
        expected.iter().map(|(id, _)| (format!("ConfigMap/{name}-fingerprints"), marks(id))).collect();
    expected.extend(fingerprints);

    let changed: BTreeSet<(String, String)> =
        before.iter().filter(|(place, value)| after[*place] != **value).map(|(place, _)| place.clone()).collect();
    prop_assert_eq!(changed, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rotation_changes_nothing_but_what_was_asked_for(cluster in generate::cluster()) {
        use Content::{Certificates, Keys, Passwords, Roots};

        check(&cluster, "pgrender.dev/rotate-passwords", &[Passwords], &[])?;
        check(&cluster, "pgrender.dev/rotate-certificates", &[Certificates, Keys], &[])?;
        check(&cluster, "pgrender.dev/rotate-ca", &[Certificates, Roots], &[])?;
        let mut users = cluster["spec"]["users"].as_array().into_iter().flatten();
        if let Some(user) = users.find_map(|user| user["name"].as_str()) {
            let secrets = [format!("-pguser-{user}"), "-caretaker".to_owned()];
            check(&cluster, &format!("pgrender.dev/rotate-password.{user}"), &[Passwords], &secrets)?;
        }
    }
}
