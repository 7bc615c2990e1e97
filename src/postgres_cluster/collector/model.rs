//! The resolved collector.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::kubernetes::{EnvVar, ResourceRequirements, VolumeProjection};

/// The settings of the collector.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    /// The image.
    pub image: String,
    /// The resources of its containers.
    pub resources: Option<ResourceRequirements>,
    /// `config.environmentVariables`. What they refer to is optional.
    pub environment: Vec<EnvVar>,
    /// `config.files`, beside the configuration. They are optional.
    pub files: Vec<VolumeProjection>,
    /// `config.exporters`, as the user wrote them.
    pub exporters: Map<String, Value>,
    /// `config.detectors`: the attributes of each, and whether they are wanted.
    pub detectors: Vec<(String, BTreeMap<String, bool>)>,
    /// `logs.exporters`. If there are none, logs go to the output of the container.
    pub log_exporters: Vec<String>,
    /// `logs.batches`.
    pub batches: Batches,
    /// `logs.retentionPeriod` in hours, rounded up.
    pub retention_hours: u32,
    /// `metrics.exporters`.
    pub metric_exporters: Vec<String>,
    /// `metrics.customQueries.remove`: the names of metrics that are not sent.
    pub removed_metrics: Vec<String>,
    /// The queries that the collector runs itself.
    pub queries: Queries,
}

/// The queries that the collector runs itself, in every instance.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    /// `metrics.customQueries.add`.
    pub custom: Vec<CustomQueries>,
    /// `metrics.perDBMetricTargets`: the databases whose tables are measured.
    pub tables_of: Vec<String>,
}

impl Queries {
    /// The databases in which queries run, one time for each receiver.
    pub fn databases(&self) -> impl Iterator<Item = &String> {
        self.custom.iter().flat_map(|queries| &queries.databases).chain(&self.tables_of)
    }

    /// Whether there are no queries.
    pub fn is_empty(&self) -> bool {
        self.databases().next().is_none()
    }
}

/// A file of the user's queries.
#[derive(Clone, Debug)]
pub struct CustomQueries {
    /// `name`.
    pub name: String,
    /// The ConfigMap with the file.
    pub config_map: String,
    /// The key of the file.
    pub key: String,
    /// The time between two runs.
    pub milliseconds: i64,
    /// The databases in which they run.
    pub databases: Vec<String>,
}

/// How log records are batched before they are sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Batches {
    /// The milliseconds that a record waits for others.
    pub delay: i64,
    /// The number of records with which a batch is sent immediately.
    pub least: i32,
    /// The largest number of records in a batch.
    pub most: Option<i32>,
}
