//! The labels, annotations and selectors that objects have in common.

use crate::kubernetes::{LabelSelector, ObjectMeta};
use crate::naming::{Labels, label, labels};
use crate::postgres_cluster::cluster::{Cluster, Metadata};

/// The metadata of an object of `cluster`. `labels` override the user's `metadata`, as in PGO, and both override the labels and
/// annotations for the tools that apply the object. The label `cluster` and the label by which a later run recognizes the
/// object are always added.
pub(crate) fn object_meta(cluster: &Cluster, name: String, metadata: &Metadata, labels: Labels) -> ObjectMeta {
    let mut meta = pod_meta(cluster, &cluster.delivery.merged(Some(metadata)), labels);
    meta.name = Some(name);
    meta.namespace = Some(cluster.namespace.clone());
    meta.labels.get_or_insert_default().insert(label::RENDERED.to_owned(), cluster.name.clone());
    meta
}

/// The metadata of a pod template. It is the same as that of [`object_meta`], but without the name, the namespace, the label of
/// rendered objects, and what is for the tools that apply objects.
pub(crate) fn pod_meta(cluster: &Cluster, metadata: &Metadata, labels: Labels) -> ObjectMeta {
    let mut all = metadata.labels.clone();
    all.extend(labels);
    all.insert(label::CLUSTER.to_owned(), cluster.name.clone());
    let annotations = metadata.annotations.clone();
    ObjectMeta {
        labels: Some(all),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..ObjectMeta::default()
    }
}

/// `meta` with one more annotation.
pub(crate) fn annotated(mut meta: ObjectMeta, key: &str, value: &str) -> ObjectMeta {
    meta.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    meta
}

/// `meta` with an annotation for each generation that is not the first.
pub(crate) fn with_generations(meta: ObjectMeta, generations: Vec<(&str, u32)>) -> ObjectMeta {
    let later = generations.into_iter().filter(|(_, generation)| *generation > 1);
    later.fold(meta, |meta, (key, generation)| annotated(meta, key, &generation.to_string()))
}

/// A selector of the objects of the cluster that have these labels.
pub(crate) fn selector(cluster: &Cluster, labels: Labels) -> LabelSelector {
    LabelSelector { match_labels: Some(selector_labels(cluster, labels)), ..LabelSelector::default() }
}

/// The same as [`selector`], in the form that a Service needs.
pub(crate) fn selector_labels(cluster: &Cluster, mut labels: Labels) -> Labels {
    labels.insert(label::CLUSTER.to_owned(), cluster.name.clone());
    labels
}

/// The labels that select the repo host.
pub(crate) fn repo_host_labels() -> Labels {
    labels([(label::PGBACKREST, ""), (label::PGBACKREST_DEDICATED, "")])
}

/// The labels that select the pods of the restore drill.
pub(crate) fn restore_drill_labels() -> Labels {
    labels([(label::PGBACKREST, ""), (label::RESTORE_DRILL, "")])
}

/// The labels that select the pods of scheduled backups.
pub(crate) fn backup_labels() -> Labels {
    labels([(label::PGBACKREST, ""), (label::PGBACKREST_BACKUP, "scheduled")])
}
