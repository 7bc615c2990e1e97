//! The parts that every Kubernetes object has, whatever its kind: its identity, labels and annotations. Input objects are
//! [`Node`]s, and output objects are [`Value`]s. This module reads both.

use serde_json::Value;

use crate::diagnostic::{Diagnostic, ResourceRef};
use crate::read::Document;
use crate::read::node::Node;

/// Annotations in which kustomize, kpt and their library kyaml store where an item came from (KRM Functions Specification v1;
/// kyaml `kio/kioutil`).
pub mod bookkeeping {
    /// The file of an item, relative to the package.
    pub const PATH: &str = "internal.config.kubernetes.io/path";
    /// The older name of [`PATH`]. If both are present, they must have the same value.
    pub const LEGACY_PATH: &str = "config.kubernetes.io/path";
    /// The position of an item among the documents of its file, counted from 0.
    pub const INDEX: &str = "internal.config.kubernetes.io/index";
    /// The older name of [`INDEX`].
    pub const LEGACY_INDEX: &str = "config.kubernetes.io/index";
    /// Unless its value is `false`, the item is not applied: kustomize drops it at the end of a build, and `kpt live apply`
    /// skips it.
    pub const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";
    /// The identifier by which kustomize recognizes an item that it has passed to a transformer.
    pub const KUSTOMIZE_ID: &str = "kustomize.config.k8s.io/id";

    const LEGACY_ID: &str = "config.k8s.io/id";
    const PREFIXES: [&str; 4] =
        ["internal.config.kubernetes.io/", "internal.config.k8s.io/", "internal.kpt.dev/", "kustomize.config.k8s.io/"];

    /// Whether the annotation `key` only says where an item came from, and nothing about the object itself.
    pub fn is(key: &str) -> bool {
        [LEGACY_PATH, LEGACY_INDEX, LEGACY_ID].contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
    }
}

/// The identity of an object for the API server. It has no version, because the versions of one group are the same object.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct ObjectKey {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl From<&ResourceRef> for ObjectKey {
    fn from(reference: &ResourceRef) -> Self {
        let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
        Self {
            group: group.to_owned(),
            kind: reference.kind.clone(),
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        }
    }
}

/// The reference to an object of the input. A field that is missing or not a string is empty in it.
pub fn reference(node: &Node) -> ResourceRef {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let metadata = node.get("metadata");
    ResourceRef {
        api_version: text(node.get("apiVersion")),
        kind: text(node.get("kind")),
        name: text(metadata.and_then(|metadata| metadata.get("name"))),
        namespace: text(metadata.and_then(|metadata| metadata.get("namespace"))),
    }
}

/// The same. If the object has no namespace, it is in `namespace`.
pub fn reference_in(node: &Node, namespace: Option<&str>) -> ResourceRef {
    let mut reference = reference(node);
    if reference.namespace.is_empty() {
        namespace.unwrap_or_default().clone_into(&mut reference.namespace);
    }
    reference
}

/// The value of the label `key` of an object of the input.
pub fn label<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// The value of the annotation `key` of an object of the input.
pub fn annotation<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// The file that kpt read an item from, relative to the package.
pub fn path(node: &Node) -> Option<&str> {
    annotation(node, bookkeeping::PATH).or_else(|| annotation(node, bookkeeping::LEGACY_PATH))
}

/// Sets an annotation of an object. If `metadata` of the object is not a mapping, the object does not change.
pub fn annotate(value: &mut Value, key: &str, text: &str) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if annotations.is_null() {
        *annotations = Value::Object(serde_json::Map::new());
    }
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(key.to_owned(), Value::String(text.to_owned()));
    }
}

/// An object of the input as its author wrote it: without the bookkeeping annotations and `local-config`, and without
/// `annotations` if this leaves it empty.
pub fn without_bookkeeping(node: &Node) -> Value {
    let mut value = node.to_json();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.retain(|key, _| !bookkeeping::is(key) && key != bookkeeping::LOCAL_CONFIG);
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    value
}

/// The error about an object that is in the input twice with different contents. Its position is that of the later document, in
/// the order of files.
pub(crate) fn twice(resource: &ResourceRef, one: &Document, other: &Document) -> Diagnostic {
    let place = |document: &Document| (document.file.clone(), document.node.position);
    let (first, second) = if place(one) <= place(other) { (one, other) } else { (other, one) };
    let message = format!(
        "`{resource}` is in the input twice with different contents, here and in `{}` line {}: remove one of them",
        first.file, first.node.position.line
    );
    Diagnostic::error(message).of(resource.clone()).located(&second.file, second.node.position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_group_are_one_object_and_groups_are_not() {
        let of = |api_version: &str| {
            ObjectKey::from(&ResourceRef {
                api_version: api_version.to_owned(),
                kind: "Service".to_owned(),
                ..ResourceRef::default()
            })
        };
        assert_eq!(of("example.com/v1"), of("example.com/v1beta1"));
        assert_ne!(of("v1"), of("serving.example.com/v1"));
    }

    #[test]
    fn annotations_are_added_where_there_were_none() {
        let mut value = serde_json::json!({"metadata": {"name": "a"}});
        annotate(&mut value, bookkeeping::LOCAL_CONFIG, "true");
        assert_eq!(value["metadata"]["annotations"][bookkeeping::LOCAL_CONFIG], "true");
        let mut value = serde_json::json!({"metadata": {"annotations": null}});
        annotate(&mut value, "a", "b");
        assert_eq!(value["metadata"]["annotations"]["a"], "b");
    }

    #[test]
    fn bookkeeping_is_known_by_its_prefixes() {
        assert!(bookkeeping::is("internal.config.k8s.io/kpt-resource-id"));
        assert!(bookkeeping::is("config.k8s.io/id"));
        assert!(!bookkeeping::is("config.kubernetes.io/depends-on"));
        assert!(!bookkeeping::is(bookkeeping::LOCAL_CONFIG));
    }
}
