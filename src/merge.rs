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
use crate::existing::ROOT_SECRET;
use crate::naming::{annotation, label};
use crate::object::{self, ObjectKey, bookkeeping};
use crate::read::Document;
use crate::read::node::Node;
use crate::render::{self, RenderedCluster};
use crate::write::layout;
use crate::write::resource_list::Item;

/// The result of [`merge`].
#[derive(Default)]
pub struct Merged {
    /// The items of the input in their order, followed by the new objects.
    pub items: Vec<Item>,
    /// The messages. If one of them is an error, do not use `items`.
    pub diagnostics: Vec<Diagnostic>,
}

/// Whether `document` is a Secret that contains the seed.
pub fn is_seed(document: &Document) -> bool {
    object::reference(&document.node).kind == "Secret"
        && object::annotation(&document.node, annotation::SEED) == Some("true")
}

/// Whether `item` is PGO's CA with its key, which one of the clusters uses.
fn is_root(item: &Document, clusters: &[RenderedCluster]) -> bool {
    let reference = object::reference(&item.node);
    reference.kind == "Secret"
        && reference.name == ROOT_SECRET
        && clusters.iter().any(|cluster| cluster.resource.namespace == reference.namespace)
}

/// Merges the objects of `clusters` into `items`.
///
/// An object of an earlier run that is no longer needed is omitted. In kustomize, only objects of the given clusters are
/// omitted: kustomize never reads the output of an earlier run, so objects of other clusters come from another function in the
/// same build.
pub fn merge(items: &[Document], clusters: &[RenderedCluster]) -> Merged {
    let mut merged = Merged::default();
    let all: BTreeMap<ObjectKey, &Value> = clusters
        .iter()
        .flat_map(|cluster| &cluster.objects)
        .map(|value| (ObjectKey::from(&object::rendered_reference(value)), value))
        .collect();
    let mut wanted = all.clone();
    let ours: BTreeSet<(&str, &str)> = clusters.iter().map(|cluster| owner(&cluster.resource)).collect();
    let mut pruned: BTreeMap<String, usize> = BTreeMap::new();

    for (position, item) in items.iter().enumerate() {
        let reference = object::reference(&item.node);
        let owner = object::label(&item.node, label::RENDERED);
        let key = ObjectKey::from(&reference);
        match (wanted.remove(&key), owner) {
            // This comes first, whatever the labels are: omitting or replacing the item would delete the seed from the user's
            // file.
            (Some(value), _) if is_seed(item) => merged.diagnostics.push(clash(item, reference, value)),
            (None, _) if is_seed(item) => merged.items.push(as_it_came(position, item)),
            (Some(value), None) if is_taken_over(item, value) => merged.items.push(replace(position, item, value)),
            (Some(value), None) => merged.diagnostics.push(clash(item, reference, value)),
            (Some(value), Some(owner)) if value["metadata"]["labels"][label::RENDERED] == owner => {
                merged.items.push(replace(position, item, value));
            }
            (Some(value), Some(owner)) => merged.diagnostics.push(of_another_cluster(item, reference, value, owner)),
            (None, Some(owner)) if !ours.contains(&(&reference.namespace, owner)) && from_kustomize(item) => {
                merged.items.push(Item::Kept(position));
            }
            (None, Some(owner)) => *pruned.entry(format!("{}/{owner}", reference.namespace)).or_default() += 1,
            (None, None) => match all.get(&key) {
                // The rendered object has replaced an earlier item of the list.
                Some(value) => merged.diagnostics.push(clash(item, reference, value)),
                None => merged.items.push(keep(position, item, clusters)),
            },
        }
    }
    for (cluster, count) in pruned {
        let message = format!(
            "removed {count} objects of cluster `{cluster}` that an earlier run rendered and that are no longer needed"
        );
        merged.diagnostics.push(Diagnostic::info(message));
    }

    let mut files = Files::of(items);
    let directories = layout::directories(&clusters.iter().map(|cluster| &cluster.resource).collect::<Vec<_>>());
    for (cluster, directory) in clusters.iter().zip(directories) {
        let parent = cluster.file.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
        for value in &cluster.objects {
            if wanted.contains_key(&ObjectKey::from(&object::rendered_reference(value))) {
                let path = format!("{parent}{directory}/{}", layout::file_name(value));
                merged.items.push(Item::Rendered(files.place(value, &path)));
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

/// Whether PGO, or a person for PGO, made `item` with PGO's label of the cluster. It is then a Secret whose values `value`
/// reuses.
fn is_taken_over(item: &Document, value: &Value) -> bool {
    let cluster = value["metadata"]["labels"][label::CLUSTER].as_str();
    value["kind"] == "Secret" && cluster.is_some() && object::label(&item.node, label::CLUSTER) == cluster
}

fn clash(item: &Document, reference: ResourceRef, value: &Value) -> Diagnostic {
    let adopt = match value["metadata"]["labels"][label::CLUSTER].as_str() {
        Some(cluster) if reference.kind == "Secret" && !is_seed(item) => {
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
fn of_another_cluster(item: &Document, reference: ResourceRef, value: &Value, owner: &str) -> Diagnostic {
    let cluster = value["metadata"]["labels"][label::RENDERED].as_str().unwrap_or_default();
    let message = format!(
        "`{reference}` belongs to the cluster `{owner}`, but `{cluster}` has an object with the same name: rename one \
         of the clusters, or its instance set or user; if `{owner}` no longer exists, remove the object from the input"
    );
    Diagnostic::error(message).of(reference).located(&item.file, item.node.position)
}

/// An item that no run of pgrender has rendered.
fn keep(position: usize, item: &Document, clusters: &[RenderedCluster]) -> Item {
    let decided = object::annotation(&item.node, bookkeeping::LOCAL_CONFIG).is_some();
    if (render::is_cluster(&item.node) || is_root(item, clusters)) && !decided {
        Item::LocalConfig(position)
    } else {
        as_it_came(position, item)
    }
}

/// Returns an item unchanged, unless it is a Secret with a seed. Everybody who can read the Secrets of a namespace could then
/// derive every password, so this Secret must never be applied, even if its annotation asks for it.
pub fn as_it_came(position: usize, item: &Document) -> Item {
    let away = object::annotation(&item.node, bookkeeping::LOCAL_CONFIG) == Some("true");
    if is_seed(item) && !away { Item::LocalConfig(position) } else { Item::Kept(position) }
}

/// An object of an earlier run. It stays in its file. If nothing has changed, it is returned unchanged, so that comments in the
/// file stay too.
fn replace(position: usize, item: &Document, value: &Value) -> Item {
    if object::without_bookkeeping(&item.node) == *value {
        return Item::Kept(position);
    }
    let mut value = value.clone();
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::read;

    fn child(cluster: &str, name: &str, data: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop", "labels": {label::RENDERED: cluster}},
            "data": {"a": data},
        })
    }

    fn cluster(name: &str, file: &str, objects: Vec<Value>) -> RenderedCluster {
        let resource = ResourceRef { namespace: "shop".to_owned(), name: name.to_owned(), ..ResourceRef::default() };
        RenderedCluster { resource, file: file.to_owned(), objects }
    }

    fn items(values: &[Value]) -> Vec<Document> {
        let text: Vec<String> = values.iter().map(|value| format!("{value}\n")).collect();
        read::documents("<stdin>", &text.join("---\n")).unwrap()
    }

    fn with(mut value: Value, annotations: &[(&str, &str)]) -> Value {
        for (key, text) in annotations {
            object::annotate(&mut value, key, text);
        }
        value
    }

    #[test]
    fn a_new_child_gets_a_place_next_to_its_cluster() {
        let merged = merge(&[], &[cluster("hippo", "db/cluster.yaml", vec![child("hippo", "a", "1")])]);
        let [Item::Rendered(value)] = merged.items.as_slice() else { panic!("other items") };
        for key in [bookkeeping::PATH, bookkeeping::LEGACY_PATH] {
            assert_eq!(value["metadata"]["annotations"][key], "db/hippo/configmap-a.yaml");
        }
        for key in [bookkeeping::INDEX, bookkeeping::LEGACY_INDEX] {
            assert_eq!(value["metadata"]["annotations"][key], "0");
        }
    }

    #[test]
    fn a_new_child_does_not_take_the_place_of_another_item() {
        let path = "hippo/configmap-a.yaml";
        let other = json!({"kind": "Service", "metadata": {"name": "x"}});
        let items = items(&[with(other, &[(bookkeeping::PATH, path), (bookkeeping::INDEX, "1")])]);
        let merged = merge(&items, &[cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")])]);
        let [Item::Kept(0), Item::Rendered(value)] = merged.items.as_slice() else { panic!("other items") };
        assert_eq!(value["metadata"]["annotations"][bookkeeping::INDEX], "2");
    }

    #[test]
    fn an_earlier_child_is_replaced_in_its_file_and_left_alone_when_it_is_right() {
        let place = [(bookkeeping::PATH, "moved.yaml"), (bookkeeping::INDEX, "3"), ("config.k8s.io/id", "9")];
        let old = with(child("hippo", "a", "old"), &place);
        let old = with(old, &[("example.com/hand", "made")]);
        let same = with(child("hippo", "b", "same"), &place);
        let wanted = vec![child("hippo", "b", "same"), child("hippo", "a", "new")];
        let merged = merge(&items(&[old, same]), &[cluster("hippo", "<stdin>", wanted)]);
        assert!(merged.items == [Item::Rendered(with(child("hippo", "a", "new"), &place)), Item::Kept(1)]);
        assert_eq!(merged.diagnostics, []);
    }

    #[test]
    fn children_that_nothing_asks_for_are_left_out_and_told() {
        let items = items(&[child("hippo", "a", "1"), child("gone", "b", "1"), child("gone", "c", "1")]);
        let merged = merge(&items, &[cluster("hippo", "<stdin>", vec![])]);
        assert!(merged.items.is_empty());
        let told: Vec<String> = merged.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("2 objects of cluster `shop/gone`"), "{told:?}");
    }

    #[test]
    fn kustomize_keeps_the_children_of_another_function() {
        let id = [(bookkeeping::KUSTOMIZE_ID, "x")];
        let items = items(&[with(child("hippo", "a", "1"), &id), with(child("other", "b", "1"), &id)]);
        assert!(merge(&items, &[cluster("hippo", "<stdin>", vec![])]).items == [Item::Kept(1)]);
    }

    #[test]
    fn a_child_of_another_cluster_is_never_overwritten() {
        for annotations in [&[][..], &[(bookkeeping::KUSTOMIZE_ID, "x")]] {
            let theirs = with(child("hippo-a", "hippo-a-b", "1"), annotations);
            let ours = cluster("hippo", "<stdin>", vec![child("hippo", "hippo-a-b", "2")]);
            let told: Vec<String> =
                merge(&items(&[theirs]), &[ours]).diagnostics.iter().map(ToString::to_string).collect();
            assert!(told.len() == 1 && told[0].contains("error: `ConfigMap shop/hippo-a-b` belongs to"), "{told:?}");
        }
    }

    #[test]
    fn an_item_of_the_user_does_not_pass_beside_ours() {
        let mut theirs = child("hippo", "a", "1");
        theirs["metadata"]["labels"] = json!({});
        let ours = || cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")]);
        for items in [[theirs.clone(), child("hippo", "a", "1")], [child("hippo", "a", "1"), theirs.clone()]] {
            let merged = merge(&self::items(&items), &[ours()]);
            assert!(crate::diagnostic::has_errors(&merged.diagnostics));
        }
    }

    #[test]
    fn an_item_of_the_user_is_never_overwritten() {
        let mut theirs = child("hippo", "a", "1");
        theirs["metadata"]["labels"] = json!({});
        let merged = merge(&items(&[theirs]), &[cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")])]);
        assert!(crate::diagnostic::has_errors(&merged.diagnostics));
        assert!(merged.diagnostics[0].to_string().contains("ConfigMap shop/a"));
    }

    #[test]
    fn secrets_of_pgo_are_taken_over_and_its_ca_stays_away() {
        let secret = |labels: Value| {
            let place = [(bookkeeping::PATH, "pgo.yaml"), (bookkeeping::INDEX, "2")];
            with(
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop", "labels": labels}}),
                &place,
            )
        };
        let wanted = secret(json!({label::RENDERED: "hippo", label::CLUSTER: "hippo"}));
        let render = |item: Value| merge(&items(&[item]), &[cluster("hippo", "<stdin>", vec![wanted.clone()])]);
        assert!(render(secret(json!({label::CLUSTER: "hippo"}))).items == [Item::Rendered(wanted.clone())]);
        for labels in [json!({}), json!({label::CLUSTER: "other"})] {
            let told = render(secret(labels)).diagnostics;
            assert!(
                told[0].to_string().contains("error: ")
                    && told[0].message.contains("cluster: hippo`, so that pgrender replaces it")
            );
        }
        let root =
            |namespace: &str| json!({"kind": "Secret", "metadata": {"name": ROOT_SECRET, "namespace": namespace}});
        let merged = merge(&items(&[root("shop"), root("elsewhere")]), &[cluster("hippo", "<stdin>", vec![])]);
        assert!(merged.items == [Item::LocalConfig(0), Item::Kept(1)]);
    }

    #[test]
    fn clusters_and_seeds_are_kept_away_from_the_cluster_unless_someone_has_decided() {
        let hippo = json!({
            "apiVersion": "postgres-operator.crunchydata.com/v1", "kind": "PostgresCluster", "metadata": {"name": "hippo"}
        });
        let seed = json!({"kind": "Secret", "metadata": {"annotations": {annotation::SEED: "true"}}});
        let no_seed = json!({"kind": "Secret", "metadata": {"annotations": {annotation::SEED: "false"}}});
        let decided = with(hippo.clone(), &[(bookkeeping::LOCAL_CONFIG, "false")]);
        let merged = merge(&items(&[hippo, seed.clone(), no_seed, decided]), &[]);
        assert!(merged.items == [Item::LocalConfig(0), Item::LocalConfig(1), Item::Kept(2), Item::Kept(3)]);
        let of_seed =
            |value: &str| merge(&items(&[with(seed.clone(), &[(bookkeeping::LOCAL_CONFIG, value)])]), &[]).items;
        assert!(of_seed("false") == [Item::LocalConfig(0)] && of_seed("true") == [Item::Kept(0)]);
    }

    #[test]
    fn a_seed_stays_whatever_its_labels_and_its_name_say() {
        let seed = |name: &str, labels: Value| {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
                "name": name, "namespace": "shop", "labels": labels, "annotations": {annotation::SEED: "true"},
            }})
        };
        let wanted = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "hippo-pguser-hippo", "namespace": "shop", "labels": {label::RENDERED: "hippo", label::CLUSTER: "hippo"},
        }});
        let render = |item: Value| merge(&items(&[item]), &[cluster("hippo", "<stdin>", vec![wanted.clone()])]);
        for key in [label::RENDERED, label::CLUSTER] {
            for owner in ["hippo", "other"] {
                let merged = render(seed("seed", json!({key: owner})));
                assert!(merged.items[0] == Item::LocalConfig(0), "{key}: {owner}");
                let told = render(seed("hippo-pguser-hippo", json!({key: owner}))).diagnostics;
                assert!(crate::diagnostic::has_errors(&told) && !told[0].message.contains("add the label"), "{told:?}");
            }
        }
    }

    #[test]
    fn an_index_that_no_file_has_is_ignored() {
        let path = "hippo/configmap-a.yaml";
        for index in [usize::MAX.to_string(), (usize::MAX - 1).to_string(), "99999999999999999999999".to_owned()] {
            let other = json!({"kind": "Service", "metadata": {"name": "x"}});
            let items = items(&[with(other, &[(bookkeeping::PATH, path), (bookkeeping::INDEX, &index)])]);
            let merged = merge(&items, &[cluster("hippo", "<stdin>", vec![child("hippo", "a", "1")])]);
            let [Item::Kept(0), Item::Rendered(value)] = merged.items.as_slice() else { panic!("other items") };
            assert_eq!(value["metadata"]["annotations"][bookkeeping::INDEX], "1");
        }
    }
}
