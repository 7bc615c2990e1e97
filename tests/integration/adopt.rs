//! Tests `pgrender adopt`: the volumes of a cluster that PGO runs become those of the rendered cluster.

mod data_source;
mod export;
mod refused;

use std::collections::BTreeMap;
use std::process::Command;

use pgrender::diagnostic::Diagnostic;
use pgrender::options::Options;
use pgrender::postgres_cluster::adopt::{Request, adopt};
use pgrender::read;
use serde_json::Value;

use self::export::Export;
use crate::common::rendering;
use crate::common::tools::{run, success};

/// What `kubectl get` prints about a cluster of PGO.
pub(crate) fn export() -> String {
    Export::new().text()
}

/// Returns the files of the steps, or the messages.
fn steps_for(export: &Export, request: &Request) -> Result<BTreeMap<String, String>, Vec<String>> {
    let documents = read::documents("export.yaml", &export.text()).unwrap();
    let (files, diagnostics) = adopt(&documents, request, &Options::default());
    if diagnostics.is_empty() {
        return Ok(files.into_iter().map(|file| (file.name, file.text)).collect());
    }
    assert!(files.is_empty());
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.location.is_some() || export.is_vague), "{diagnostics:?}");
    Err(diagnostics.iter().map(Diagnostic::to_string).collect())
}

fn steps(export: &Export) -> BTreeMap<String, String> {
    steps_for(export, &Request::default()).unwrap()
}

/// The objects of a file.
fn objects(text: &str) -> Vec<Value> {
    read::documents("step", text).unwrap().iter().map(|document| document.node.to_json()).collect()
}

/// The claim that each volume is reserved for, by the name of the volume.
fn reserved(text: &str) -> BTreeMap<String, String> {
    let claim = |volume: &Value| volume["spec"]["claimRef"]["name"].as_str().unwrap().to_owned();
    let name = |volume: &Value| volume["metadata"]["name"].as_str().unwrap().to_owned();
    objects(text).iter().map(|volume| (name(volume), claim(volume))).collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(volume, claim)| (volume.to_owned(), claim.to_owned())).into()
}

/// Checks that every placeholder was replaced. Only the template for kubectl contains such braces.
fn assert_complete(readme: &str) {
    for part in readme.split("{{").skip(1) {
        assert!(["range ", "end}}", ".", "\""].iter().any(|begin| part.starts_with(begin)), "{part}");
    }
}

#[test]
fn the_volumes_of_the_leader_come_first_and_its_ordinal_is_the_lowest() {
    let files = steps(&Export::new());
    let expected = pairs([
        ("volume-fast-sfvz-pgdata", "postgres-data-hippo-fast-0"),
        ("volume-fast-sfvz-pgwal", "postgres-wal-hippo-fast-0"),
    ]);
    assert_eq!(reserved(&files["4-volumes-of-the-leader.yaml"]), expected);
    let expected = pairs([
        ("volume-fast-b9tc-pgdata", "postgres-data-hippo-fast-1"),
        ("volume-fast-b9tc-pgwal", "postgres-wal-hippo-fast-1"),
        ("volume-00-x6wn-pgdata", "postgres-data-hippo-00-0"),
    ]);
    assert_eq!(reserved(&files["7-volumes-of-the-replicas.yaml"]), expected);
    for volume in objects(&files["4-volumes-of-the-leader.yaml"]) {
        // Without it, Kubernetes would keep the identifier of the former claim.
        assert_eq!(volume["spec"]["claimRef"]["uid"], "");
        assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    }
    let readme = &files["README.md"];
    let position = |text: &str| readme.find(text).unwrap_or_else(|| panic!("{text}\n{readme}"));
    let replica = position("scale statefulset hippo-fast-b9tc --replicas=0");
    assert!(replica < position("scale statefulset hippo-fast-sfvz --replicas=0"));
    assert!(
        position("scale statefulset hippo-00-x6wn --replicas=0")
            < position("scale statefulset hippo-fast-sfvz --replicas=0")
    );
    assert_complete(readme);
}

#[test]
fn every_step_can_be_undone() {
    let export = Export::new();
    let files = steps(&export);
    let mut undone = objects(&files["undo-volumes-of-the-leader.yaml"]);
    undone.extend(objects(&files["undo-volumes-of-the-replicas.yaml"]));
    let policies = objects(&files["undo-reclaim-policies.yaml"]);
    let kept = objects(&files["1-keep-volumes.yaml"]);
    let before = export.of_kind("PersistentVolume");
    assert_eq!([undone.len(), policies.len(), kept.len()], [before.len(); 3]);
    for volume in before {
        let same = |other: &&Value| other["metadata"]["name"] == volume["metadata"]["name"];
        for (file, policy) in [(&undone, "Retain"), (&kept, "Retain"), (&policies, "Delete")] {
            let file = file.iter().find(same).unwrap();
            assert_eq!(file["spec"]["persistentVolumeReclaimPolicy"], policy);
            for field in ["namespace", "name", "uid"] {
                assert_eq!(file["spec"]["claimRef"][field], volume["spec"]["claimRef"][field], "{field}");
            }
        }
    }
}

