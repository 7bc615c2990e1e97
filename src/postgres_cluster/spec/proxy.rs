//! `spec.proxy`: the connection pooler.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetadataSpec, ServiceSpec, SidecarSpec, VolumesSpec};
use crate::kubernetes::{
    Affinity, Container, IntOrString, ResourceRequirements, SecretProjection, Toleration, TopologySpreadConstraint,
    VolumeProjection,
};

/// The proxy between clients and Postgres.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxySpec {
    /// pgBouncer.
    pub pg_bouncer: PgBouncerSpec,
}

/// pgBouncer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBouncerSpec {
    /// Affinity rules of its pods.
    pub affinity: Option<Affinity>,
    /// Its configuration.
    pub config: Option<PgBouncerConfigSpec>,
    /// Sidecars of your own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// A certificate of your own, for clients.
    #[serde(rename = "customTLSSecret")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// The pgBouncer image.
    pub image: Option<String>,
    /// Labels and annotations of its objects.
    pub metadata: Option<MetadataSpec>,
    /// The number or percentage of its pods that must stay available when a node is drained.
    pub min_available: Option<IntOrString>,
    /// The port that it listens on.
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// Name of the PriorityClass of its pods.
    pub priority_class_name: Option<String>,
    /// The number of pods.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// Resource requests and limits.
    pub resources: Option<ResourceRequirements>,
    /// Settings of its Service.
    pub service: Option<ServiceSpec>,
    /// Settings of the sidecars.
    pub sidecars: Option<PgBouncerSidecarsSpec>,
    /// Tolerations of its pods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Topology spread constraints of its pods, in addition to the default ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Additional volumes.
    pub volumes: Option<VolumesSpec>,
}

impl Default for PgBouncerSpec {
    fn default() -> Self {
        Self {
            affinity: None,
            config: None,
            containers: Vec::new(),
            custom_tls_secret: None,
            image: None,
            metadata: None,
            min_available: None,
            port: 5432,
            priority_class_name: None,
            replicas: 1,
            resources: None,
            service: None,
            sidecars: None,
            tolerations: Vec::new(),
            topology_spread_constraints: Vec::new(),
            volumes: None,
        }
    }
}

/// Configuration of pgBouncer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBouncerConfigSpec {
    /// The section `[databases]`; it replaces the default one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// Files to mount at `/etc/pgbouncer`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<VolumeProjection>,
    /// Settings of section `[pgbouncer]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub global: BTreeMap<String, String>,
    /// The section `[users]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, String>,
}

/// Settings of pgBouncer's sidecars.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBouncerSidecarsSpec {
    /// The container that reloads pgBouncer when its configuration changes.
    pub pgbouncer_config: Option<SidecarSpec>,
}
