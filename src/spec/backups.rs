//! `spec.backups`: pgBackRest, its repo host and its jobs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetadataSpec, RepositorySpec, SidecarSpec, VolumesSpec, pattern};
use crate::kubernetes::{
    Affinity, ConfigMapProjection, ResourceRequirements, SecretProjection, Toleration, TopologySpreadConstraint,
    VolumeProjection,
};

/// Backups of the cluster; there are none where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupsSpec {
    /// Backups with pgBackRest.
    pub pgbackrest: Option<PgBackRestSpec>,
    /// Snapshots of volumes.
    pub snapshots: Option<SnapshotsSpec>,
}

/// Backups with pgBackRest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBackRestSpec {
    /// Files of configuration to put beside the generated ones, such as credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configuration: Vec<VolumeProjection>,
    /// Options of section `[global]` of every configuration file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
    /// The pgBackRest image.
    pub image: Option<String>,
    /// Pods that take backups.
    pub jobs: Option<BackupJobsSpec>,
    /// Where instances log.
    pub log: Option<LogSpec>,
    /// A backup on demand.
    pub manual: Option<ManualBackupSpec>,
    /// Labels and annotations of pgBackRest's objects.
    pub metadata: Option<MetadataSpec>,
    /// The pod that keeps the repositories on volumes.
    pub repo_host: Option<RepoHostSpec>,
    /// The repositories; the first one makes new replicas.
    #[schemars(
        length(min = 1),
        extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge")
    )]
    pub repos: Vec<RepositorySpec>,
    /// A restore in place.
    pub restore: Option<RestoreSpec>,
    /// Settings of the sidecars.
    pub sidecars: Option<PgBackRestSidecarsSpec>,
}

/// Pods that take backups.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupJobsSpec {
    /// Which nodes the pods like and which pods they keep near or away from.
    pub affinity: Option<Affinity>,
    /// Where backups to object storage log.
    pub log: Option<LogSpec>,
    /// How important the pods are to the scheduler.
    pub priority_class_name: Option<String>,
    /// What a backup needs and may use.
    pub resources: Option<ResourceRequirements>,
    /// Taints of nodes that the pods bear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Seconds that a finished Job is kept.
    #[schemars(range(min = 60))]
    pub ttl_seconds_after_finished: Option<i32>,
    /// More volumes.
    pub volumes: Option<VolumesSpec>,
}

/// Where pgBackRest logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogSpec {
    /// The directory.
    #[schemars(length(max = 256))]
    pub path: Option<String>,
}

/// A backup on demand; an annotation of the cluster sets it off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManualBackupSpec {
    /// Options of `pgbackrest backup`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The repository.
    #[schemars(regex(pattern = pattern::REPOSITORY))]
    pub repo_name: String,
}

/// The pod that keeps the repositories on volumes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepoHostSpec {
    /// Which nodes the pod likes and which pods it keeps near or away from.
    pub affinity: Option<Affinity>,
    /// Where it logs.
    pub log: Option<LogSpec>,
    /// How important the pod is to the scheduler.
    pub priority_class_name: Option<String>,
    /// What it needs and may use.
    pub resources: Option<ResourceRequirements>,
    /// Configuration of SSH; PGO ignores it since it uses TLS.
    pub ssh_config_map: Option<ConfigMapProjection>,
    /// Keys of SSH; PGO ignores them since it uses TLS.
    pub ssh_secret: Option<SecretProjection>,
    /// Taints of nodes that the pod bears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// How the pod spreads over the nodes, before the defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// More volumes.
    pub volumes: Option<VolumesSpec>,
}

/// A restore in place; an annotation of the cluster sets it off.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreSpec {
    /// Which nodes the pod likes and which pods it keeps near or away from.
    pub affinity: Option<Affinity>,
    /// The cluster to restore from; this one when absent.
    pub cluster_name: Option<String>,
    /// The namespace of that cluster; this one when absent.
    pub cluster_namespace: Option<String>,
    /// Whether the annotation is heeded.
    #[serde(default)]
    pub enabled: bool,
    /// Options of `pgbackrest restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// How important the pod is to the scheduler.
    pub priority_class_name: Option<String>,
    /// The repository.
    #[schemars(regex(pattern = pattern::REPOSITORY))]
    pub repo_name: String,
    /// What a restore needs and may use.
    pub resources: Option<ResourceRequirements>,
    /// Taints of nodes that the pod bears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// More volumes.
    pub volumes: Option<VolumesSpec>,
}

/// Settings of pgBackRest's containers in instances.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBackRestSidecarsSpec {
    /// The TLS server.
    pub pgbackrest: Option<SidecarSpec>,
    /// What reloads the TLS server, in instances and in the repo host.
    pub pgbackrest_config: Option<SidecarSpec>,
}

/// Snapshots of volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotsSpec {
    /// The class of the snapshots.
    #[schemars(length(min = 1))]
    pub volume_snapshot_class_name: String,
}
