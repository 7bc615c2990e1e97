//! What cannot be adopted: each message says where, what is wrong and what to do.

use std::fs;
use std::process::Command;

use pgrender::postgres_cluster::adopt::Request;
use serde_json::{Value, json};

use super::export::Export;
use super::steps_for;

/// Changes an export in one place, and returns the messages.
fn refused(change: impl Fn(&mut Export)) -> Vec<String> {
    let mut export = Export::new();
    change(&mut export);
    steps_for(&export, &Request::default()).expect_err("it is refused")
}

const CLAIM: &str = "hippo-fast-b9tc-pgdata";
const VOLUME: &str = "volume-fast-b9tc-pgdata";

#[test]
fn a_claim_or_volume_that_cannot_be_kept_is_refused() {
    type Change = fn(&mut Export);
    let cases: [(Change, &str, &str); 15] = [
        (
            |e| e.find("PersistentVolumeClaim", CLAIM)["status"]["phase"] = "Pending".into(),
            "status.phase",
            "wait until it is `Bound`",
        ),
        (|e| e.find("PersistentVolumeClaim", CLAIM)["status"] = json!({}), "status", "the claim has no status"),
        (|e| e.find("PersistentVolumeClaim", CLAIM)["spec"]["volumeName"] = Value::Null, "spec", "names no volume"),
        (
            |e| e.find("PersistentVolumeClaim", CLAIM)["spec"]["volumeMode"] = "Block".into(),
            "spec.volumeMode",
            "block device",
        ),
        (
            |e| e.find("PersistentVolumeClaim", CLAIM)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            "metadata.deletionTimestamp",
            "the claim is being deleted",
        ),
        (
            |e| e.find("PersistentVolumeClaim", CLAIM)["metadata"]["uid"] = Value::Null,
            "metadata",
            "could not be undone",
        ),
        (
            |e| e.find("PersistentVolumeClaim", CLAIM)["spec"]["volumeName"] = "$(reboot)".into(),
            "spec.volumeName",
            "not in the input",
        ),
        (|e| e.remove("PersistentVolume", VOLUME), "spec.volumeName", "is not in the input"),
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["claimRef"]["uid"] = "other".into(),
            "spec.claimRef",
            "not bound to",
        ),
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["claimRef"]["name"] = "other".into(),
            "spec.claimRef",
            "not bound to",
        ),
        (|e| e.find("PersistentVolume", VOLUME)["status"]["phase"] = "Released".into(), "status.phase", "`Released`"),
        (
            |e| e.find("PersistentVolume", VOLUME)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            "metadata.deletionTimestamp",
            "`Retain` cannot prevent",
        ),
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["persistentVolumeReclaimPolicy"] = Value::Null,
            "spec",
            "no reclaim policy",
        ),
        (
            |e| {
                e.find("PersistentVolumeClaim", CLAIM)["metadata"]["labels"]["postgres-operator.crunchydata.com/instance"] =
                    "a; reboot".into();
            },
            "metadata.labels",
            "must name a set and an instance",
        ),
        (
            |e| {
                e.add_claim(
                    "hippo-fast-b9tc-other-pgdata",
                    "volume-other",
                    &[("instance-set", "fast"), ("instance", "hippo-fast-b9tc"), ("role", "pgdata")],
                );
            },
            "metadata.labels",
            "has the same role",
        ),
    ];
    for (change, field, words) in cases {
        check(change, field, words);
    }
}

/// Checks that a changed export is refused because of a field.
fn check(change: fn(&mut Export), field: &str, words: &str) {
    let errors = refused(change);
    let is_it = |error: &String| error.contains(&format!("error: {field}: ")) && error.contains(words);
    assert!(errors.iter().any(is_it), "{field}: {words}: {errors:?}");
}

#[test]
fn a_volume_that_is_read_only_and_a_claim_in_the_way_are_refused() {
    type Change = fn(&mut Export);
    let cases: [(Change, &str, &str); 5] = [
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["csi"] = json!({"driver": "d", "readOnly": true}),
            "spec",
            "`csi.readOnly` is `true`: the volume is read-only",
        ),
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["nfs"] = json!({"path": "/", "readOnly": true}),
            "spec",
            "`nfs.readOnly` is `true`: the volume is read-only",
        ),
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["accessModes"] = json!(["ReadOnlyMany"]),
            "spec.accessModes",
            "the volume is read-only",
        ),
        (
            |e| e.find("PersistentVolume", VOLUME)["spec"]["mountOptions"] = json!(["noatime", "ro"]),
            "spec.mountOptions",
            "the volume is read-only",
        ),
        (
            |e| e.add_claim("postgres-data-hippo-fast-0", "volume-of-an-earlier-cluster", &[]),
            "metadata.name",
            "the volume of `hippo-fast-sfvz-pgdata` needs a claim of this name, but it exists already",
        ),
    ];
    for (change, field, words) in cases {
        check(change, field, words);
    }
}

