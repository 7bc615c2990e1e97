//! Puts rendered objects among the items that a function was given: ours replace those of an earlier run, the rest stays.
//!
//! Children of an earlier run are known by the label [`label::RENDERED`], never by their path, because users move files.
//! A cluster and a seed stay in the list, for dropping an item makes kpt delete the user's file; the annotation
//! `local-config` keeps them away from the Kubernetes cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::naming::{annotation, label};
use crate::object::{self, Identity, bookkeeping};
use crate::read::Document;
use crate::render::{self, RenderedCluster};
use crate::report::{Diagnostic, ResourceRef};
use crate::write::layout;

/// One item of the list that a function gives back.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The input's item at this position, untouched.
    Kept(usize),
    /// The input's item at this position, with the annotation that keeps it away from the Kubernetes cluster.
    LocalConfig(usize),
    /// An object of ours.
    Rendered(Value),
}

/// The outcome of [`merge`].
#[derive(Debug, Default)]
pub struct Merged {
    /// The input's items in their order, then what is new.
    pub items: Vec<Item>,
    /// What there is to tell. When one is an error, `items` is worthless.
    pub diagnostics: Vec<Diagnostic>,
}

/// Whether `document` is a Secret that holds the seed.
pub fn is_seed(document: &Document) -> bool {
    object::reference(&document.node).kind == "Secret"
        && object::annotation(&document.node, annotation::SEED) == Some("true")
}

/// Merges the objects of `clusters` into `items`.
///
/// A child of an earlier run that is wanted no more is left out. In kustomize that holds for the given clusters only: its
/// items are never read back from an earlier run, so other children come from another function of the same build.
pub fn merge(items: &[Document], clusters: &[RenderedCluster]) -> Merged {
    let mut merged = Merged::default();
    let mut wanted: BTreeMap<Identity, &Value> = clusters
        .iter()
        .flat_map(|cluster| &cluster.objects)
        .map(|value| (Identity::from(&object::rendered_reference(value)), value))
        .collect();
    let ours: BTreeSet<(&str, &str)> = clusters.iter().map(|cluster| owner(&cluster.resource)).collect();
    let mut pruned: BTreeMap<String, usize> = BTreeMap::new();

    for (position, item) in items.iter().enumerate() {
        let reference = object::reference(&item.node);
        let owner = object::label(&item.node, label::RENDERED);
        match (wanted.remove(&Identity::from(&reference)), owner) {
            (Some(_), None) => merged.diagnostics.push(clash(item, reference)),
            (Some(value), Some(_)) => merged.items.push(replace(position, item, value)),
            (None, Some(owner)) if !ours.contains(&(&reference.namespace, owner)) && from_kustomize(item) => {
                merged.items.push(Item::Kept(position));
            }
            (None, Some(owner)) => *pruned.entry(format!("{}/{owner}", reference.namespace)).or_default() += 1,
            (None, None) => merged.items.push(keep(position, item)),
        }
    }
    for (cluster, count) in pruned {
        let message =
            format!("left out {count} objects of cluster `{cluster}` that an earlier run made and nothing asks for");
        merged.diagnostics.push(Diagnostic::info(message));
    }

    let mut files = Files::of(items);
    let directories = layout::directories(&clusters.iter().map(|cluster| &cluster.resource).collect::<Vec<_>>());
    for (cluster, directory) in clusters.iter().zip(directories) {
        let parent = cluster.file.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
        for value in &cluster.objects {
            if wanted.contains_key(&Identity::from(&object::rendered_reference(value))) {
                let path = format!("{parent}{directory}/{}", layout::file_name(value));
                merged.items.push(Item::Rendered(files.place(value, &path)));
            }
        }
    }
    merged
}

/// The namespace and the name of a cluster: what a child knows it by.
fn owner(cluster: &ResourceRef) -> (&str, &str) {
    (&cluster.namespace, &cluster.name)
}

fn from_kustomize(item: &Document) -> bool {
    object::annotation(&item.node, bookkeeping::KUSTOMIZE_ID).is_some()
}

fn clash(item: &Document, reference: ResourceRef) -> Diagnostic {
    let message = format!(
        "`{reference}` is in the input already and pgrender did not make it: rename it, or take it out of the input"
    );
    Diagnostic::error(message).of(reference).located(&item.file, item.node.position)
}

/// An item that is not one of our children.
fn keep(position: usize, item: &Document) -> Item {
    let decided = object::annotation(&item.node, bookkeeping::LOCAL_CONFIG).is_some();
    if (render::is_cluster(&item.node) || is_seed(item)) && !decided {
        Item::LocalConfig(position)
    } else {
        Item::Kept(position)
    }
}

/// A child of an earlier run. It stays in its file, and untouched when nothing has changed, so that comments which
/// someone wrote there stay as well.
fn replace(position: usize, item: &Document, value: &Value) -> Item {
    if object::without_bookkeeping(&item.node) == *value {
        return Item::Kept(position);
    }
    let mut value = value.clone();
    let annotations = item.node.get("metadata").and_then(|metadata| metadata.get("annotations"));
    for entry in annotations.map(|annotations| annotations.entries()).unwrap_or_default() {
        if let Some(text) = entry.value.as_str()
            && (bookkeeping::is(&entry.key) || entry.key == bookkeeping::LOCAL_CONFIG)
        {
            object::annotate(&mut value, &entry.key, text);
        }
    }
    Item::Rendered(value)
}

/// The files of a package and how many documents each has. Two items at the same place are an error to kpt.
struct Files(BTreeMap<String, usize>);

impl Files {
    fn of(items: &[Document]) -> Self {
        let mut files = Self(BTreeMap::new());
        for item in items {
            if let Some(path) = object::path(&item.node) {
                let index = object::annotation(&item.node, bookkeeping::INDEX)
                    .or_else(|| object::annotation(&item.node, bookkeeping::LEGACY_INDEX));
                let next = index.and_then(|index| index.parse().ok()).unwrap_or(0) + 1;
                let documents = files.0.entry(path.to_owned()).or_default();
                *documents = next.max(*documents);
            }
        }
        files
    }

    /// `value` as the last document of the file `path`, in both spellings of the annotations.
    fn place(&mut self, value: &Value, path: &str) -> Value {
        let documents = self.0.entry(path.to_owned()).or_default();
        let index = documents.to_string();
        *documents += 1;
        let mut value = value.clone();
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
