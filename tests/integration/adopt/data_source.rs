//! `spec.dataSource.volumes`: a cluster that starts from existing volumes.

use pgrender::postgres_cluster::adopt::Request;
use serde_json::{Value, json};

use super::export::Export;
use super::{assert_complete, objects, pairs, reserved, steps, steps_for};
use crate::common::rendering;

/// A cluster that nobody runs yet, and three claims without PGO's labels.
fn export() -> Export {
    let mut export = Export::new();
    let kinds = ["PersistentVolumeClaim", "PersistentVolume", "Endpoints"];
    for kind in kinds {
        let names: Vec<String> =
            export.of_kind(kind).iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        for name in names {
            export.remove(kind, &name);
        }
    }
    for name in ["data", "wal", "backups"] {
        export.add_claim(name, &format!("volume-{name}"), &[]);
        export.find("PersistentVolumeClaim", name)["metadata"]["labels"] = json!({});
    }
    let spec = &mut export.find("PostgresCluster", "hippo")["spec"];
    spec["instances"].as_array_mut().unwrap().truncate(1);
    spec["instances"][0]["replicas"] = 1.into();
    spec["dataSource"] = json!({"volumes": {
        "pgDataVolume": {"pvcName": "data", "directory": "pg17"},
        "pgWALVolume": {"pvcName": "wal"},
        "pgBackRestVolume": {"pvcName": "backups"},
    }});
    export
}

#[test]
fn the_volumes_get_the_claims_of_the_first_instance_and_repository() {
    let files = steps(&export());
    let expected = pairs([
        ("volume-data", "postgres-data-hippo-fast-0"),
        ("volume-wal", "postgres-wal-hippo-fast-0"),
        ("volume-backups", "hippo-repo1"),
    ]);
    assert_eq!(reserved(&files["3-volumes.yaml"]), expected);
    assert_eq!(objects(&files["4-claims.yaml"]).len(), 3);
    assert!(objects(&files["cluster.yaml"])[0]["spec"]["dataSource"].is_null());
    assert!(!files["README.md"].contains("postgrescluster"));
    assert_complete(&files["README.md"]);
    assert_eq!(rendering::objects(&files["cluster.yaml"]).map(|_| ()), Ok(()));
}

#[test]
fn what_could_start_empty_or_elsewhere_is_refused() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 8] = [
        (|s| s["instances"][0]["replicas"] = 2.into(), "spec.instances", "starts with one instance"),
        (
            |s| s["dataSource"]["volumes"]["pgDataVolume"]["directory"] = "hippo".into(),
            "spec.dataSource.volumes.pgDataVolume.directory",
            "move `hippo` yourself to `pg17`",
        ),
        (
            |s| s["dataSource"]["volumes"]["pgBackRestVolume"]["directory"] = "hippo-backrest-shared-repo".into(),
            "spec.dataSource.volumes.pgBackRestVolume.directory",
            "the root of the volume",
        ),
        (
            |s| s["dataSource"]["volumes"]["pgDataVolume"]["pvcName"] = "gone".into(),
            "spec.dataSource.volumes.pgDataVolume.pvcName",
            "`gone` is not in the input",
        ),
        (
            |s| _ = s["dataSource"]["volumes"].as_object_mut().unwrap().remove("pgDataVolume"),
            "spec.dataSource.volumes",
            "would start with an empty database",
        ),
        (|s| s["instances"][0]["walVolumeClaimSpec"] = Value::Null, "spec.instances[0]", "write `walVolumeClaimSpec`"),
        (
            |s| {
                s["backups"]["pgbackrest"]["repos"][0] =
                    json!({"name": "repo1", "s3": {"bucket": "b", "endpoint": "e", "region": "r"}});
            },
            "spec.backups.pgbackrest.repos[0]",
            "it is not on a volume",
        ),
        (
            |s| s["instances"][0]["dataVolumeClaimSpec"]["resources"]["requests"]["storage"] = "1Mi".into(),
            "spec.instances[0].dataVolumeClaimSpec.resources.requests.storage",
            "cannot become smaller",
        ),
    ];
    for (change, field, words) in cases {
        let mut export = export();
        change(&mut export.find("PostgresCluster", "hippo")["spec"]);
        let errors = steps_for(&export, &Request::default()).expect_err("it is refused");
        let is_it = |error: &String| error.contains(&format!("error: {field}: ")) && error.contains(words);
        assert!(errors.iter().any(is_it), "{field}: {words}: {errors:?}");
    }
}

#[test]
fn a_rendering_refuses_the_field_and_names_the_command() {
    let mut export = export();
    let errors = rendering::objects(&export.find("PostgresCluster", "hippo").to_string()).unwrap_err();
    assert!(errors[0].message.contains("`pgrender adopt`"), "{errors:?}");
}
