//! `spec.dataSource`: the data that a new cluster starts with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RepositorySpec, VolumesSpec, pattern};
use crate::kubernetes::{Affinity, ResourceRequirements, Toleration, VolumeProjection};

/// The data that a new cluster starts with. If it is empty, the cluster starts with an empty database.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceSpec {
    /// A repository in object storage.
    pub pgbackrest: Option<PgBackRestDataSourceSpec>,
    /// Another `PostgresCluster`. It takes precedence over `pgbackrest`.
    pub postgres_cluster: Option<PostgresClusterDataSourceSpec>,
    /// Existing PersistentVolumeClaims.
    pub volumes: Option<DataSourceVolumesSpec>,
}

/// A repository in object storage to restore from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBackRestDataSourceSpec {
    /// Affinity rules of the pod.
    pub affinity: Option<Affinity>,
    /// Additional configuration files, for example with credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configuration: Vec<VolumeProjection>,
    /// Options of section `[global]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
    /// Options of `pgbackrest restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Name of the PriorityClass of the pod.
    pub priority_class_name: Option<String>,
    /// The repository. A rule of the CRD does not allow its `volume`.
    pub repo: RepositorySpec,
    /// Resource requests and limits of a restore.
    pub resources: Option<ResourceRequirements>,
    /// The stanza in the repository.
    #[serde(default = "default_stanza")]
    pub stanza: String,
    /// Tolerations of the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Additional volumes.
    pub volumes: Option<VolumesSpec>,
}

fn default_stanza() -> String {
    "db".to_owned()
}

/// Another `PostgresCluster` to restore from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresClusterDataSourceSpec {
    /// Affinity rules of the pod.
    pub affinity: Option<Affinity>,
    /// The name of the cluster; the default is this one.
    pub cluster_name: Option<String>,
    /// The namespace of the cluster; the default is that of this one.
    pub cluster_namespace: Option<String>,
    /// Options of `pgbackrest restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Name of the PriorityClass of the pod.
    pub priority_class_name: Option<String>,
    /// The repository of that cluster.
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

/// Existing PersistentVolumeClaims to start with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceVolumesSpec {
    /// A pgBackRest repository.
    #[serde(rename = "pgBackRestVolume")]
    pub pg_back_rest_volume: Option<DataSourceVolumeSpec>,
    /// A data directory.
    pub pg_data_volume: Option<DataSourceVolumeSpec>,
    /// The WAL that belongs to the data directory.
    #[serde(rename = "pgWALVolume")]
    pub pg_wal_volume: Option<DataSourceVolumeSpec>,
}

/// An existing PersistentVolumeClaim to start with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceVolumeSpec {
    /// The directory to move to the path that the cluster uses. If it is absent, nothing is moved.
    pub directory: Option<String>,
    /// The PersistentVolumeClaim.
    pub pvc_name: String,
}
