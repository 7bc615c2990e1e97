//! Tests that the output depends only on the input, the seed and the time, and that a small change of the input causes only
//! small changes of the output.

mod reuse;
mod rotation;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects, objects_with};

/// Returns what the program prints for a text. It runs with only these environment variables and in an empty directory.
fn print(text: &str, seed: &str, environment: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgrender"))
        .args(["render", "--time", "2026-01-01T00:00:00Z"])
        .env_clear()
        .env("PGRENDER_SEED", seed)
        .envs(environment.iter().copied())
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns all fixtures as one input. Each is in its own namespace, because some clusters have the same name.
fn many() -> Vec<String> {
    let texts = fixtures().into_iter();
    texts.map(|(name, text)| text.replace("namespace: postgres-operator", &format!("namespace: {name}"))).collect()
}

#[test]
fn the_same_input_gives_the_same_bytes_ten_times_in_ten_processes() {
    let text = many().join("---\n");
    let first = print(&text, SEED, &[]);
    assert!(first.len() > 500_000, "{}", first.len());
    for _ in 1..10 {
        assert!(print(&text, SEED, &[]) == first);
    }
}

#[test]
fn the_order_of_documents_changes_nothing() {
    let mut texts = many();
    let first = print(&texts.join("---\n"), SEED, &[]);
    for _ in 0..3 {
        texts.rotate_left(4);
        texts.swap(0, 5);
        assert!(print(&texts.join("---\n"), SEED, &[]) == first);
    }
}

#[test]
fn the_environment_changes_nothing() {
    let text = many().join("---\n");
    let first = print(&text, SEED, &[]);
    for environment in [
        [("TZ", "Asia/Kathmandu"), ("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8")],
        [("HOME", "/nonexistent"), ("USER", "somebody"), ("HOSTNAME", "elsewhere")],
        [("COLUMNS", "20"), ("TERM", "dumb"), ("RUST_BACKTRACE", "1")],
    ] {
        assert!(print(&text, SEED, &environment) == first, "{environment:?}");
    }
}

/// Objects by `<kind>/<name>`.
fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| {
        let text = |field: &Value| field.as_str().unwrap().to_owned();
        format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
    };
    objects.into_iter().map(|object| (name(&object), object)).collect()
}

/// Keys of Secrets whose values are not secret, so that they are the same with any seed. A certificate is public too, but
/// changes with the seed.
const PUBLIC: [&str; 8] =
    ["dbname", "host", "pg_hba.yaml", "pgbouncer-host", "pgbouncer-port", "port", "user", "username"];

#[test]
fn another_seed_changes_every_secret_and_nothing_else() {
    for (name, text) in fixtures() {
        let one = by_name(objects(&text).unwrap());
        let other = by_name(
            objects_with(&text, "YW5vdGhlciBzZWVkIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==")
                .unwrap(),
        );
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        for (object, before) in &one {
            let after = &other[object];
            if object.ends_with("-fingerprints") {
                // There is one fingerprint for each Secret and ConfigMap. Its key is derived from the seed, so all of them
                // change.
                let (before, after) = (before["data"].as_object().unwrap(), after["data"].as_object().unwrap());
                assert!(before.iter().all(|(key, value)| after[key] != *value), "{name} {object}");
                continue;
            }
            assert_eq!(without(before, "data"), without(after, "data"), "{name} {object}");
            if before["kind"] != "Secret" {
                assert_eq!(before, after, "{name} {object}");
                continue;
            }
            let keys = |object: &Value| object["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(before), keys(after));
            for key in keys(before) {
                let same = before["data"][&key] == after["data"][&key];
                // Without roles, the caretaker's Secret contains nothing secret.
                let empty = decode(&before["data"][&key])
                    == "{\n  \"users\": [],\n  \"pgbouncer\": null,\n  \"monitoring\": null\n}\n";
                assert_eq!(same, PUBLIC.contains(&key.as_str()) || empty, "{name} {object} {key}");
            }
        }
    }
}

fn without(object: &Value, field: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(field);
    object
}

fn decode(text: &Value) -> String {
    String::from_utf8(STANDARD.decode(text.as_str().unwrap()).unwrap()).unwrap()
}

/// A cluster with some of everything, of which tests change one thing.
fn hippo() -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "zoo"},
        "spec": {
            "postgresVersion": 17,
            "users": [{"name": "hippo", "databases": ["zoo"]}],
            "instances": [{"name": "one", "replicas": 2, "dataVolumeClaimSpec": claim, "walVolumeClaimSpec": claim}],
            "backups": {"pgbackrest": {"repos": [
                {"name": "repo1", "schedules": {"full": "0 1 * * 0"}, "volume": {"volumeClaimSpec": claim}}
            ]}},
            "proxy": {"pgBouncer": {"replicas": 2}},
        },
    })
}

