//! `spec.instrumentation`: logs and metrics with OpenTelemetry.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ConfigMapKeySpec, pattern};
use crate::kubernetes::{EnvVar, ResourceRequirements, VolumeProjection};

/// An OpenTelemetry collector in every pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstrumentationSpec {
    /// Configuration of the collector.
    pub config: Option<InstrumentationConfigSpec>,
    /// Image of the collector.
    pub image: Option<String>,
    /// Where logs go, and how long log files are kept.
    pub logs: Option<InstrumentationLogsSpec>,
    /// Where metrics go, and which are collected.
    pub metrics: Option<InstrumentationMetricsSpec>,
    /// Resource requests and limits of the collector.
    pub resources: Option<ResourceRequirements>,
}

/// Configuration of the collector.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstrumentationConfigSpec {
    /// Resource detectors, which find out where the collector runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 10),
        extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge")
    )]
    pub detectors: Vec<DetectorSpec>,
    /// Environment variables of the collector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub environment_variables: Vec<EnvVar>,
    /// Exporters, in the format of the collector's documentation.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub exporters: Map<String, Value>,
    /// Files that exporters need, such as certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub files: Vec<VolumeProjection>,
}

/// A resource detector, which finds out one kind of fact about where the collector runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectorSpec {
    /// Which facts to add and which to leave out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 30))]
    pub attributes: BTreeMap<String, bool>,
    /// The name of the detector in the collector.
    #[schemars(length(min = 1, max = 20))]
    pub name: String,
}

/// Logs of every process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstrumentationLogsSpec {
    /// How log records are batched.
    pub batches: Option<LogBatchesSpec>,
    /// Names of the exporters that get the logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub exporters: Vec<String>,
    /// How long log files are kept.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = pattern::LONG_DURATION),
        extend("format" = "duration")
    )]
    pub retention_period: Option<String>,
}

/// How log records are batched before they are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LogBatchesSpec {
    /// The longest time that a record waits for others.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = pattern::SHORT_DURATION),
        extend("format" = "duration")
    )]
    pub max_delay: String,
    /// The largest number of records in a batch.
    #[schemars(range(min = 1))]
    pub max_records: Option<i32>,
    /// The number of records with which a batch is sent immediately.
    #[schemars(range(min = 0))]
    pub min_records: i32,
}

impl Default for LogBatchesSpec {
    fn default() -> Self {
        Self { max_delay: "200ms".to_owned(), max_records: None, min_records: 8192 }
    }
}

/// Metrics of every process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstrumentationMetricsSpec {
    /// Queries to add to, or to remove from, the default ones.
    pub custom_queries: Option<CustomQueriesSpec>,
    /// Names of the exporters that get the metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub exporters: Vec<String>,
    /// Databases whose metrics are collected individually.
    #[serde(default, rename = "perDBMetricTargets", skip_serializing_if = "Vec::is_empty")]
    pub per_db_metric_targets: Vec<String>,
}

/// Queries to add to, or to remove from, the default ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomQueriesSpec {
    /// Files of queries to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<QueriesSpec>,
    /// Metrics not to collect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A file of queries.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueriesSpec {
    /// The time between two runs.
    #[serde(default = "default_collection_interval")]
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = pattern::SHORT_DURATION),
        extend("format" = "duration")
    )]
    pub collection_interval: String,
    /// Databases in which the queries run; the default is `postgres`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// A name for the queries. It becomes part of a file name.
    #[schemars(length(max = 20), regex(pattern = pattern::LETTERS))]
    pub name: String,
    /// The ConfigMap with the queries.
    pub queries: ConfigMapKeySpec,
}

fn default_collection_interval() -> String {
    "5s".to_owned()
}
