//! ConfigMaps with generated files.

use std::collections::BTreeMap;

use super::metadata::object_meta;
use crate::kubernetes::ConfigMap;
use crate::naming::Labels;
use crate::postgres_cluster::cluster::{Cluster, Metadata};

/// A ConfigMap that contains these files. A file without a text is omitted.
pub(crate) fn files<'a>(
    cluster: &Cluster,
    name: String,
    metadata: &Metadata,
    labels: Labels,
    files: impl IntoIterator<Item = (&'a str, Option<String>)>,
) -> ConfigMap {
    let files = files.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?)));
    ConfigMap {
        metadata: object_meta(cluster, name, metadata, labels),
        data: Some(files.collect::<BTreeMap<_, _>>()),
        ..ConfigMap::default()
    }
}