#[test]
fn a_claim_with_a_hostile_name_is_refused() {
    let errors = refused(|export| {
        export.remove("PersistentVolumeClaim", CLAIM);
        let labels = [("instance-set", "fast"), ("instance", "hippo-fast-b9tc"), ("role", "pgdata")];
        export.add_claim("$(reboot)", "volume", &labels);
    });
    assert!(errors[0].contains("is not a valid name"), "{errors:?}");
}

#[test]
fn a_spec_that_does_not_match_the_claims_is_refused() {
    type Change = fn(&mut Export);
    fn spec(export: &mut Export) -> &mut Value {
        &mut export.find("PostgresCluster", "hippo")["spec"]
    }
    let cases: [(Change, &str, &str); 12] = [
        (|e| spec(e)["instances"][0]["replicas"] = 3.into(), "spec.instances[0].replicas", "3 instances in the spec"),
        (
            |e| spec(e)["instances"][0]["replicas"] = 1.into(),
            "spec.instances[0].replicas",
            "`hippo-fast-b9tc`, `hippo-fast-sfvz`",
        ),
        (|e| e.remove("PersistentVolumeClaim", CLAIM), "spec.instances[0].replicas", "are of 1"),
        (|e| spec(e)["instances"][1]["name"] = "slow".into(), "spec.instances[1].replicas", "(none)"),
        (
            |e| e.remove("PersistentVolumeClaim", "hippo-fast-b9tc-pgwal"),
            "spec.instances[0].walVolumeClaimSpec",
            "has none",
        ),
        (
            |e| spec(e)["instances"][0]["walVolumeClaimSpec"] = Value::Null,
            "spec.instances[0]",
            "no `walVolumeClaimSpec`",
        ),
        (
            |e| e.remove("PersistentVolumeClaim", "hippo-repo1"),
            "spec.backups.pgbackrest.repos[0].volume",
            "no claim of `repo1`",
        ),
        (
            |e| spec(e)["instances"][0]["dataVolumeClaimSpec"]["resources"]["requests"]["storage"] = "500Mi".into(),
            "spec.instances[0].dataVolumeClaimSpec.resources.requests.storage",
            "write `1Gi`",
        ),
        (
            |e| spec(e)["instances"][0]["dataVolumeClaimSpec"]["accessModes"] = json!(["ReadWriteMany"]),
            "spec.instances[0].dataVolumeClaimSpec.accessModes",
            "has `ReadWriteOnce`",
        ),
        (
            |e| spec(e)["instances"][0]["walVolumeClaimSpec"]["storageClassName"] = "fast".into(),
            "spec.instances[0].walVolumeClaimSpec.storageClassName",
            "has `standard`",
        ),
        (
            |e| spec(e)["instances"][1]["dataVolumeClaimSpec"]["volumeName"] = "other".into(),
            "spec.instances[1].dataVolumeClaimSpec.volumeName",
            "has `volume-00-x6wn-pgdata`",
        ),
        (
            |e| {
                spec(e)["backups"]["pgbackrest"]["repos"][0]["volume"]["volumeClaimSpec"]["resources"]["requests"]["storage"] =
                    "1".into();
            },
            "spec.backups.pgbackrest.repos[0].volume.volumeClaimSpec.resources.requests.storage",
            "write `1Gi`",
        ),
    ];
    for (change, field, words) in cases {
        let errors = refused(change);
        let is_it = |error: &String| error.contains(&format!("error: {field}: ")) && error.contains(words);
        assert!(errors.iter().any(is_it), "{field}: {words}: {errors:?}");
    }
}

