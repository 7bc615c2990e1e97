//! Tests of the request for a restore in place: what the caretaker is asked to do, and what the user is told.

use std::collections::BTreeSet;

use pgrender::diagnostic::{Diagnostic, Severity};
use serde_json::{Value, json};

use super::said_about;

const ANNOTATION: &str = r#"metadata.annotations["postgres-operator.crunchydata.com/pgbackrest-restore"]"#;
const RESTORE: &str = "spec.backups.pgbackrest.restore";

fn in_place(changes: &[(&str, Value)]) -> (Vec<Value>, Vec<(String, Diagnostic)>) {
    said_about(&["restore"], changes)
}

fn requested(value: &str) -> (&'static str, Value) {
    ("metadata.annotations", json!({"postgres-operator.crunchydata.com/pgbackrest-restore": value}))
}

fn restore(options: &[&str]) -> (&'static str, Value) {
    (RESTORE, json!({"enabled": true, "repoName": "repo1", "options": options}))
}

fn request(objects: &[Value]) -> Value {
    let caretaker = objects
        .iter()
        .find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "hippo-caretaker")
        .unwrap();
    let settings: Value = serde_json::from_str(caretaker["data"]["caretaker.json"].as_str().unwrap()).unwrap();
    settings["restoreInPlace"].clone()
}

#[test]
fn the_caretaker_gets_the_request_with_the_directories_of_the_wal() {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let second = json!({"name": "two", "dataVolumeClaimSpec": claim, "walVolumeClaimSpec": claim});
    let options = ["--type=time", "--target='2026-01-01 00:00:00+00'", "--delta"];
    let (objects, said) = in_place(&[restore(&options), requested("now"), ("spec.instances[1]", second)]);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(
        request(&objects),
        json!({
            "trigger": "now",
            "repository": 1,
            "arguments": [
                "--stanza=db", "--repo=1", "--pg1-path=/pgdata/pg17", "--log-level-console=info", "--log-level-file=off",
                "--type=time", "--target=2026-01-01 00:00:00+00", "--delta", "--target-action=promote",
            ],
            "walDirectories": {"set": "/pgdata/pg17_wal", "two": "/pgwal/pg17_wal"},
        })
    );
}

/// No pod restarts because the request is there: only files change, and what says that they have changed.
#[test]
fn a_request_changes_no_pod() {
    let (before, _) = in_place(&[]);
    let (after, _) = in_place(&[restore(&[]), requested("now")]);
    assert_eq!(before.len(), after.len());
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
    let changed: BTreeSet<&str> = changed.map(|(_, after)| after["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(changed, BTreeSet::from(["hippo-caretaker", "hippo-fingerprints"]));
}

#[test]
fn a_restore_that_does_not_start_is_told_with_what_is_missing() {
    let off = (RESTORE, json!({"repoName": "repo1"}));
    for (changes, field, expected) in [
        (vec![("spec.backups", json!({})), requested("now")], ANNOTATION, "this cluster has no backups"),
        (vec![requested("now")], ANNOTATION, "also write `spec.backups.pgbackrest.restore` with `enabled: true`"),
        (vec![off, requested("now")], ANNOTATION, "`spec.backups.pgbackrest.restore.enabled` is `false`"),
        (vec![restore(&[])], "spec.backups.pgbackrest.restore.enabled", "also annotate the cluster with `postgres-op"),
        (vec![restore(&[]), requested(" ")], ANNOTATION, "because it is empty"),
    ] {
        let (objects, said) = in_place(&changes);
        let [(at, diagnostic)] = said.as_slice() else { panic!("{said:?}") };
        assert!(diagnostic.message.contains(expected), "{diagnostic:?}");
        assert_eq!((at.as_str(), diagnostic.severity), (field, Severity::Warning), "{diagnostic:?}");
        assert!(!objects.is_empty() && request(&objects).is_null());
    }
}

#[test]
fn what_cannot_be_restored_is_an_error_at_its_field() {
    let of = |more: Value| {
        let mut spec = restore(&[]).1;
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        vec![(RESTORE, spec), requested("now")]
    };
    let mut standby = of(json!({}));
    standby.push(("spec.standby", json!({"enabled": true, "repoName": "repo1"})));
    for (changes, field, expected) in [
        (
            of(json!({"repoName": "repo4"})),
            "spec.backups.pgbackrest.restore.repoName",
            "there is no repository `repo4`",
        ),
        (of(json!({"clusterName": "rhino"})), "spec.backups.pgbackrest.restore.clusterName", "with `spec.dataSource`"),
        (of(json!({"clusterNamespace": "zoo"})), "spec.backups.pgbackrest.restore.clusterNamespace", "own backups"),
        (
            of(json!({"options": ["--delta", "--repo=2"]})),
            "spec.backups.pgbackrest.restore.options[1]",
            "`--repo` is set",
        ),
        (of(json!({"options": ["--stanza=x"]})), "spec.backups.pgbackrest.restore.options[0]", "`--stanza` is set"),
        (of(json!({"options": ["--type=standby"]})), "spec.backups.pgbackrest.restore.options[0]", "be written to"),
        (of(json!({"options": ["--set=`id`"]})), "spec.backups.pgbackrest.restore.options[0]", "no shell evaluates"),
        (standby, "spec.backups.pgbackrest.restore.enabled", "a standby cluster gets its data from"),
        (vec![restore(&[]), requested("a\nb")], ANNOTATION, ""),
        (vec![restore(&[]), requested(&"x".repeat(1025))], ANNOTATION, "is too long"),
    ] {
        let (objects, said) = in_place(&changes);
        let [(at, diagnostic)] = said.as_slice() else { panic!("{said:?}") };
        assert!(diagnostic.message.contains(expected), "{diagnostic:?}");
        assert_eq!((at.as_str(), diagnostic.severity), (field, Severity::Error), "{diagnostic:?}");
        assert!(objects.is_empty());
    }
    // The name of the cluster itself is the default.
    let (objects, said) = in_place(&of(json!({"clusterName": "hippo", "clusterNamespace": "postgres"})));
    assert!(said.is_empty() && !request(&objects).is_null(), "{said:?}");
}

#[test]
fn options_of_a_restore_that_is_not_enabled_say_nothing() {
    let off = json!({"repoName": "repo1", "enabled": false, "options": ["--type=time", "--target=now"]});
    let (objects, said) = in_place(&[(RESTORE, off)]);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(objects, in_place(&[]).0);
}
