//! `spec.patroni`: high availability.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::kubernetes::Quantity;

/// Settings of Patroni.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PatroniSpec {
    /// Patroni's dynamic configuration, as its documentation gives it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub dynamic_configuration: Map<String, Value>,
    /// Seconds that the leader keeps its lock without renewing it: Patroni's `ttl`.
    #[schemars(range(min = 3))]
    pub leader_lease_duration_seconds: i32,
    /// Where and how much Patroni logs; on standard error alone when absent.
    pub logging: Option<PatroniLoggingSpec>,
    /// Port of Patroni's REST API.
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// A change of leader on demand.
    pub switchover: Option<SwitchoverSpec>,
    /// Seconds between two rounds of Patroni: its `loop_wait`.
    #[schemars(range(min = 1))]
    pub sync_period_seconds: i32,
}

impl Default for PatroniSpec {
    fn default() -> Self {
        Self {
            dynamic_configuration: Map::new(),
            leader_lease_duration_seconds: 30,
            logging: None,
            port: 8008,
            switchover: None,
            sync_period_seconds: 10,
        }
    }
}

/// Patroni's log files.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatroniLoggingSpec {
    /// The least important messages to log.
    #[serde(default = "default_log_level")]
    #[schemars(extend("enum" = ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"]))]
    pub level: String,
    /// How much space the files may take.
    pub storage_limit: Quantity,
}

fn default_log_level() -> String {
    "INFO".to_owned()
}

/// A change of leader on demand; an annotation of the cluster sets it off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchoverSpec {
    /// Whether the annotation is heeded.
    pub enabled: bool,
    /// The instance to become leader; Patroni chooses when absent.
    pub target_instance: Option<String>,
    /// Whether the old leader takes part.
    #[serde(default, rename = "type")]
    pub type_: SwitchoverType,
}

/// Whether the old leader takes part in a change of leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(extend("type" = "string"))]
pub enum SwitchoverType {
    /// It hands over; nothing is lost.
    #[default]
    Switchover,
    /// It is not asked; for when it cannot answer.
    Failover,
}