#[test]
fn a_cluster_that_pgrender_cannot_render_or_continue_is_refused() {
    type Change = fn(&mut Export);
    fn cluster(export: &mut Export) -> &mut Value {
        export.find("PostgresCluster", "hippo")
    }
    let cases: [(Change, &str, &str); 8] = [
        (
            |e| cluster(e)["spec"]["standby"] = json!({"enabled": true, "repoName": "repo1"}),
            "spec.standby.enabled",
            "promote it",
        ),
        (
            |e| cluster(e)["spec"]["patroni"] = json!({"dynamicConfiguration": {"standby_cluster": {"host": "a"}}}),
            "spec.patroni.dynamicConfiguration.standby_cluster",
            "promote it",
        ),
        (|e| cluster(e)["status"]["postgresVersion"] = 16.into(), "spec.postgresVersion", "finish the upgrade"),
        (|e| cluster(e)["spec"]["postgresVersion"] = 13.into(), "spec.image", "no image is set"),
        (
            |e| cluster(e)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            "metadata.deletionTimestamp",
            "Retain",
        ),
        (|e| cluster(e)["spec"]["instances"][0]["replicaz"] = 2.into(), "spec.instances[0].replicaz", "unknown field"),
        (
            |e| {
                let labels = [
                    ("instance-set", "fast"),
                    ("instance", "hippo-fast-b9tc"),
                    ("role", "tablespace"),
                    ("data", "big"),
                ];
                e.add_claim("hippo-fast-b9tc-big-tablespace", "volume-big", &labels);
            },
            "metadata.labels[\"postgres-operator.crunchydata.com/role\"]",
            "tablespaces",
        ),
        (
            |e| e.find("Endpoints", "hippo-ha")["metadata"]["annotations"]["leader"] = "hippo-fast-gone-0".into(),
            "metadata.annotations.leader",
            "it has no claim",
        ),
    ];
    for (change, field, words) in cases {
        let errors = refused(change);
        let is_it = |error: &String| error.contains(&format!("error: {field}: ")) && error.contains(words);
        assert!(errors.iter().any(is_it), "{field}: {words}: {errors:?}");
    }
}

#[test]
fn a_name_that_is_too_long_is_refused() {
    let set = "a".repeat(48);
    let errors = refused(|export| {
        export.find("PostgresCluster", "hippo")["spec"]["instances"][1]["name"] = set.as_str().into();
    });
    assert!(errors[0].contains("spec.instances[1].name: must be shorter by 2"), "{errors:?}");
}

#[test]
fn without_a_leader_or_claims_the_message_says_what_to_export() {
    let errors = refused(|export| export.remove("Endpoints", "hippo-ha"));
    assert!(
        errors[0].contains("`kubectl get endpoints hippo-ha -o jsonpath='{.metadata.annotations.leader}'`"),
        "{errors:?}"
    );
    let errors = refused(|export| {
        let claims: Vec<String> = export
            .of_kind("PersistentVolumeClaim")
            .iter()
            .map(|claim| claim["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        for name in claims {
            export.remove("PersistentVolumeClaim", &name);
        }
    });
    assert!(errors[0].contains("has no PersistentVolumeClaim with the label"), "{errors:?}");
}

#[test]
fn steps_that_have_begun_are_not_begun_again() {
    let errors = refused(|export| {
        export.find("PersistentVolumeClaim", CLAIM)["status"]["phase"] = "Lost".into();
        export.add_claim("postgres-data-hippo-fast-1", "other", &[("role", "pgdata"), ("instance-set", "fast")]);
        let ours = export.find("PersistentVolumeClaim", "postgres-data-hippo-fast-1");
        ours["metadata"]["labels"]["pgrender.dev/cluster"] = "hippo".into();
    });
    assert!(errors[0].contains("have begun already"), "{errors:?}");
}

#[test]
fn of_several_clusters_one_is_chosen() {
    let mut export = Export::new();
    export.is_vague = true;
    let mut other = export.find("PostgresCluster", "hippo").clone();
    other["metadata"]["name"] = "rhino".into();
    export.add(other);
    let choose = |cluster: Option<&str>| {
        steps_for(&export, &Request { cluster: cluster.map(str::to_owned), ..Request::default() })
    };
    assert!(choose(None).unwrap_err()[0].contains("`shop/hippo`, `shop/rhino`: choose one with `--cluster`"));
    assert!(choose(Some("hippo")).is_ok() && choose(Some("shop/hippo")).is_ok());
    assert!(choose(Some("tapir")).unwrap_err()[0].contains("`tapir` is not in the input"));
}

#[test]
fn the_program_writes_to_an_empty_directory_only() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("export.json"), Export::new().list()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgrender"));
        let output = command.arg("adopt").args(arguments).current_dir(directory.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&["--output-dir", "adopt", "export.json"]), (Some(0), "Read adopt/README.md first.\n".to_owned()));
    let before = fs::read_to_string(directory.path().join("adopt/README.md")).unwrap();
    let (code, text) = run(&["--output-dir", "adopt", "export.json"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("`adopt` is not empty"), "{text}");
    assert_eq!(fs::read_to_string(directory.path().join("adopt/README.md")).unwrap(), before);
    assert_eq!(run(&["export.json"]).0, Some(2));
}
