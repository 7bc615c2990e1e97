//! PGO's side: the objects that were read back from the API server, without what the API server and PGO added at run time.

use std::fs;
use std::path::Path;

use pgrender::read;
use serde_json::{Value, json};

use crate::observed::instances::Names;
use crate::observed::normal::{Objects, described};
use crate::observed::secret;

/// Kinds of objects that are created at run time, not from the spec: Endpoints of Patroni and of the caretaker, and the first
/// backup.
const RUNTIME_KINDS: [&str; 2] = ["Endpoints", "Job"];

/// Paths of fields that the Kubernetes cluster or its controllers set.
const RUNTIME_FIELDS: [(&str, &str); 14] = [
    ("*", "/metadata/ownerReferences"),
    ("*", "/metadata/finalizers"),
    ("Deployment", "/metadata/annotations/deployment.kubernetes.io~1revision"),
    ("PersistentVolumeClaim", "/metadata/annotations/pv.kubernetes.io~1bind-completed"),
    ("PersistentVolumeClaim", "/metadata/annotations/pv.kubernetes.io~1bound-by-controller"),
    ("PersistentVolumeClaim", "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner"),
    ("PersistentVolumeClaim", "/metadata/annotations/volume.kubernetes.io~1selected-node"),
    ("PersistentVolumeClaim", "/metadata/annotations/volume.kubernetes.io~1storage-provisioner"),
    ("PersistentVolumeClaim", "/spec/storageClassName"),
    ("PersistentVolumeClaim", "/spec/volumeName"),
    ("Service", "/spec/ipFamilies"),
    ("Service", "/spec/ipFamilyPolicy"),
    // The older name of the same field.
    ("*", "/spec/template/spec/serviceAccount"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec/serviceAccount"),
];

/// Returns the objects in a file of `observed` in the common form.
pub(crate) fn read(file: &Path) -> Objects {
    let text = fs::read_to_string(file).unwrap();
    let documents = read::documents(&file.to_string_lossy(), &text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut objects: Vec<Value> = documents.iter().map(|document| document.node.to_json()).collect();
    let names = Names::of(&objects);
    let configuration = running_configuration(&objects);
    objects.retain(|object| !RUNTIME_KINDS.iter().any(|kind| object["kind"] == *kind));
    objects
        .into_iter()
        .map(|mut object| {
            let kind = object["kind"].as_str().unwrap().to_owned();
            let name = names.object(&kind, object["metadata"]["name"].as_str().unwrap());
            names.replace(&mut object);
            object["metadata"]["name"] = json!(name);
            forget_runtime(&mut object, &kind);
            if kind == "Secret" {
                object = secret::theirs(object);
            }
            let (identity, mut object) = described(object);
            if kind == "ConfigMap" && name.ends_with("-config") {
                restore_configuration(&mut object, configuration.as_ref());
            }
            (identity, object)
        })
        .collect()
}

fn forget_runtime(object: &mut Value, kind: &str) {
    for (_, path) in RUNTIME_FIELDS.iter().filter(|(of, _)| *of == "*" || *of == kind) {
        let (parent, key) = path.rsplit_once('/').unwrap();
        if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.shift_remove(&key.replace("~1", "/"));
        }
    }
    // Kubernetes has chosen this port.
    if kind == "Service" && object["spec"]["type"] == "LoadBalancer" {
        for port in object["spec"]["ports"].as_array_mut().unwrap() {
            port.as_object_mut().unwrap().shift_remove("nodePort");
        }
    }
}

/// Returns the dynamic configuration of a running Patroni, which it stores in an annotation.
fn running_configuration(objects: &[Value]) -> Option<Value> {
    let mut endpoints = objects.iter().filter(|object| object["kind"] == "Endpoints");
    let text = endpoints.find_map(|object| object["metadata"]["annotations"]["config"].as_str())?;
    Some(serde_json::from_str(text).unwrap())
}

/// PGO removes `bootstrap.dcs` from Patroni's file when the cluster runs. Patroni's stored configuration has the same content.
fn restore_configuration(object: &mut Value, configuration: Option<&Value>) {
    let patroni = object.pointer_mut("/data/patroni.yaml").filter(|patroni| patroni.get("scope").is_some());
    if let (Some(configuration), Some(patroni)) = (configuration, patroni) {
        patroni["bootstrap"] = json!({ "dcs": configuration });
    }
}
