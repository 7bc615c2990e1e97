//! The sources of a projected volume that a user can write: ConfigMaps and Secrets.

use super::{KeyToPath, VolumeProjection};

/// A ConfigMap or Secret in a projected volume.
pub(crate) struct ProjectedSource<'p> {
    /// The kind of the object.
    pub(crate) kind: &'static str,
    /// The field of the projection.
    pub(crate) field: &'static str,
    /// The name of the object.
    pub(crate) name: &'p str,
    /// The keys that become files; all keys if there are none.
    pub(crate) items: &'p [KeyToPath],
}

/// Returns the ConfigMap or Secret of `projection`. The API server allows only one source, but a spec can have several.
pub(crate) fn sources(projection: &VolumeProjection) -> impl Iterator<Item = ProjectedSource<'_>> {
    let config_map = projection.config_map.as_ref().map(|source| ProjectedSource {
        kind: "ConfigMap",
        field: "configMap",
        name: &source.name,
        items: source.items.as_deref().unwrap_or_default(),
    });
    let secret = projection.secret.as_ref().map(|source| ProjectedSource {
        kind: "Secret",
        field: "secret",
        name: &source.name,
        items: source.items.as_deref().unwrap_or_default(),
    });
    config_map.into_iter().chain(secret)
}