#[test]
fn the_rendering_changes_nothing_in_the_claims_that_cannot_be_changed() {
    let files = steps(&Export::new());
    let rendered = rendering::objects(&files["cluster.yaml"]).unwrap();
    let claims = objects(&files["5-claims.yaml"]);
    let claims: Vec<&Value> = claims.iter().filter(|object| object["kind"] == "PersistentVolumeClaim").collect();
    assert_eq!(claims.len(), 5);
    for claim in claims {
        let is_it = |object: &&Value| {
            object["kind"] == claim["kind"] && object["metadata"]["name"] == claim["metadata"]["name"]
        };
        let there = rendered.iter().find(is_it).unwrap();
        assert_eq!(there["metadata"], claim["metadata"]);
        for (field, value) in there["spec"].as_object().unwrap() {
            assert_eq!(&claim["spec"][field], value, "{field}");
        }
        assert_eq!(claim["spec"]["storageClassName"], "standard");
        assert!(claim["spec"]["volumeName"].as_str().unwrap().starts_with("volume-"));
    }
    // All instances of the rendering have a claim, so Kubernetes creates no empty one.
    let rendered = rendered.iter().filter(|object| object["kind"] == "PersistentVolumeClaim").count();
    assert_eq!(rendered, 5 + 1);
}

#[test]
fn what_pgo_has_done_is_not_requested_again() {
    let mut export = Export::new();
    let cluster = export.find("PostgresCluster", "hippo");
    cluster["metadata"]["annotations"]["postgres-operator.crunchydata.com/pgbackrest-restore"] = "yesterday".into();
    cluster["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}".into();
    cluster["metadata"]["annotations"]["team"] = "blue".into();
    cluster["spec"]["shutdown"] = true.into();
    cluster["spec"]["dataSource"] = serde_json::json!({"volumes": {"pgDataVolume": {"pvcName": "old"}}});
    cluster["spec"]["backups"]["pgbackrest"]["restore"] = serde_json::json!({"enabled": true, "repoName": "repo1"});
    let files = steps(&export);
    let cluster = &objects(&files["cluster.yaml"])[0];
    assert_eq!(
        cluster["metadata"],
        serde_json::json!({"name": "hippo", "namespace": "shop", "annotations": {"team": "blue"}})
    );
    for field in ["shutdown", "dataSource"] {
        assert!(cluster["spec"][field].is_null(), "{field}");
    }
    assert!(cluster["spec"]["backups"]["pgbackrest"]["restore"].is_null() && cluster["status"].is_null());
    for word in ["pgbackrest-restore`", "`spec.shutdown`", "`spec.dataSource`", "`spec.backups.pgbackrest.restore`"] {
        assert!(files["README.md"].contains(word), "{word}");
    }
}

#[test]
fn only_the_former_leader_may_lead_with_synchronous_replication() {
    let mut export = Export::new();
    assert!(!steps(&export)["5-claims.yaml"].contains("hippo-ha-sync"));
    export.find("PostgresCluster", "hippo")["spec"]["patroni"] =
        serde_json::json!({"dynamicConfiguration": {"synchronous_mode": true}});
    let claims = objects(&steps(&export)["5-claims.yaml"]);
    let record = claims.iter().find(|object| object["metadata"]["name"] == "hippo-ha-sync").unwrap();
    assert_eq!(record["metadata"]["annotations"], serde_json::json!({"leader": "hippo-fast-0", "sync_standby": ""}));
}

#[test]
fn patroni_starts_with_the_rendered_configuration() {
    let files = steps(&Export::new());
    let record = objects(&files["5-claims.yaml"]).into_iter().find(|object| object["kind"] == "Endpoints").unwrap();
    let told: Value = serde_json::from_str(record["metadata"]["annotations"]["config"].as_str().unwrap()).unwrap();
    let rendered = rendering::objects(&files["cluster.yaml"]).unwrap();
    let map =
        rendered.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "hippo-config");
    let text = map.unwrap()["data"]["patroni.yaml"].as_str().unwrap().to_owned();
    assert_eq!(told, objects(&text)[0]["bootstrap"]["dcs"]);
}

#[test]
fn no_file_contains_a_secret() {
    let mut export = Export::new();
    export.add_secret("hippo-pguser-hippo", "R2VoZWltZXMgUGFzc3dvcnQ=");
    for (name, text) in steps(&export) {
        assert!(!text.contains("R2VoZWltZXMgUGFzc3dvcnQ=") && !text.contains("Geheimes"), "{name}");
    }
}

#[test]
fn a_repository_keeps_its_claim_or_gets_the_right_name() {
    let mut export = Export::new();
    assert!(!steps(&export)["5-claims.yaml"].contains("hippo-repo1"));
    export.rename_claim("hippo-repo1", "backups-of-version-4");
    let files = steps(&export);
    assert_eq!(reserved(&files["4-volumes-of-the-leader.yaml"])["volume-repo1"], "hippo-repo1");
    assert!(files["README.md"].contains("`backups-of-version-4`"));
}

