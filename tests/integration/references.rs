//! Tests that every name that one object uses of another exists: in each fixture, and in random clusters with all sections of
//! the spec.

mod check;
mod full;
mod generate;
mod rotation;
mod texts;

use std::collections::BTreeSet;

use pgrender::options::{CertificateSource, CredentialSource, Options};
use proptest::prelude::*;
use serde_json::{Value, json};

use check::dangling;

/// Objects that the fixtures refer to and their user provides.
const BROUGHT_BY_FIXTURES: [&str; 13] = [
    "animals-queries",
    "archive",
    "feed-queries",
    "hippo-pgbouncer",
    "hippo-replication-tls",
    "hippo-tls",
    "kerberos",
    "otlp",
    "otlp-ca",
    "pgbouncer-extra",
    "pgbouncer-tls",
    "pgo-multi-repo-creds",
    "registry",
];

fn brought_by_fixtures() -> BTreeSet<String> {
    BROUGHT_BY_FIXTURES.map(str::to_owned).into()
}

#[test]
fn every_name_in_the_fixtures_exists() {
    for (name, text) in crate::common::fixtures::fixtures() {
        let objects = crate::common::rendering::objects(&text).unwrap();
        assert_eq!(dangling(&objects, &brought_by_fixtures()), [""; 0], "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_in_a_generated_cluster_exists(cluster in generate::cluster()) {
        let objects = crate::common::rendering::objects(&cluster.to_string());
        let objects = objects.map_err(|errors| TestCaseError::fail(format!("{errors:#?}")))?;
        prop_assert_eq!(dangling(&objects, &generate::brought(&cluster)), [""; 0]);
    }
}

/// The options of a caller who uses cert-manager.
fn cert_manager() -> Options {
    Options {
        certificate_source: CertificateSource::CertManager { issuer: None },
        ..crate::common::rendering::options()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_in_a_generated_cluster_with_cert_manager_exists(mut cluster in generate::cluster()) {
        cluster["metadata"].as_object_mut().unwrap().remove("annotations");
        let objects = crate::common::rendering::objects_from(&cluster.to_string(), crate::common::rendering::SEED, &cert_manager());
        let objects = objects.map_err(|errors| TestCaseError::fail(format!("{errors:#?}")))?;
        prop_assert_eq!(dangling(&objects, &generate::brought(&cluster)), [""; 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_in_a_generated_cluster_of_own_credentials_exists(cluster in generate::cluster()) {
        let options = Options { credentials: CredentialSource::Reference, ..crate::common::rendering::options() };
        let objects = crate::common::rendering::objects_from(&cluster.to_string(), crate::common::rendering::SEED, &options);
        let objects = objects.map_err(|errors| TestCaseError::fail(format!("{errors:#?}")))?;
        let mut brought = generate::brought(&cluster);
        // Pods do not start without these Secrets. The caretaker does not wait for the others.
        let name = cluster["metadata"]["name"].as_str().unwrap();
        brought.extend(["patroni", "pgbouncer"].map(|secret| format!("{name}-{secret}")));
        prop_assert_eq!(dangling(&objects, &brought), [""; 0]);
    }
}

/// A cluster with each kind of reference.
fn full() -> (Vec<Value>, BTreeSet<String>) {
    let cluster = full::cluster();
    (crate::common::rendering::objects(&cluster.to_string()).unwrap(), generate::brought(&cluster))
}

#[test]
fn the_check_misses_each_object_that_is_used() {
    misses_each(full());
    let cluster = full::cluster();
    let objects =
        crate::common::rendering::objects_from(&cluster.to_string(), crate::common::rendering::SEED, &cert_manager())
            .unwrap();
    misses_each((objects, generate::brought(&cluster)));
}

fn misses_each((objects, brought): (Vec<Value>, BTreeSet<String>)) {
    assert_eq!(dangling(&objects, &brought), [""; 0]);
    // No rendered object refers to these: people use them, or they have an effect of their own.
    let free = |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        ["CronJob", "PodDisruptionBudget", "RoleBinding"].iter().any(|kind| object["kind"] == *kind)
            || (object["kind"] == "Service" && name.ends_with("-replicas"))
    };
    for index in 0..objects.len() {
        let mut fewer = objects.clone();
        let removed = fewer.remove(index);
        assert!(
            free(&removed) || !dangling(&fewer, &brought).is_empty(),
            "{} {}",
            removed["kind"],
            removed["metadata"]
        );
    }
}

/// Fields with the name of another rendered object.
const REFERENCES: [&str; 9] = [
    "claimName",
    "containerName",
    "key",
    "kubectl.kubernetes.io/default-container",
    "name",
    "path",
    "serviceAccountName",
    "serviceName",
    "targetPort",
];

#[test]
fn the_check_notices_each_name_that_is_changed() {
    let (objects, brought) = full();
    let mut changed = 0;
    let mut unnoticed = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        for pointer in references(object) {
            let mut broken = objects.clone();
            let name = broken[index].pointer_mut(&pointer).unwrap();
            *name = json!(format!("{}x", name.as_str().unwrap()));
            if dangling(&broken, &brought).is_empty() {
                unnoticed.push(format!("{} {} {pointer}", object["kind"], object["metadata"]["name"]));
            }
            changed += 1;
        }
    }
    assert_eq!(unnoticed, [""; 0]);
    assert!(changed > 150, "{changed}");
}

/// Returns the paths in an object of fields with the name of another: in pods, Services and bindings.
fn references(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(object, &mut String::new(), &mut |pointer, value| {
        let field = pointer.rsplit('/').next().unwrap().replace("~1", "/");
        let parent = |names: &[&str]| names.iter().any(|name| pointer.contains(&format!("/{name}/")));
        let refers = match field.as_str() {
            "name" => {
                parent(&["volumeMounts", "secret", "configMap", "roleRef", "subjects"])
                    && !parent(&["imagePullSecrets"])
            }
            // Programs find the other files by reading a whole directory.
            "key" => parent(&["projected"]) && parent(&["items"]),
            "path" => value.as_str().is_some_and(|path| path.starts_with("~postgres-operator/")),
            "targetPort" => parent(&["ports"]),
            "kubectl.kubernetes.io/default-container" => parent(&["template"]),
            _ => true,
        };
        if REFERENCES.contains(&field.as_str()) && refers && value.is_string() {
            found.push(pointer.to_owned());
        }
    });
    found
}

fn walk(value: &Value, pointer: &mut String, visit: &mut impl FnMut(&str, &Value)) {
    let length = pointer.len();
    let children: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.replace('/', "~1"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        pointer.push('/');
        pointer.push_str(&key);
        visit(pointer, child);
        walk(child, pointer, visit);
        pointer.truncate(length);
    }
}
