//! `spec.config`, `spec.databaseInitSQL` and `spec.standby`: Postgres itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;
use crate::kubernetes::{IntOrString, VolumeProjection};

/// Configuration of Postgres.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresConfigSpec {
    /// Files to mount at `/etc/postgres`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<VolumeProjection>,
    /// Parameters of `postgresql.conf`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub parameters: BTreeMap<String, IntOrString>,
}

/// A ConfigMap with SQL that runs once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseInitSqlSpec {
    /// The key of the entry.
    pub key: String,
    /// The name of the ConfigMap.
    pub name: String,
}

/// Settings of a standby cluster, which replicates from another cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct StandbySpec {
    /// Whether the cluster is a standby cluster; `false` promotes it.
    pub enabled: bool,
    /// The host to stream from.
    pub host: Option<String>,
    /// The port of that host.
    #[schemars(range(min = 1024))]
    pub port: Option<i32>,
    /// The repository to read WAL from.
    #[schemars(regex(pattern = pattern::REPOSITORY))]
    pub repo_name: Option<String>,
}

impl Default for StandbySpec {
    fn default() -> Self {
        Self { enabled: true, host: None, port: None, repo_name: None }
    }
}
