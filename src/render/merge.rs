//! Merges rendered objects into the items that a function was given. Rendered objects replace those of an earlier run, and the
//! other items stay.
//!
//! The objects of an earlier run are recognized by the label [`label::RENDERED`], never by their path, because users move
//! files. A Secret that PGO made is replaced too, because the rendered Secret contains its values.
//!
//! A cluster, a Secret with a seed, and PGO's CA stay in the list: if an item is dropped, kpt deletes it from the user's file.
//! The annotation `local-config` prevents them from being applied to the Kubernetes cluster. For a cluster and the CA, the user
//! may set this annotation to another value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diagnostic::{Diagnostic, ResourceRef};
use crate::kubernetes::Object;
use crate::naming::{annotation, label};
use crate::postgres_cluster::secrets::existing::ROOT_SECRET;
use crate::read::Document;
use crate::read::node::Node;
use crate::read::object::{self, ObjectKey, bookkeeping};
use crate::render::{self, RenderedResource};
use crate::write::layout;
use crate::write::resource_list::Item;

/// The result of [`merge`].
#[derive(Default)]
pub struct Merged<'a> {
    /// The items of the input in their order, followed by the new objects.
    pub items: Vec<Item<'a>>,
    /// The messages. If one of them is an error, do not use `items`.
    pub diagnostics: Vec<Diagnostic>,
}

/// Whether `document` is a Secret that contains the seed.
pub fn is_seed(document: &Document) -> bool {
    object::reference(&document.node).kind == "Secret"
        && object::annotation(&document.node, annotation::SEED) == Some("true")
}

/// Whether `item` is PGO's CA with its key, which one of the clusters uses.
fn is_root(item: &Document, resources: &[RenderedResource]) -> bool {
    let reference = object::reference(&item.node);
    reference.kind == "Secret"
        && reference.name == ROOT_SECRET
        && resources.iter().any(|resource| resource.reference.namespace == reference.namespace)
}

/// Merges the objects of `clusters` into `items`.
///
/// An object of an earlier run that is no longer needed is omitted. In kustomize, only objects of the given clusters are
/// omitted: kustomize never reads the output of an earlier run, so objects of other clusters come from another function in the
/// same build.
pub fn merge(items: &[Document], resources: Vec<RenderedResource>) -> Merged<'_> {
    let mut merged = Merged::default();
    let all: BTreeMap<ObjectKey, &Object> = resources
        .iter()
        .flat_map(|resource| &resource.objects)
        .map(|object| (ObjectKey::from(&object.reference()), object))
        .collect();
    let mut wanted = all.clone();
    let ours: BTreeSet<(&str, &str)> = resources.iter().map(|resource| owner(&resource.reference)).collect();
    let mut pruned: BTreeMap<String, usize> = BTreeMap::new();

    for item in items {
        let reference = object::reference(&item.node);
        let owner = object::label(&item.node, label::RENDERED);
        let key = ObjectKey::from(&reference);
        match (wanted.remove(&key), owner) {
            // This comes first, whatever the labels are: omitting or replacing the item would delete the seed from the user's
            // file.
            (Some(object), _) if is_seed(item) => merged.diagnostics.push(clash(item, reference, object)),
            (None, _) if is_seed(item) => merged.items.push(as_it_came(item)),
            (Some(object), None) if is_taken_over(item, object) => merged.items.push(replace(item, object)),
            (Some(object), None) => merged.diagnostics.push(clash(item, reference, object)),
            (Some(object), Some(owner)) if object.label(label::RENDERED) == Some(owner) => {
                merged.items.push(replace(item, object));
            }
            (Some(object), Some(owner)) => merged.diagnostics.push(of_another_cluster(item, reference, object, owner)),
            (None, Some(owner)) if !ours.contains(&(&reference.namespace, owner)) && from_kustomize(item) => {
                merged.items.push(Item::Kept(&item.node));
            }
            (None, Some(owner)) => *pruned.entry(format!("{}/{owner}", reference.namespace)).or_default() += 1,
            (None, None) => match all.get(&key) {
                // The rendered object has replaced an earlier item of the list.
                Some(object) => merged.diagnostics.push(clash(item, reference, object)),
                None => merged.items.push(keep(item, &resources)),
            },
        }
    }
    for (cluster, count) in pruned {
        let message = format!(
            "removed {count} objects of cluster `{cluster}` that an earlier run rendered and that are no \
                     longer needed"
        );
        merged.diagnostics.push(Diagnostic::info(message));
    }

    let new: BTreeSet<ObjectKey> = wanted.into_keys().collect();
    let mut files = Files::of(items);
    let references: Vec<&ResourceRef> = resources.iter().map(|resource| &resource.reference).collect();
    let directories = layout::directories(&references);
    for (resource, directory) in resources.into_iter().zip(directories) {
        let parent = resource.file.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
        for object in resource.objects {
            let reference = object.reference();
            if new.contains(&ObjectKey::from(&reference)) {
                let path = format!("{parent}{directory}/{}", layout::file_name(&reference));
                merged.items.push(Item::Rendered(files.place(object.to_value(), &path)));
            }
        }
    }
    merged
}