/// Returns the effect of a change of the cluster above: `+` for a new, `-` for a removed and `~` for a changed object, with one
/// line for each field that differs.
fn changes(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut cluster = hippo();
    let before = objects(&cluster.to_string()).unwrap();
    change(&mut cluster["spec"]);
    lines(before, objects(&cluster.to_string()).unwrap())
}

/// Returns the differences between two lists of objects, as above.
fn lines(before: Vec<Value>, after: Vec<Value>) -> Vec<String> {
    let (before, after) = (by_name(before), by_name(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(_), None) => lines.push(format!("- {name}")),
            (None, Some(_)) => lines.push(format!("+ {name}")),
            (Some(one), Some(other)) if one != other => {
                let mut fields = Vec::new();
                differences(one, other, "", &mut fields);
                lines.extend(fields.iter().map(|field| format!("~ {name} {field}")));
            }
            _ => {}
        }
    }
    lines
}

/// Collects the paths at which two values differ. If a text is JSON, its fields are compared.
fn differences(one: &Value, other: &Value, path: &str, found: &mut Vec<String>) {
    let json = |value: &Value| serde_json::from_str::<Value>(value.as_str()?).ok().filter(Value::is_object);
    let (one, other) = (json(one).unwrap_or_else(|| one.clone()), json(other).unwrap_or_else(|| other.clone()));
    match (&one, &other) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let at = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or(Value::Null);
                differences(&at(left), &at(right), &format!("{path}/{key}"), found);
            }
        }
        _ if one != other => found.push(path.to_owned()),
        _ => {}
    }
}

#[test]
fn a_new_user_changes_what_lists_users() {
    let lines = changes(|spec| {
        let rhino = json!({"name": "rhino", "databases": ["zoo", "savanna"]});
        spec["users"].as_array_mut().unwrap().push(rhino);
    });
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/databases",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/secret.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pguser-rhino",
            "~ Secret/hippo-caretaker /data/roles.json",
            "+ Secret/hippo-pguser-rhino",
        ]
    );
}

#[test]
fn a_user_that_goes_changes_what_lists_users() {
    let lines = changes(|spec| spec["users"] = json!([]));
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/databases",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/secret.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pguser-hippo",
            "~ Secret/hippo-caretaker /data/roles.json",
            "- Secret/hippo-pguser-hippo",
        ]
    );
}

#[test]
fn a_new_replica_changes_what_counts_or_lists_instances() {
    let lines = changes(|spec| spec["instances"][0]["replicas"] = json!(3));
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/instanceSets",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-pgbackrest-config",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_repo.conf",
            "+ PersistentVolumeClaim/postgres-data-hippo-one-2",
            "+ PersistentVolumeClaim/postgres-wal-hippo-one-2",
            "~ Role/hippo-instance /rules",
            "~ StatefulSet/hippo-one /spec/replicas",
        ]
    );
}

#[test]
fn the_last_replica_needs_no_disruption_budget() {
    let lines = changes(|spec| spec["instances"][0]["replicas"] = json!(1));
    assert!(lines.contains(&"- PodDisruptionBudget/hippo-set-one".to_owned()), "{lines:?}");
}

