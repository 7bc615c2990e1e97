//! `spec.instances`: the sets of Postgres instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdditionalVolume, MetadataSpec, SidecarSpec, VolumeClaimSpec};
use crate::kubernetes::{
    Affinity, Container, IntOrString, PersistentVolumeClaimSpec, ResourceRequirements, Toleration,
    TopologySpreadConstraint,
};

/// A set of instances that are alike.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceSetSpec {
    /// Which nodes its pods like and which pods they keep near or away from.
    pub affinity: Option<Affinity>,
    /// Sidecars of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// The claim for the data directory.
    pub data_volume_claim_spec: VolumeClaimSpec,
    /// Labels and annotations of the set's objects.
    pub metadata: Option<MetadataSpec>,
    /// How many of its pods a drain must leave running.
    pub min_available: Option<IntOrString>,
    /// Name of the set; PGO takes its two-digit index when empty.
    #[serde(default)]
    #[schemars(regex(pattern = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"))]
    pub name: String,
    /// How important its pods are to the scheduler.
    pub priority_class_name: Option<String>,
    /// How many instances.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1))]
    pub replicas: i32,
    /// What Postgres needs and may use.
    pub resources: Option<ResourceRequirements>,
    /// Settings of the sidecars.
    pub sidecars: Option<InstanceSidecarsSpec>,
    /// Claims for tablespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge"))]
    pub tablespace_volumes: Vec<TablespaceVolumeSpec>,
    /// Taints of nodes that its pods bear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// How its pods spread over the nodes, before the defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// More volumes.
    pub volumes: Option<InstanceVolumesSpec>,
    /// The claim for the WAL, when it is to be apart from the data.
    pub wal_volume_claim_spec: Option<VolumeClaimSpec>,
}

fn default_replicas() -> i32 {
    1
}

/// Settings of an instance's sidecars.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceSidecarsSpec {
    /// In PGO the container that copies the replication certificate.
    pub replica_cert_copy: Option<SidecarSpec>,
}

/// A tablespace on a claim of its own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TablespaceVolumeSpec {
    /// The claim.
    pub data_volume_claim_spec: PersistentVolumeClaimSpec,
    /// Name of the tablespace's directory, `/tablespaces/<name>`.
    #[schemars(length(min = 1), regex(pattern = "^[a-z][a-z0-9]*$"))]
    pub name: String,
}

/// More volumes for an instance.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceVolumesSpec {
    /// Claims and images to mount at `/volumes/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 10),
        extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge")
    )]
    pub additional: Vec<AdditionalVolume>,
    /// A claim that lives as long as the pod, mounted at `/pgtmp`.
    pub temp: Option<PersistentVolumeClaimSpec>,
}