/// The namespace and the name of a cluster, which identify the cluster of a rendered object.
fn owner(cluster: &ResourceRef) -> (&str, &str) {
    (&cluster.namespace, &cluster.name)
}

fn from_kustomize(item: &Document) -> bool {
    object::annotation(&item.node, bookkeeping::KUSTOMIZE_ID).is_some()
}

/// Whether PGO, or a person for PGO, made `item` with PGO's label of the cluster. It is then a Secret whose values `object`
/// reuses.
fn is_taken_over(item: &Document, object: &Object) -> bool {
    let cluster = object.label(label::CLUSTER);
    matches!(object, Object::Secret(_)) && cluster.is_some() && object::label(&item.node, label::CLUSTER) == cluster
}

fn clash(item: &Document, reference: ResourceRef, object: &Object) -> Diagnostic {
    let adopt = match object.label(label::CLUSTER) {
        Some(cluster) if matches!(object, Object::Secret(_)) && !is_seed(item) => {
            format!(
                ", or add the label `{}: {cluster}`, so that pgrender replaces it with a Secret that has the same \
                     values",
                label::CLUSTER
            )
        }
        _ => String::new(),
    };
    let message = format!(
        "`{reference}` is already in the input, and pgrender did not create it: rename it, or remove it from the \
         input{adopt}"
    );
    Diagnostic::error(message).of(reference).located(&item.file, item.node.position)
}

/// An error about an object of the input that belongs to another cluster, because the names of the two clusters begin alike.
/// Replacing it would give its data to this cluster.
fn of_another_cluster(item: &Document, reference: ResourceRef, object: &Object, owner: &str) -> Diagnostic {
    let cluster = object.label(label::RENDERED).unwrap_or_default();
    let message = format!(
        "`{reference}` belongs to the cluster `{owner}`, but `{cluster}` has an object with the same name: rename one \
         of the clusters, or its instance set or user; if `{owner}` no longer exists, remove the object from the input"
    );
    Diagnostic::error(message).of(reference).located(&item.file, item.node.position)
}

/// An item that no run of pgrender has rendered.
fn keep<'a>(item: &'a Document, resources: &[RenderedResource]) -> Item<'a> {
    let decided = object::annotation(&item.node, bookkeeping::LOCAL_CONFIG).is_some();
    if (render::is_rendered(&item.node) || is_root(item, resources)) && !decided {
        Item::LocalConfig(&item.node)
    } else {
        as_it_came(item)
    }
}

/// Returns an item unchanged, unless it is a Secret with a seed. Everybody who can read the Secrets of a namespace could then
/// derive every password, so this Secret must never be applied, even if its annotation asks for it.
pub fn as_it_came(item: &Document) -> Item<'_> {
    let away = object::annotation(&item.node, bookkeeping::LOCAL_CONFIG) == Some("true");
    if is_seed(item) && !away { Item::LocalConfig(&item.node) } else { Item::Kept(&item.node) }
}

/// An object of an earlier run. It stays in its file. If nothing has changed, it is returned unchanged, so that comments in the
/// file stay too.
fn replace<'a>(item: &'a Document, object: &Object) -> Item<'a> {
    let mut value = object.to_value();
    if object::without_bookkeeping(&item.node) == value {
        return Item::Kept(&item.node);
    }
    let annotations = item.node.get("metadata").and_then(|metadata| metadata.get("annotations"));
    for entry in annotations.map(Node::entries).unwrap_or_default() {
        if let Some(text) = entry.value.as_str()
            && (bookkeeping::is(&entry.key) || entry.key == bookkeeping::LOCAL_CONFIG)
        {
            object::annotate(&mut value, &entry.key, text);
        }
    }
    Item::Rendered(value)
}

/// The maximum number of documents in a file. A larger index is not a real position and is ignored.
const MOST_DOCUMENTS: usize = 1_000_000;

/// The files of a package, with the number of documents in each. kpt reports an error for two items at the same position of a
/// file.
struct Files(BTreeMap<String, usize>);

impl Files {
    fn of(items: &[Document]) -> Self {
        let mut files = Self(BTreeMap::new());
        for item in items {
            if let Some(path) = object::path(&item.node) {
                let index = object::annotation(&item.node, bookkeeping::INDEX)
                    .or_else(|| object::annotation(&item.node, bookkeeping::LEGACY_INDEX));
                let index = index.and_then(|index| index.parse().ok()).filter(|index| *index < MOST_DOCUMENTS);
                let next = index.unwrap_or(0) + 1;
                let documents = files.0.entry(path.to_owned()).or_default();
                *documents = next.max(*documents);
            }
        }
        files
    }

    /// `value` as the last document of the file `path`. Both names of the annotations are set.
    fn place(&mut self, mut value: Value, path: &str) -> Value {
        let documents = self.0.entry(path.to_owned()).or_default();
        let index = documents.to_string();
        *documents += 1;
        for (key, text) in [
            (bookkeeping::LEGACY_INDEX, index.as_str()),
            (bookkeeping::LEGACY_PATH, path),
            (bookkeeping::INDEX, &index),
            (bookkeeping::PATH, path),
        ] {
            object::annotate(&mut value, key, text);
        }
        value
    }
}

#[cfg(test)]
mod tests;
