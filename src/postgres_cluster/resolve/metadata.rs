//! Resolves the labels and annotations that the user asks for.

use super::context::Context;
use super::{annotations, delivery, labels};
use crate::diagnostic::FieldPath;
use crate::postgres_cluster::cluster::Metadata;
use crate::postgres_cluster::spec::MetadataSpec;

/// Returns the user's labels and annotations for a group of objects, after checking them.
pub(crate) fn resolve(spec: Option<&MetadataSpec>, path: &FieldPath, context: &mut Context) -> Metadata {
    let Some(spec) = spec else { return Metadata::default() };
    let mut metadata = Metadata { labels: spec.labels.clone(), annotations: spec.annotations.clone() };
    labels::check(&metadata, path, &mut context.diagnostics);
    annotations::misplaced(&metadata, path, context);
    delivery::without_danger(&mut metadata, path, context);
    metadata
}
