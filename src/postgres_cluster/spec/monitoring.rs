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
    /// A sidecar of every instance that serves metrics. If the field exists, the sidecar runs.
    pub exporter: Option<ExporterSpec>,
}

/// The exporter of metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExporterSpec {
    /// Files of queries, which replace the default ones. An empty list is not the same as no list, because PGO treats it as a
    /// list that was given.
    pub configuration: Option<Vec<VolumeProjection>>,
    /// A certificate of your own, for metrics over TLS.
    #[serde(rename = "customTLSSecret")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// Image of the exporter.
    pub image: Option<String>,
    /// Resource requests and limits of the exporter.
    pub resources: Option<ResourceRequirements>,
}
