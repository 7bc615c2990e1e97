//! Compares clusters with manifests: rendered ones on disk, and what an API server returns.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{cases, diff, patched, text};
use crate::common::tools::success;

const SEED: &str = "pgrender seed of the tests, with enough words to be accepted by it";

fn render(directory: &Path, file: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgrender"));
    success(command.current_dir(directory).args(["render", "--time=2026-11-24T00:00:00Z", "--seed-file=seed", file]))
}

fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("seed"), SEED).unwrap();
    fs::write(path.join("old.yaml"), cases().base.to_string()).unwrap();
    let new = patched(cases().base, &json!({"spec": {"config": {"parameters": {"work_mem": "8MB"}}}}));
    fs::write(path.join("new.yaml"), new.to_string()).unwrap();
    fs::write(path.join("manifests.yaml"), render(path, "old.yaml")).unwrap();
    directory
}

#[test]
fn rendered_manifests_are_the_same_as_what_they_were_rendered_from() {
    let directory = written();
    let path = directory.path();
    let output = diff(path, &["--exit-code", "--seed-file=seed", "manifests.yaml", "old.yaml"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    let output = diff(path, &["--exit-code", "--seed-file=seed", "manifests.yaml", "new.yaml"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let output = diff(path, &["--exit-code", "manifests.yaml", "manifests.yaml"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn without_the_seed_manifests_cannot_be_compared_with_a_cluster() {
    let directory = written();
    let output = diff(directory.path(), &["manifests.yaml", "new.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the manifests were rendered with a seed"), "{}", text(&output.stderr));
}

/// What an API server adds: `tests/e2e` compares with a real one.
#[test]
fn what_a_server_adds_is_no_change() {
    let directory = written();
    let path = directory.path();
    let manifests = pgrender::read::documents("", &text(&fs::read(path.join("manifests.yaml")).unwrap())).unwrap();
    let live = manifests.iter().map(|document| {
        let mut object = document.node.to_json();
        let metadata = json!({"metadata": {"uid": "1", "resourceVersion": "2", "creationTimestamp": "2026-11-24T00:00:00Z"}});
        object = patched(object, &metadata);
        match object["kind"].as_str().unwrap() {
            "Service" if object["spec"]["clusterIP"] != "None" => patched(object, &json!({"spec": {"clusterIP": "10.0.0.1", "sessionAffinity": "None"}})),
            "StatefulSet" => patched(
                object,
                &json!({"status": {"replicas": 2}, "spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst"}}}}),
            ),
            "PersistentVolumeClaim" => patched(
                object,
                &json!({"metadata": {"finalizers": ["a"]}, "spec": {"volumeName": "pvc-1"}, "status": {"phase": "Bound"}}),
            ),
            _ => object,
        }
    });
    let foreign =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other", "namespace": "zoo", "uid": "1"}});
    let items: Vec<Value> = live.chain([foreign]).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    fs::write(path.join("live.yaml"), list.to_string()).unwrap();
    let output = diff(path, &["--exit-code", "--fields", "--seed-file=seed", "live.yaml", "old.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("objects of the old input that pgrender has not rendered are ignored: 1"),
        "{}",
        text(&output.stdout)
    );

    let some: Vec<&Value> = items.iter().filter(|object| object["kind"] != "Secret").collect();
    fs::write(path.join("some.yaml"), json!({"apiVersion": "v1", "kind": "List", "items": some}).to_string()).unwrap();
    let output = diff(path, &["--seed-file=seed", "some.yaml", "old.yaml"]);
    assert!(text(&output.stdout).contains("as in `kubectl get secret -o yaml`"), "{}", text(&output.stdout));
}

/// The effects in a report.
fn effects(directory: &Path, old: &str, new: &str) -> Vec<String> {
    let output = diff(directory, &["--format=json", old, new]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let effects = report["clusters"][0]["effects"].as_array().unwrap().iter();
    effects.map(|effect| effect["effect"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn options_and_versions_of_pgrender_have_effects() {
    let directory = written();
    let path = directory.path();
    let before = text(&fs::read(path.join("manifests.yaml")).unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgrender"));
    command.current_dir(path).args(["render", "--time=2026-11-24T00:00:00Z", "--seed-file=seed", "--network-policies"]);
    fs::write(path.join("policies.yaml"), success(command.arg("old.yaml"))).unwrap();
    assert!(effects(path, "manifests.yaml", "policies.yaml").contains(&"network-policy-changes".to_owned()));
    assert!(effects(path, "policies.yaml", "manifests.yaml").contains(&"network-policy-changes".to_owned()));

    // Another version of pgrender brings other programs.
    let after = before.replacen("from __future__ import annotations", "from __future__ import annotations  # later", 1);
    assert_ne!(before, after);
    fs::write(path.join("later.yaml"), after).unwrap();
    assert_eq!(effects(path, "manifests.yaml", "later.yaml"), ["caretaker-changes"]);
}

#[test]
fn marks_of_a_server_hide_nothing_in_manifests() {
    let directory = written();
    let path = directory.path();
    let before = text(&fs::read(path.join("manifests.yaml")).unwrap());
    let marked = before
        .replace("kind: StatefulSet\nmetadata:\n", "kind: StatefulSet\nmetadata:\n  uid: a\n  resourceVersion: '1'\n");
    let after = marked.replacen(
        "      automountServiceAccountToken: false\n",
        "      automountServiceAccountToken: false\n      hostPID: true\n",
        1,
    );
    assert_ne!(marked, after);
    fs::write(path.join("after.yaml"), &after).unwrap();
    assert!(effects(path, "manifests.yaml", "after.yaml").contains(&"instances-replaced".to_owned()));
    // What was there on a server and is removed.
    fs::write(path.join("marked.yaml"), marked).unwrap();
    assert!(effects(path, "after.yaml", "marked.yaml").contains(&"instances-replaced".to_owned()));
    assert!(effects(path, "after.yaml", "manifests.yaml").contains(&"instances-replaced".to_owned()));
}

#[test]
fn an_object_without_a_label_is_the_same_object() {
    let directory = written();
    let path = directory.path();
    let before = text(&fs::read(path.join("manifests.yaml")).unwrap());
    let stripped: Vec<String> = before
        .split("---\n")
        .map(|object| {
            if object.contains("kind: StatefulSet") {
                object.replace("    pgrender.dev/cluster: hippo\n", "")
            } else {
                object.to_owned()
            }
        })
        .collect();
    fs::write(path.join("stripped.yaml"), stripped.join("---\n")).unwrap();
    assert_eq!(effects(path, "stripped.yaml", "manifests.yaml"), ["object-changes"]);
}

#[test]
fn a_volume_without_the_annotations_that_keep_it_is_deleted() {
    let directory = written();
    let path = directory.path();
    let before = text(&fs::read(path.join("manifests.yaml")).unwrap());
    let fewer: Vec<&str> = before.split("---\n").filter(|object| !object.contains("hippo-instance1-1\n    ")).collect();
    fs::write(path.join("fewer.yaml"), fewer.join("---\n")).unwrap();
    assert_eq!(effects(path, "manifests.yaml", "fewer.yaml"), ["volume-abandoned"]);
    let unkept = before.replace("    cli-utils.sigs.k8s.io/on-remove: keep\n", "");
    assert_ne!(before, unkept);
    fs::write(path.join("unkept.yaml"), unkept).unwrap();
    assert!(effects(path, "unkept.yaml", "fewer.yaml").contains(&"volume-deleted".to_owned()));
}

/// Whoever proposes a change also chooses the names and values in it.
#[test]
fn nothing_in_manifests_reaches_the_terminal_or_becomes_markup() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let hostile = "a`<img src=x>\u{1b}[31m``\n@all";
    let object = |value: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": hostile, "namespace": hostile, "labels": {"pgrender.dev/cluster": hostile}},
            "data": {hostile: value, "pgbouncer.ini": format!("[pgbouncer]\n{} = {value}\n", hostile.replace('\n', " "))},
        })
    };
    fs::write(path.join("old.json"), object("one").to_string()).unwrap();
    fs::write(path.join("new.json"), object(hostile).to_string()).unwrap();
    for format in ["text", "markdown"] {
        let output = diff(path, &["--fields", "--format", format, "old.json", "new.json"]);
        let said = text(&output.stdout);
        assert_eq!(text(&output.stderr), "");
        assert!(said.contains("img src=x"), "{said}");
        assert!(!said.contains('\u{1b}') && !said.contains("\n@all"), "{said}");
        if format == "markdown" {
            let outside: String = said.split("```").step_by(2).collect();
            let prose: String = outside.split('`').step_by(2).collect();
            assert!(!prose.contains("<img") && !prose.contains("@all"), "{said}");
            assert!(!outside.contains("``"), "{said}");
        }
    }
}
