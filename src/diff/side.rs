//! One of the two sides of a comparison: the objects of each cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{configuration, shown};
use crate::diagnostic::ResourceRef;
use crate::kubernetes::Object;
use crate::naming::label;
use crate::read::Document;
use crate::read::object::{self, ObjectKey};

/// The namespace and the name of a cluster.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ClusterName {
    /// The namespace; empty if the objects have none.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// An object of a cluster. It may be a Secret, so it does not implement `Debug`.
pub struct SideObject {
    /// Its reference.
    pub reference: ResourceRef,
    /// Its content, without what the API server adds. Texts of known configuration files are read.
    pub value: Value,
    /// Whether the API server has added fields to it.
    pub is_live: bool,
}

/// The objects of one cluster on one side.
pub type Objects = BTreeMap<ObjectKey, SideObject>;

/// The objects of each cluster. They contain secrets, so it does not implement `Debug`.
#[derive(Default)]
pub struct Side {
    /// The objects by cluster and identity.
    pub clusters: BTreeMap<ClusterName, Objects>,
    /// The kinds of the objects, if they are manifests. `kubectl get` prints only the kinds that it was asked for.
    pub kinds: Option<BTreeSet<String>>,
    /// The manifests without the label of a cluster that pgrender has rendered.
    pub unlabelled: Objects,
}

impl Side {
    /// Adds a rendered object.
    pub fn add_rendered(&mut self, object: &Object) {
        self.add(object.reference(), object.to_value(), false);
    }

    /// Adds a manifest of a rendered object, from a file or as the API server returns it.
    pub fn add_manifest(&mut self, document: &Document) {
        let mut value = object::without_bookkeeping(&document.node);
        let is_live = remove_what_the_server_adds(&mut value);
        let reference = object::reference(&document.node);
        self.kinds.get_or_insert_default().insert(reference.kind.clone());
        if label_of(&value, label::RENDERED).is_none() {
            let (key, object) = object_of(reference, value, is_live);
            self.unlabelled.insert(key, object);
            return;
        }
        self.add(reference, value, is_live);
    }

    fn add(&mut self, reference: ResourceRef, value: Value, is_live: bool) {
        // All rendered objects have this label.
        let name = shown::plain(label_of(&value, label::RENDERED).unwrap_or_default());
        let (key, object) = object_of(reference, value, is_live);
        let cluster = ClusterName { namespace: object.reference.namespace.clone(), name };
        self.clusters.entry(cluster).or_default().insert(key, object);
    }
}

fn object_of(mut reference: ResourceRef, mut value: Value, is_live: bool) -> (ObjectKey, SideObject) {
    // Manifests may have names that no API server accepts.
    for part in [&mut reference.kind, &mut reference.name, &mut reference.namespace] {
        *part = shown::plain(part);
    }
    configuration::read(&mut value);
    (ObjectKey::from(&reference), SideObject { reference, value, is_live })
}

/// The value of a label of an object.
pub fn label_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.pointer("/metadata/labels")?.get(key)?.as_str()
}

/// Removes the fields that the API server or the programs of Kubernetes write into each object, and returns whether there were
/// any (Kubernetes API conventions, "Metadata").
fn remove_what_the_server_adds(value: &mut Value) -> bool {
    let Some(fields) = value.as_object_mut() else { return false };
    fields.shift_remove("status");
    let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) else { return false };
    let is_set = |field: &str| metadata.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let is_live = is_set("uid") && is_set("resourceVersion");
    for field in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"] {
        metadata.shift_remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !is_of_kubernetes(key));
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    metadata.shift_remove("finalizers");
    is_live
}

/// Whether Kubernetes or kubectl writes the annotation.
fn is_of_kubernetes(key: &str) -> bool {
    [
        "kubectl.kubernetes.io/last-applied-configuration",
        "kubectl.kubernetes.io/restartedAt",
        "deployment.kubernetes.io/revision",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node",
        "volume.kubernetes.io/storage-resizer",
    ]
    .contains(&key)
}
