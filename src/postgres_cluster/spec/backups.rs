//! `spec.backups`: pgBackRest, its repo host and its jobs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetadataSpec, RepositorySpec, SidecarSpec, VolumesSpec, pattern};
use crate::kubernetes::{
    Affinity, ConfigMapProjection, ResourceRequirements, SecretProjection, Toleration, TopologySpreadConstraint,
    VolumeProjection,
};

/// Backups of the cluster. If it is empty, there are no backups.
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
    /// Additional configuration files, for example with credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configuration: Vec<VolumeProjection>,
    /// Options of section `[global]` of every configuration file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
    /// The pgBackRest image.
    pub image: Option<String>,
    /// Pods that take backups.
    pub jobs: Option<BackupJobsSpec>,
    /// Where pgBackRest logs in instances.
    pub log: Option<LogSpec>,
    /// A backup on demand.
    pub manual: Option<ManualBackupSpec>,
    /// Labels and annotations of pgBackRest's objects.
    pub metadata: Option<MetadataSpec>,
    /// The pod that keeps the repositories on volumes.
    pub repo_host: Option<RepoHostSpec>,
    /// The repositories. Replicas are created from the first one.
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
    /// Affinity rules of the pods.
    pub affinity: Option<Affinity>,
    /// Where pgBackRest logs when it backs up to object storage.
    pub log: Option<LogSpec>,
    /// Name of the PriorityClass of the pods.
    pub priority_class_name: Option<String>,
    /// Resource requests and limits of a backup.
    pub resources: Option<ResourceRequirements>,
    /// Tolerations of the pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Seconds that a finished Job is kept.
    #[schemars(range(min = 60))]
    pub ttl_seconds_after_finished: Option<i32>,
    /// Additional volumes.
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

/// A backup on demand, which an annotation of the cluster starts.
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
    /// Affinity rules of the pod.
    pub affinity: Option<Affinity>,
    /// Where pgBackRest logs in this pod.
    pub log: Option<LogSpec>,
    /// Name of the PriorityClass of the pod.
    pub priority_class_name: Option<String>,
    /// Resource requests and limits.
    pub resources: Option<ResourceRequirements>,
    /// Configuration of SSH. PGO ignores it, because it uses TLS.
    pub ssh_config_map: Option<ConfigMapProjection>,
    /// Keys of SSH. PGO ignores them, because it uses TLS.
    pub ssh_secret: Option<SecretProjection>,
    /// Tolerations of the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Topology spread constraints of the pod, in addition to the default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Additional volumes.
    pub volumes: Option<VolumesSpec>,
}

/// A restore in place. In PGO, an annotation of the cluster starts it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreSpec {
    /// Affinity rules of the pod.
    pub affinity: Option<Affinity>,
    /// The cluster to restore from; the default is this one.
    pub cluster_name: Option<String>,
    /// The namespace of that cluster; the default is that of this one.
    pub cluster_namespace: Option<String>,
    /// Whether the annotation `pgbackrest-restore` has an effect.
    #[serde(default)]
    pub enabled: bool,
    /// Options of `pgbackrest restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Name of the PriorityClass of the pod.
    pub priority_class_name: Option<String>,
    /// The repository.
    #[schemars(regex(pattern = pattern::REPOSITORY))]
    pub repo_name: String,
    /// Resource requests and limits of a restore.
    pub resources: Option<ResourceRequirements>,
    /// Tolerations of the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Additional volumes.
    pub volumes: Option<VolumesSpec>,
}

/// Settings of pgBackRest's containers in instances.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBackRestSidecarsSpec {
    /// The TLS server.
    pub pgbackrest: Option<SidecarSpec>,
    /// The container that reloads the TLS server, in instances and in the repo host.
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
