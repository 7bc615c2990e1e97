//! What the fields of `metadata` mean to pgrender. Kubernetes' descriptions of the others say enough.

/// The description of a field of `metadata`, if it means something to pgrender.
pub(super) fn description(path: &str) -> Option<&'static str> {
    Some(match path {
        "metadata.name" => {
            "The name of the cluster. The name of every rendered object contains it, and passwords depend on it: a cluster \
             that is renamed is another one."
        }
        "metadata.namespace" => {
            "The namespace of every rendered object. It is required, because host names, URIs and certificates contain it; \
             `--namespace` sets it for clusters without one."
        }
        "metadata.labels" => {
            "Labels of the resource. Only those for tools that apply manifests are copied to the rendered objects; \
             `spec.metadata.labels` adds labels of your own."
        }
        "metadata.annotations" => {
            "Annotations of the resource. `pgrender explain metadata.annotations` lists those of pgrender and of PGO; those \
             for tools that apply manifests are copied to the rendered objects, and `spec.metadata.annotations` adds \
             annotations of your own."
        }
        _ => return None,
    })
}
