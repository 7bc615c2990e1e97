//! `spec.userInterface`: the pgAdmin that v1beta1 has inside a cluster. A rule of v1 forbids it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{MetadataSpec, SecretKeySpec, ServiceSpec};
use crate::kubernetes::{
    Affinity, PersistentVolumeClaimSpec, ResourceRequirements, Toleration, TopologySpreadConstraint, VolumeProjection,
};

/// The user interface of the cluster.
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
    /// Affinity rules of its pod.
    pub affinity: Option<Affinity>,
    /// Its configuration.
    pub config: Option<PgAdminConfigSpec>,
    /// The claim for the data of pgAdmin.
    pub data_volume_claim_spec: PersistentVolumeClaimSpec,
    /// The pgAdmin image.
    pub image: Option<String>,
    /// Labels and annotations of its objects.
    pub metadata: Option<MetadataSpec>,
    /// Name of the PriorityClass of its pod.
    pub priority_class_name: Option<String>,
    /// The number of pods: 0 or 1.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 1))]
    pub replicas: i32,
    /// Resource requests and limits.
    pub resources: Option<ResourceRequirements>,
    /// Settings of its Service.
    pub service: Option<ServiceSpec>,
    /// Tolerations of its pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Topology spread constraints of its pod, in addition to the default ones.
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
    /// Files to mount beside the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<VolumeProjection>,
    /// The password with which pgAdmin binds to the LDAP server.
    pub ldap_bind_password: Option<SecretKeySpec>,
    /// Settings, in the format of pgAdmin's documentation.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}
