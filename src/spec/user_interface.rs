//! `spec.userInterface`: the pgAdmin that v1beta1 has inside a cluster. A rule of v1 forbids it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{MetadataSpec, SecretKeySpec, ServiceSpec};
use crate::kubernetes::{
    Affinity, PersistentVolumeClaimSpec, ResourceRequirements, Toleration, TopologySpreadConstraint, VolumeProjection,
};

/// What people use the cluster with.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserInterfaceSpec {
    /// pgAdmin.
    pub pg_admin: PgAdminSpec,
}

/// pgAdmin.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgAdminSpec {
    /// Which nodes its pod likes and which pods it keeps near or away from.
    pub affinity: Option<Affinity>,
    /// Its configuration.
    pub config: Option<PgAdminConfigSpec>,
    /// The claim for its own data.
    pub data_volume_claim_spec: PersistentVolumeClaimSpec,
    /// The pgAdmin image.
    pub image: Option<String>,
    /// Labels and annotations of its objects.
    pub metadata: Option<MetadataSpec>,
    /// How important its pod is to the scheduler.
    pub priority_class_name: Option<String>,
    /// One pod or none.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 1))]
    pub replicas: i32,
    /// What it needs and may use.
    pub resources: Option<ResourceRequirements>,
    /// How its Service is reached.
    pub service: Option<ServiceSpec>,
    /// Taints of nodes that its pod bears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// How its pod spreads over the nodes, before the defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
}

fn default_replicas() -> i32 {
    1
}

/// Configuration of pgAdmin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgAdminConfigSpec {
    /// Files to mount beside its settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<VolumeProjection>,
    /// The password with which it searches the directory of people.
    pub ldap_bind_password: Option<SecretKeySpec>,
    /// Settings, as pgAdmin's documentation gives them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}
