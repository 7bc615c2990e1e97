//! `spec.patroni`: high availability.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::kubernetes::Quantity;

/// Settings of Patroni.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PatroniSpec {
    /// Patroni's dynamic configuration, in the format of its documentation.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub dynamic_configuration: Map<String, Value>,
    /// Seconds after which the lock of the leader expires if the leader does not renew it: Patroni's `ttl`.
    #[schemars(range(min = 3))]
    pub leader_lease_duration_seconds: i32,
    /// Where and how much Patroni logs. If it is absent, Patroni logs only to standard error.
    pub logging: Option<PatroniLoggingSpec>,
    /// Port of Patroni's REST API.
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// A manual change of leader.
    pub switchover: Option<SwitchoverSpec>,
    /// Seconds between two runs of Patroni's loop: its `loop_wait`.
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
    /// The lowest level of messages that are logged.
    #[serde(default = "default_log_level")]
    #[schemars(extend("enum" = ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"]))]
    pub level: String,
    /// The largest total size of the files.
    pub storage_limit: Quantity,
}

fn default_log_level() -> String {
    "INFO".to_owned()
}

/// A manual change of leader. An annotation of the cluster starts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchoverSpec {
    /// Whether the annotation `trigger-switchover` has an effect.
    pub enabled: bool,
    /// The instance that becomes the leader. If it is absent, Patroni chooses one.
    pub target_instance: Option<String>,
    /// Whether the old leader takes part in the change.
    #[serde(default, rename = "type")]
    pub type_: SwitchoverType,
}

/// Whether the old leader takes part in a change of leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(extend("type" = "string"))]
pub enum SwitchoverType {
    /// The old leader shuts down cleanly first, so no data is lost.
    #[default]
    Switchover,
    /// The old leader does not take part. Use it if the leader does not respond.
    Failover,
}