#[test]
fn what_was_undone_can_be_done_again() {
    let mut export = Export::new();
    let repository = export.find("PersistentVolumeClaim", "hippo-repo1");
    repository["metadata"]["labels"]["pgrender.dev/cluster"] = "hippo".into();
    repository["metadata"]["ownerReferences"] = serde_json::json!([{"kind": "PostgresCluster", "name": "hippo"}]);
    assert_eq!(steps(&export)["5-claims.yaml"], steps(&Export::new())["5-claims.yaml"]);
}

/// Runs the undo of step 5 with a `kubectl` that prints the volumes of claims and the claims that it deletes.
#[test]
fn only_claims_of_the_moved_volumes_are_deleted() {
    let files = steps(&Export::new());
    let readme = &files["README.md"];
    let script = readme.split("Undo. This deletes only claims").nth(1).unwrap().split("```sh\n").nth(1).unwrap();
    let script = script.split("done\n").next().unwrap();
    let kubectl = "kubectl() {
        if test \"$2\" = delete; then echo \"$4\"; return; fi
        case \"$4\" in
        postgres-data-hippo-fast-0) echo volume-fast-sfvz-pgdata ;;
        postgres-wal-hippo-fast-0) echo volume-of-an-earlier-cluster ;;
        esac
    }";
    let output = success(Command::new("bash").args(["-euo", "pipefail", "-c", &format!("{kubectl}\n{script}done\n")]));
    assert_eq!(output, "postgres-data-hippo-fast-0\n");
    let check = readme.split("there=$(").nth(1).unwrap().split("\n```").next().unwrap();
    for (there, is_good) in
        [("true", true), ("echo persistentvolumeclaim/postgres-data-hippo-fast-0", false), ("false", false)]
    {
        let script = format!("kubectl() {{ {there}; }}\nthere=$({check}");
        let status = run(Command::new("bash").args(["-c", &script])).status;
        assert_eq!(status.success(), is_good, "{there}");
    }
}

#[test]
fn a_single_instance_is_the_leader() {
    let mut export = Export::new();
    export.remove("Endpoints", "hippo-ha");
    for name in ["hippo-fast-b9tc-pgdata", "hippo-fast-b9tc-pgwal", "hippo-00-x6wn-pgdata"] {
        export.remove("PersistentVolumeClaim", name);
    }
    let cluster = export.find("PostgresCluster", "hippo");
    cluster["spec"]["instances"].as_array_mut().unwrap().truncate(1);
    cluster["spec"]["instances"][0]["replicas"] = 1.into();
    let files = steps(&export);
    assert!(!files.contains_key("7-volumes-of-the-replicas.yaml"));
    assert!(files["README.md"].contains("The instance `hippo-fast-sfvz` led"));
}

#[test]
fn the_leader_is_found_in_endpoints_pods_status_or_the_option() {
    let leader = |export: &Export, chosen: Option<&str>| {
        let request = Request { leader: chosen.map(str::to_owned), ..Request::default() };
        steps_for(export, &request).map(|files| {
            let readme = &files["README.md"];
            readme.split("The instance `").nth(1).unwrap().split('`').next().unwrap().to_owned()
        })
    };
    let mut export = Export::new();
    let errors = leader(&export, Some("hippo-fast-b9tc-0")).unwrap_err();
    let expected = "metadata.annotations.leader: `hippo-fast-sfvz` leads here, but `--leader` is `hippo-fast-b9tc`";
    assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:?}");
    assert_eq!(leader(&export, Some("hippo-fast-sfvz-0")).unwrap(), "hippo-fast-sfvz");
    export.remove("Endpoints", "hippo-ha");
    assert_eq!(leader(&export, Some("hippo-fast-b9tc")).unwrap(), "hippo-fast-b9tc");
    export.find("PostgresCluster", "hippo")["status"]["startupInstance"] = "hippo-00-x6wn".into();
    assert_eq!(leader(&export, None).unwrap(), "hippo-00-x6wn");
    export.add_pod("hippo-fast-b9tc", "master");
    assert_eq!(leader(&export, None).unwrap(), "hippo-fast-b9tc");
    assert!(leader(&export, Some("hippo-fast-sfvz")).unwrap_err()[0].contains("`--leader` is `hippo-fast-sfvz`"));
    export.add_pod("hippo-fast-sfvz", "primary");
    assert_eq!(leader(&export, Some("hippo-fast-sfvz")).unwrap(), "hippo-fast-sfvz");
    assert!(leader(&export, Some("hippo-00-x6wn")).unwrap_err()[0].contains("`--leader` is `hippo-00-x6wn`"));
    let errors = leader(&export, None).unwrap_err();
    assert!(errors[0].contains("`hippo-fast-sfvz` leads here, but `hippo-fast-b9tc` leads in"), "{errors:?}");
}
