//! `spec.instances`: the sets of Postgres instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AdditionalVolume, MetadataSpec, SidecarSpec, VolumeClaimSpec};
use crate::kubernetes::{
    Affinity, Container, IntOrString, PersistentVolumeClaimSpec, ResourceRequirements, Toleration,
    TopologySpreadConstraint,
};

/// A set of instances with the same configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceSetSpec {
    /// Affinity rules of its pods.
    pub affinity: Option<Affinity>,
    /// Sidecars of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// The claim for the data directory.
    pub data_volume_claim_spec: VolumeClaimSpec,
    /// Labels and annotations of the set's objects.
    pub metadata: Option<MetadataSpec>,
    /// The number or percentage of its pods that must stay available when a node is drained.
    pub min_available: Option<IntOrString>,
    /// Name of the set. If it is empty, PGO uses the two-digit index of the set.
    #[serde(default)]
    #[schemars(regex(pattern = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"))]
    pub name: String,
    /// Name of the PriorityClass of its pods.
    pub priority_class_name: Option<String>,
    /// The number of instances.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1))]
    pub replicas: i32,
    /// Resource requests and limits of Postgres.
    pub resources: Option<ResourceRequirements>,
    /// Settings of the sidecars.
    pub sidecars: Option<InstanceSidecarsSpec>,
    /// Claims for tablespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge"))]
    pub tablespace_volumes: Vec<TablespaceVolumeSpec>,
    /// Tolerations of its pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Topology spread constraints of its pods, in addition to the default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Additional volumes.
    pub volumes: Option<InstanceVolumesSpec>,
    /// The claim for the WAL. Without it, the WAL is on the volume of the data.
    pub wal_volume_claim_spec: Option<VolumeClaimSpec>,
}

fn default_replicas() -> i32 {
    1
}

/// Settings of an instance's sidecars.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceSidecarsSpec {
    /// The container that copies the replication certificate in PGO.
    pub replica_cert_copy: Option<SidecarSpec>,
}

/// A tablespace on its own PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TablespaceVolumeSpec {
    /// The PersistentVolumeClaim.
    pub data_volume_claim_spec: PersistentVolumeClaimSpec,
    /// Name of the tablespace's directory, `/tablespaces/<name>`.
    #[schemars(length(min = 1), regex(pattern = "^[a-z][a-z0-9]*$"))]
    pub name: String,
}

/// Additional volumes for an instance.
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
    /// A claim that is deleted with the pod, mounted at `/pgtmp`.
    pub temp: Option<PersistentVolumeClaimSpec>,
}
