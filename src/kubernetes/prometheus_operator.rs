//! The types of Prometheus Operator (`monitoring.coreos.com/v1`) that this program uses.

use serde::{Deserialize, Serialize};

use super::LabelSelector;
use crate::naming::Labels;

/// The `spec` of a PodMonitor.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodMonitorSpec {
    pub(crate) pod_metrics_endpoints: Vec<PodMetricsEndpoint>,
    pub(crate) selector: LabelSelector,
}

/// A port of the selected pods.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodMetricsEndpoint {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) metric_relabelings: Vec<Relabeling>,
    pub(crate) port: &'static str,
    pub(crate) relabelings: Vec<Relabeling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_config: Option<TlsConfig>,
}

/// How Prometheus verifies the certificate of the exporter.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TlsConfig {
    pub(crate) insecure_skip_verify: bool,
}

/// A label that every time series gets.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relabeling {
    pub(crate) action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replacement: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) source_labels: Vec<&'static str>,
    pub(crate) target_label: &'static str,
}

/// The `spec` of a PrometheusRule.
#[derive(Deserialize, Serialize)]
pub struct PrometheusRuleSpec {
    pub(crate) groups: Vec<RuleGroup>,
}

/// A group of rules, which Prometheus evaluates at the same time.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleGroup {
    pub(crate) name: String,
    pub(crate) rules: Vec<AlertingRule>,
}

/// When an alert fires, and what it says.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertingRule {
    pub(crate) alert: String,
    pub(crate) annotations: Labels,
    pub(crate) expr: String,
    #[serde(rename = "for")]
    pub(crate) duration: String,
    pub(crate) labels: Labels,
}
