//! `spec.dataSource`: what a new cluster starts from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RepositorySpec, VolumesSpec, pattern};
use crate::kubernetes::{Affinity, ResourceRequirements, Toleration, VolumeProjection};

/// What a new cluster starts from; an empty database where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceSpec {
    /// A repository in object storage.
    pub pgbackrest: Option<PgBackRestDataSourceSpec>,
    /// Another `PostgresCluster`, which goes before `pgbackrest`.
    pub postgres_cluster: Option<PostgresClusterDataSourceSpec>,
    /// Existing claims.
    pub volumes: Option<DataSourceVolumesSpec>,
}

/// A repository in object storage to restore from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgBackRestDataSourceSpec {
    /// Which nodes the pod likes and which pods it keeps near or away from.
    pub affinity: Option<Affinity>,
    /// Files of configuration to put beside the generated one, such as credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configuration: Vec<VolumeProjection>,
    /// Options of section `[global]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
    /// Options of `pgbackrest restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// How important the pod is to the scheduler.
    pub priority_class_name: Option<String>,
    /// The repository; a rule of the CRD forbids its `volume`.
    pub repo: RepositorySpec,
    /// What a restore needs and may use.
    pub resources: Option<ResourceRequirements>,
    /// The stanza in the repository.
    #[serde(default = "default_stanza")]
    pub stanza: String,
    /// Taints of nodes that the pod bears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// More volumes.
    pub volumes: Option<VolumesSpec>,
}

fn default_stanza() -> String {
    "db".to_owned()
}

/// Another `PostgresCluster` to restore from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresClusterDataSourceSpec {
    /// Which nodes the pod likes and which pods it keeps near or away from.
    pub affinity: Option<Affinity>,
    /// The cluster; this one when absent.
    pub cluster_name: Option<String>,
    /// Its namespace; this one when absent.
    pub cluster_namespace: Option<String>,
    /// Options of `pgbackrest restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// How important the pod is to the scheduler.
    pub priority_class_name: Option<String>,
    /// The repository of that cluster.
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

/// Existing claims to start from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceVolumesSpec {
    /// A pgBackRest repository.
    #[serde(rename = "pgBackRestVolume")]
    pub pg_back_rest_volume: Option<DataSourceVolumeSpec>,
    /// A data directory.
    pub pg_data_volume: Option<DataSourceVolumeSpec>,
    /// The WAL that goes with the data directory.
    #[serde(rename = "pgWALVolume")]
    pub pg_wal_volume: Option<DataSourceVolumeSpec>,
}

/// An existing claim to start from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceVolumeSpec {
    /// The directory to move into its place; nothing is moved when absent.
    pub directory: Option<String>,
    /// The claim.
    pub pvc_name: String,
}
