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
