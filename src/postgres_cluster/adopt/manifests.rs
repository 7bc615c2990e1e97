//! The manifests of the steps. They are applied with server-side apply, so they contain only the fields that a step changes.

use serde_json::{Value, json};

use super::{Adoption, File, Move, Origin};
use crate::kubernetes::Object;
use crate::naming::label;
use crate::postgres_cluster::patroni::configuration::dynamic_configuration;
use crate::write::yaml;

/// `cluster.yaml`: the PostgresCluster to render.
pub(super) fn cluster(adoption: &Adoption) -> File {
    let mut manifest = adoption.manifest.clone();
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        // It may come from the command line.
        metadata.insert("namespace".to_owned(), json!(adoption.cluster.namespace));
    }
    file("cluster.yaml", "The PostgresCluster to render from now on.", &[manifest])
}

/// The manifests of the steps, and those with which the steps are undone.
pub(super) fn steps(adoption: &Adoption) -> Vec<File> {
    let namespace = &adoption.cluster.namespace;
    let former = |there: &Move, policy| volume(there, policy, namespace, there.old.name, there.old.uid);
    let kept: Vec<Value> = adoption.moves().map(|there| former(there, "Retain")).collect();
    let policies: Vec<Value> = adoption.moves().map(|there| former(there, there.old.reclaim_policy)).collect();
    let renamed = |there: &&Move| there.new.is_some();
    let first: Vec<Value> = adoption.first().filter(renamed).map(|there| given(there, namespace)).collect();
    let of_replicas = || adoption.replicas.iter().flat_map(|replica| &replica.moves);
    let others: Vec<Value> = of_replicas().map(|there| given(there, namespace)).collect();
    let mut claims: Vec<Value> =
        adoption.moves().filter_map(|there| there.new.clone()).map(|claim| Object::from(claim).to_value()).collect();
    let mut files = vec![file("1-keep-volumes.yaml", "No deletion of a claim deletes these volumes.", &kept)];
    match adoption.origin {
        Origin::Pgo => {
            claims.extend(records(adoption));
            files.push(file("4-volumes-of-the-leader.yaml", "Reserves the volumes for their new claims.", &first));
            files.push(file("5-claims.yaml", "The claims, and what Patroni must know before it starts.", &claims));
            if !others.is_empty() {
                files.push(file(
                    "7-volumes-of-the-replicas.yaml",
                    "Reserves the volumes for their new claims.",
                    &others,
                ));
            }
        }
        Origin::DataSource => {
            files.push(file("3-volumes.yaml", "Reserves the volumes for their new claims.", &first));
            files.push(file("4-claims.yaml", "The claims.", &claims));
        }
    }
    let back = "Gives the volumes back to their former claims.";
    let first: Vec<Value> = adoption.first().map(|there| former(there, "Retain")).collect();
    files.push(file("undo-volumes-of-the-leader.yaml", back, &first));
    if !others.is_empty() {
        let others: Vec<Value> = of_replicas().map(|there| former(there, "Retain")).collect();
        files.push(file("undo-volumes-of-the-replicas.yaml", back, &others));
    }
    files.push(file("undo-reclaim-policies.yaml", "Gives the volumes the reclaim policies that they had.", &policies));
    files
}

fn file(name: &str, about: &str, documents: &[Value]) -> File {
    let documents: Vec<String> = documents.iter().map(yaml::to_string).collect();
    File { name: name.to_owned(), text: format!("# {about}\n{}", documents.join("---\n")) }
}

/// The fields of a PersistentVolume that say which claim it belongs to, and what happens when that claim is deleted.
fn volume(there: &Move, policy: &str, namespace: &str, claim: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": there.old.volume},
        "spec": {
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": claim,
                "namespace": namespace,
                "uid": uid,
            },
            "persistentVolumeReclaimPolicy": policy,
        },
    })
}

/// A volume that is reserved for its new claim. Kubernetes fills in the empty `uid` when it binds the claim.
fn given(there: &Move, namespace: &str) -> Value {
    volume(there, "Retain", namespace, there.new_name(), "")
}

/// What Patroni must know before it starts, in its Endpoints. They keep the system identifier and the history.
///
/// The configuration is that which the caretaker would set when Postgres runs. Then a parameter that differs from PGO's would
/// need a restart.
fn records(adoption: &Adoption) -> Vec<Value> {
    let cluster = &adoption.cluster;
    let endpoints = |name: String, annotations: Value| {
        json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {
                "annotations": annotations,
                "labels": {(label::CLUSTER): cluster.name, (label::PATRONI): cluster.scope()},
                "name": name,
                "namespace": cluster.namespace,
            },
        })
    };
    let configuration = dynamic_configuration(cluster).to_string();
    let mut records = vec![endpoints(cluster.dcs_service(), json!({"config": configuration}))];
    if is_synchronous(adoption) {
        // With synchronous replication, only a member that is named here may lead, and the names of PGO no longer exist
        // (Patroni, "Replication modes", "Synchronous mode implementation").
        let names = json!({"leader": adoption.leader.after, "sync_standby": ""});
        records.push(endpoints(format!("{}-sync", cluster.scope()), names));
    }
    records
}

/// Whether Patroni replicates synchronously.
pub(super) fn is_synchronous(adoption: &Adoption) -> bool {
    let mode = adoption.cluster.patroni.dynamic_configuration.get("synchronous_mode");
    mode.is_some_and(|mode| *mode != Value::Null && *mode != Value::Bool(false) && *mode != json!("off"))
}
