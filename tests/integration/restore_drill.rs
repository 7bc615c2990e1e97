//! Tests the restore drill as its user wants it: the annotations, the CronJob, and what each of its containers can read. The drill
//! itself is tested in `tests/caretaker/test_restore_drill.py`, and on a real Kubernetes.

use pgrender::identity::Seed;
use pgrender::read;
use pgrender::render::render;
use serde_json::{Value, json};

use crate::common::rendering::{SEED, objects, options};

const DRILL: &str = "pgrender.dev/restore-drill";

/// A small cluster with these annotations, and additional fields in its `spec`.
fn cluster(annotations: &Value, more: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "alpha", "namespace": "zoo", "annotations": annotations},
        "spec": {
            "postgresVersion": 17,
            "image": "postgres",
            "instances": [{"name": "one", "dataVolumeClaimSpec": claim}],
            "backups": {"pgbackrest": {"image": "pgbackrest", "global": {"repo1-gcs-key-type": "auto"}, "repos": [
                {"name": "repo3", "volume": {"volumeClaimSpec": claim}},
                {"name": "repo1", "gcs": {"bucket": "b"}},
            ]}},
        },
    });
    cluster["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster
}

/// Returns what is reported about a cluster, except when to render it again.
fn told(annotations: &Value, more: &Value) -> Vec<String> {
    let documents = read::documents("cluster.yaml", &cluster(annotations, more).to_string()).unwrap();
    let rendered = render(&documents, &options(), Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()));
    let lines = rendered.diagnostics.iter().map(ToString::to_string);
    lines.filter(|line| !line.contains("render and apply again")).collect()
}

/// Returns the objects of a cluster that belong to its drill, by kind.
fn drill(annotations: &Value, more: &Value) -> Vec<Value> {
    let objects = objects(&cluster(annotations, more).to_string()).unwrap();
    objects.into_iter().filter(|object| object["metadata"]["name"] == "alpha-restore-drill").collect()
}

fn cron_job(annotations: &Value, more: &Value) -> Value {
    drill(annotations, more).into_iter().find(|object| object["kind"] == "CronJob").unwrap()
}

fn settings(annotations: &Value, more: &Value) -> Value {
    let map = drill(annotations, more).into_iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    serde_json::from_str(map["data"]["restore-drill.json"].as_str().unwrap()).unwrap()
}

#[test]
fn there_is_a_drill_only_on_request() {
    assert_eq!(drill(&json!({}), &json!({})), [Value::Null; 0]);
    let objects = drill(&json!({DRILL: "@monthly"}), &json!({}));
    let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ServiceAccount", "ConfigMap", "CronJob"]);
    assert_eq!(objects[2]["spec"]["schedule"], "@monthly");
}

