//! pgBouncer.

use std::collections::BTreeMap;

use super::{Metadata, Scheduling, ServiceSettings};
use crate::kubernetes::{Container, IntOrString, ResourceRequirements, SecretProjection, VolumeProjection};
use crate::spec::AdditionalVolume;

/// `spec.proxy.pgBouncer`.
#[derive(Clone, Debug)]
pub struct PgBouncer {
    /// The pgBouncer image.
    pub image: String,
    /// `spec.metadata` overlaid with pgBouncer's.
    pub metadata: Metadata,
    /// How many pods.
    pub replicas: u16,
    /// The port it listens on.
    pub port: u16,
    /// Its Service; the Service's own metadata only.
    pub service: ServiceSettings,
    /// `config.global`.
    pub global: BTreeMap<String, String>,
    /// `config.databases`.
    pub databases: BTreeMap<String, String>,
    /// `config.users`.
    pub users: BTreeMap<String, String>,
    /// `config.files`, mounted at `/etc/pgbouncer`.
    pub files: Vec<VolumeProjection>,
    /// Of the `pgbouncer` container.
    pub resources: Option<ResourceRequirements>,
    /// Of `pgbouncer-config`.
    pub config_resources: Option<ResourceRequirements>,
    /// `containers`: the user's own sidecars, as written.
    pub containers: Vec<Container>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
    /// Where the pods go.
    pub scheduling: Scheduling,
    /// `minAvailable` of the disruption budget; `None` for no budget.
    pub min_available: Option<IntOrString>,
    /// `customTLSSecret`.
    pub custom_tls_secret: Option<SecretProjection>,
}