#[test]
fn a_new_repository_changes_what_knows_repositories() {
    let lines = changes(|spec| {
        let repository = json!({"name": "repo2", "s3": {"bucket": "b", "endpoint": "s3.example.com", "region": "r"}});
        spec["backups"]["pgbackrest"]["repos"].as_array_mut().unwrap().push(repository);
    });
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/cloudRepositories",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-pgbackrest-config",
            "~ ConfigMap/hippo-pgbackrest-config /data/config-hash",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_cloud.conf",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_instance.conf",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_repo.conf",
        ]
    );
}

#[test]
fn a_new_repository_on_a_volume_changes_the_repo_host_too() {
    let lines = changes(|spec| {
        let claim = spec["instances"][0]["dataVolumeClaimSpec"].clone();
        let repository = json!({"name": "repo2", "volume": {"volumeClaimSpec": claim}});
        spec["backups"]["pgbackrest"]["repos"].as_array_mut().unwrap().push(repository);
    });
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/volumeRepositories",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-pgbackrest-config",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_instance.conf",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_repo.conf",
            "~ CronJob/hippo-repo1-full /spec/jobTemplate/spec/template/spec/containers",
            "~ CronJob/hippo-repo1-full /spec/jobTemplate/spec/template/spec/volumes",
            "+ PersistentVolumeClaim/hippo-repo2",
            "~ StatefulSet/hippo-repo-host /spec/template/spec/containers",
            "~ StatefulSet/hippo-repo-host /spec/template/spec/initContainers",
            "~ StatefulSet/hippo-repo-host /spec/template/spec/volumes",
        ]
    );
}

#[test]
fn a_new_set_changes_what_lists_instances() {
    let lines = changes(|spec| {
        let set = json!({"name": "two", "dataVolumeClaimSpec": spec["instances"][0]["dataVolumeClaimSpec"]});
        spec["instances"].as_array_mut().unwrap().push(set);
    });
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/instanceSets",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-pgbackrest-config",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-two-config",
            "~ ConfigMap/hippo-fingerprints /data/secret.hippo-two-certs",
            "~ ConfigMap/hippo-pgbackrest-config /data/pgbackrest_repo.conf",
            "+ ConfigMap/hippo-two-config",
            "+ PersistentVolumeClaim/postgres-data-hippo-two-0",
            "~ Role/hippo-instance /rules",
            "+ Secret/hippo-two-certs",
            "+ StatefulSet/hippo-two",
        ]
    );
}

#[test]
fn a_set_before_another_changes_nothing_of_that_one() {
    let lines = changes(|spec| {
        let set = json!({"name": "early", "dataVolumeClaimSpec": spec["instances"][0]["dataVolumeClaimSpec"]});
        spec["instances"].as_array_mut().unwrap().insert(0, set);
    });
    assert_eq!(
        lines.iter().filter(|line| line.contains("hippo-one") || line.starts_with('-')).collect::<Vec<_>>(),
        [""; 0]
    );
}

#[test]
fn another_parameter_changes_what_patroni_is_told() {
    let lines = changes(|spec| spec["config"] = json!({"parameters": {"work_mem": "8MB"}}));
    assert_eq!(
        lines,
        [
            "~ ConfigMap/hippo-caretaker /data/caretaker.json/dynamicConfiguration/postgresql/parameters/work_mem",
            "~ ConfigMap/hippo-config /data/patroni.yaml",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-caretaker",
            "~ ConfigMap/hippo-fingerprints /data/configmap.hippo-config",
        ]
    );
}

#[test]
fn another_size_changes_the_claims_alone() {
    let lines = changes(|spec| {
        spec["instances"][0]["dataVolumeClaimSpec"]["resources"]["requests"]["storage"] = json!("2Gi");
    });
    assert_eq!(
        lines,
        [
            "~ PersistentVolumeClaim/postgres-data-hippo-one-0 /spec/resources/requests/storage",
            "~ PersistentVolumeClaim/postgres-data-hippo-one-1 /spec/resources/requests/storage",
        ]
    );
}

#[test]
fn a_second_cluster_changes_nothing_of_the_first() {
    let first = print(&hippo().to_string(), SEED, &[]);
    let mut rhino = hippo();
    rhino["metadata"]["name"] = json!("rhino");
    let both = print(&format!("{}\n---\n{rhino}\n", hippo()), SEED, &[]);
    assert!(both.starts_with(&first));
}
