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
    /// The kinds of the objects, if they come from an API server. `kubectl get` prints only the kinds that it was asked for.
    pub live_kinds: Option<BTreeSet<String>>,
    /// How many objects belong to no cluster that pgrender has rendered.
    pub ignored: usize,
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
        if is_live {
            self.live_kinds.get_or_insert_default().insert(reference.kind.clone());
        }
        if label_of(&value, label::RENDERED).is_none() {
            self.ignored += 1;
            return;
        }
        self.add(reference, value, is_live);
    }

    fn add(&mut self, mut reference: ResourceRef, mut value: Value, is_live: bool) {
        // Manifests may have names that no API server accepts.
        for part in [&mut reference.kind, &mut reference.name, &mut reference.namespace] {
            *part = shown::plain(part);
        }
        // All rendered objects have this label.
        let name = shown::plain(label_of(&value, label::RENDERED).unwrap_or_default());
        let cluster = ClusterName { namespace: reference.namespace.clone(), name };
        configuration::read(&mut value);
        let object = SideObject { reference, value, is_live };
        let key = ObjectKey::from(&object.reference);
        self.clusters.entry(cluster).or_default().insert(key, object);
    }
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
    let added = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
    let count = added.iter().filter(|field| metadata.shift_remove(**field).is_some()).count();
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !is_of_kubernetes(key));
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    metadata.shift_remove("finalizers");
    count > 1
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
