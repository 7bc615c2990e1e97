//! The resolved exporter.

use crate::kubernetes::{ResourceRequirements, SecretProjection, VolumeProjection};

/// The settings of the exporter.
#[derive(Clone, Debug, Default)]
pub struct Exporter {
    /// The image.
    pub image: String,
    /// The resources of the container.
    pub resources: Option<ResourceRequirements>,
    /// `configuration`: the user's files of queries. If the field is present, they replace the default queries, also if it is
    /// an empty list, as in PGO.
    pub configuration: Option<Vec<VolumeProjection>>,
    /// `customTLSSecret`: the certificate for metrics over TLS.
    pub custom_tls_secret: Option<SecretProjection>,
    /// Whether the collectors that `postgres_exporter` has itself are on (annotation `postgres-exporter-collectors`).
    pub built_in_collectors: bool,
}