#[test]
fn a_drill_fails_once_and_does_not_stay() {
    let spec = cron_job(&json!({DRILL: "@monthly"}), &json!({}))["spec"].clone();
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    let job = &spec["jobTemplate"]["spec"];
    assert_eq!(job["backoffLimit"], 0);
    assert_eq!(job["activeDeadlineSeconds"], 86_400);
    assert_eq!(job["ttlSecondsAfterFinished"], 86_400);
    assert_eq!(job["template"]["spec"]["restartPolicy"], "Never");
    assert_eq!(job["template"]["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn the_container_in_which_sql_runs_has_no_key() {
    let more = json!({"backups": {"pgbackrest": {
        "image": "pgbackrest",
        "repos": [{"name": "repo1", "gcs": {"bucket": "b"}}],
        "configuration": [{"secret": {"name": "gcs-key"}}],
        "jobs": {"volumes": {"additional": [{"name": "logs", "claimName": "logs"}]}},
    }}});
    let annotations = json!({DRILL: "@monthly", "pgrender.dev/restore-drill-sql": "checks/sql"});
    let pod = cron_job(&annotations, &more)["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
    let mounts = |container: &Value| -> Vec<String> {
        let mounts = container["volumeMounts"].as_array().unwrap().iter();
        mounts.map(|mount| mount["name"].as_str().unwrap().to_owned()).collect()
    };
    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    assert_eq!(mounts(&containers[0]), ["postgres-data", "restore-drill", "tmp"]);
    let first = pod["initContainers"].as_array().unwrap().iter().find(|container| container["name"] == "pgbackrest");
    let expected = ["postgres-data", "restore-drill", "pgbackrest-config", "volumes-logs", "tmp"];
    assert_eq!(mounts(first.unwrap()), expected);
    // Of Secrets, the other two volumes contain nothing.
    for name in ["postgres-data", "restore-drill"] {
        let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == name).unwrap();
        assert!(!volume.to_string().contains("secret"), "{volume}");
    }
}

#[test]
fn the_scratch_volume_is_new_and_empty() {
    let claim = json!({
        "accessModes": ["ReadWriteOncePod"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "7Gi"}, "limits": {"storage": "9Gi"}},
        "volumeName": "old",
        "selector": {"matchLabels": {"a": "b"}},
        "dataSource": {"kind": "PersistentVolumeClaim", "name": "old"},
        "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "old"},
    });
    let more = json!({"instances": [{"name": "one", "dataVolumeClaimSpec": claim}]});
    let pod = cron_job(&json!({DRILL: "@monthly"}), &more)["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
    let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "postgres-data").unwrap();
    assert_eq!(
        volume["ephemeral"]["volumeClaimTemplate"]["spec"],
        json!({
            "accessModes": ["ReadWriteOncePod"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": "7Gi"}},
            "volumeMode": "Filesystem",
        })
    );
}

#[test]
fn the_repository_is_the_one_that_was_chosen() {
    assert_eq!(settings(&json!({DRILL: "@monthly"}), &json!({}))["repository"], 3);
    let chosen = json!({DRILL: "@monthly", "pgrender.dev/restore-drill-repository": "repo1"});
    assert_eq!(settings(&chosen, &json!({}))["repository"], 1);
    let follows = json!({"standby": {"enabled": true, "repoName": "repo1"}});
    assert_eq!(settings(&json!({DRILL: "@monthly"}), &follows)["repository"], 1);
}

#[test]
fn it_is_suspended_where_there_is_no_backup() {
    let monthly = json!({DRILL: "@monthly"});
    let suspended = |more: &Value| cron_job(&monthly, more)["spec"]["suspend"].clone();
    assert_eq!(suspended(&json!({})), Value::Null);
    assert_eq!(suspended(&json!({"paused": true})), Value::Null);
    assert_eq!(suspended(&json!({"shutdown": true})), true);
    assert_eq!(suspended(&json!({"standby": {"enabled": true, "repoName": "repo1"}})), Value::Null);
    let streams = json!({"standby": {"enabled": true, "host": "other"}});
    assert_eq!(suspended(&streams), true);
    let lines = told(&monthly, &streams);
    assert!(lines.iter().any(|line| line.contains("is suspended, because this standby cluster")), "{lines:?}");
}

#[test]
fn settings_of_jobs_have_an_effect_on_a_drill() {
    let jobs = json!({"backups": {"pgbackrest": {
        "image": "pgbackrest",
        "global": {"repo1-gcs-key-type": "auto"},
        "repos": [{"name": "repo1", "gcs": {"bucket": "b"}}],
        "jobs": {"priorityClassName": "low", "resources": {"limits": {"memory": "1Gi"}}, "ttlSecondsAfterFinished": 60},
    }}});
    assert_eq!(told(&json!({DRILL: "@monthly"}), &jobs), [""; 0]);
    assert!(told(&json!({}), &jobs)[0].contains("there are no backup jobs"));
    let job = cron_job(&json!({DRILL: "@monthly"}), &jobs)["spec"]["jobTemplate"]["spec"].clone();
    assert_eq!(job["ttlSecondsAfterFinished"], 60);
    assert_eq!(job["template"]["spec"]["priorityClassName"], "low");
    assert_eq!(job["template"]["spec"]["containers"][0]["resources"], json!({"limits": {"memory": "1Gi"}}));
}

#[test]
fn annotations_that_cannot_work_are_errors() {
    let drill = |key: &str, value: &str| {
        let mut all = json!({DRILL: "@monthly"});
        all[key] = json!(value);
        all
    };
    let repository = "pgrender.dev/restore-drill-repository";
    let sql = "pgrender.dev/restore-drill-sql";
    for (annotations, words) in [
        (json!({DRILL: ""}), "a schedule has five fields"),
        (json!({DRILL: "0 0 * * 7"}), "Sunday is `0`"),
        (json!({DRILL: "@often"}), "is not one of @yearly"),
        (json!({ (repository): "repo1" }), "has no effect without `pgrender.dev/restore-drill`"),
        (json!({ (sql): "checks/sql" }), "has no effect without `pgrender.dev/restore-drill`"),
        (drill(repository, "repo2"), "there is no repository `repo2`: write one of `repo3`, `repo1`"),
        (drill(repository, ""), "there is no repository ``"),
        (drill(sql, "checks"), "`<configmap>/<key>`"),
        (drill(sql, "Checks/sql"), "\"Checks\" is not a valid name of a ConfigMap"),
        (drill(sql, "/sql"), "is not a valid name of a ConfigMap"),
        (drill(sql, "checks/"), "\"\" is not a valid key"),
        (drill(sql, "checks/a/b"), "\"a/b\" is not a valid key"),
        (json!({"pgrender.dev/restore-drills": "@monthly"}), "unknown annotation: write `pgrender.dev/accept-standby`"),
    ] {
        let lines = told(&annotations, &json!({}));
        let is_told = |line: &String| line.contains(": error: metadata.annotations[") && line.contains(words);
        assert!(lines.len() == 1 && is_told(&lines[0]), "{annotations}: {lines:?}");
    }
    let lines = told(&json!({DRILL: "@monthly"}), &json!({"backups": {}}));
    assert!(
        lines.iter().any(|line| line.contains("error") && line.contains("there is no backup to restore")),
        "{lines:?}"
    );
    let lines = told(&json!({DRILL: "0 0 30 2 *"}), &json!({}));
    assert!(lines.len() == 1 && lines[0].contains("warning: ") && lines[0].contains("never runs"), "{lines:?}");
}

#[test]
fn a_drill_more_often_than_hourly_is_a_warning() {
    for schedule in ["* * * * *", "@every 1s"] {
        let told = told(&json!({DRILL: schedule}), &json!({}));
        let is_it = |line: &String| line.contains("warning: ") && line.contains("more often than once in an hour");
        assert!(told.len() == 1 && told.iter().all(is_it), "{told:?}");
        assert!(!drill(&json!({DRILL: schedule}), &json!({})).is_empty());
    }
    assert_eq!(told(&json!({DRILL: "@hourly"}), &json!({})), [""; 0]);
}

#[test]
fn the_name_of_the_cron_job_is_not_too_long() {
    let mut long = cluster(&json!({DRILL: "@monthly"}), &json!({}));
    long["metadata"]["name"] = json!("a".repeat(38));
    assert!(objects(&long.to_string()).is_ok());
    long["metadata"]["name"] = json!("a".repeat(39));
    let errors = objects(&long.to_string()).unwrap_err();
    assert!(
        errors[0].to_string().contains("-restore-drill`, the name of a CronJob, can have at most 52"),
        "{errors:?}"
    );
}

/// Each key of the settings is read by the program, and the program reads no other key.
#[test]
fn the_program_reads_exactly_the_settings_that_are_rendered() {
    let map = drill(&json!({DRILL: "@monthly"}), &json!({})).remove(1);
    let files = map["data"].as_object().unwrap().values();
    let text: String = files.map(|text| text.as_str().unwrap()).collect();
    let read = regex::Regex::new(r#"settings\[['"](\w+)['"]\]"#).unwrap();
    let mut keys: Vec<_> = read.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    keys.sort();
    keys.dedup();
    let settings = settings(&json!({DRILL: "@monthly"}), &json!({}));
    let mut rendered: Vec<_> = settings.as_object().unwrap().keys().cloned().collect();
    rendered.sort();
    assert_eq!(keys, rendered);
}
