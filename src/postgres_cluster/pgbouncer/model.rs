//! The settings of pgBouncer.

use std::collections::BTreeMap;

use crate::kubernetes::{Container, IntOrString, ResourceRequirements, SecretProjection, VolumeProjection};
use crate::postgres_cluster::cluster::shared::{Metadata, Scheduling, ServiceSettings};
use crate::postgres_cluster::spec::AdditionalVolume;

/// `spec.proxy.pgBouncer`.
#[derive(Clone, Debug)]
pub struct PgBouncer {
    /// The pgBouncer image.
    pub image: String,
    /// `spec.metadata`, overlaid with the metadata of `spec.proxy.pgBouncer`.
    pub metadata: Metadata,
    /// The number of pods.
    pub replicas: u16,
    /// The port it listens on.
    pub port: u16,
    /// The settings of its Service. Their metadata is that of the Service only.
    pub service: ServiceSettings,
    /// `config.global`.
    pub global: BTreeMap<String, String>,
    /// `config.databases`.
    pub databases: BTreeMap<String, String>,
    /// `config.users`.
    pub users: BTreeMap<String, String>,
    /// `config.files`, which are mounted at `/etc/pgbouncer`.
    pub files: Vec<VolumeProjection>,
    /// The resources of the `pgbouncer` container.
    pub resources: Option<ResourceRequirements>,
    /// The resources of the `pgbouncer-config` container.
    pub config_resources: Option<ResourceRequirements>,
    /// `containers`: the user's own sidecars, as they are in the spec.
    pub containers: Vec<Container>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
    /// The scheduling of the pods.
    pub scheduling: Scheduling,
    /// `minAvailable` of the PodDisruptionBudget; `None` if there is no budget.
    pub min_available: Option<IntOrString>,
    /// `customTLSSecret`.
    pub custom_tls_secret: Option<SecretProjection>,
}
