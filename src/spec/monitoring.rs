//! `spec.monitoring`: metrics for Prometheus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kubernetes::{ResourceRequirements, SecretProjection, VolumeProjection};

/// Monitoring of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitoringSpec {
    /// Monitoring with pgMonitor.
    pub pgmonitor: Option<PgMonitorSpec>,
}

/// Monitoring with pgMonitor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PgMonitorSpec {
    /// A sidecar of every instance that serves metrics; its presence turns it on.
    pub exporter: Option<ExporterSpec>,
}

/// The exporter of metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExporterSpec {
    /// Files of queries, in place of the default ones. PGO takes an empty list for one given, so it is kept apart from
    /// none.
    pub configuration: Option<Vec<VolumeProjection>>,
    /// A certificate of your own, for metrics over TLS.
    #[serde(rename = "customTLSSecret")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// Image of the exporter.
    pub image: Option<String>,
    /// What the exporter needs and may use.
    pub resources: Option<ResourceRequirements>,
}
