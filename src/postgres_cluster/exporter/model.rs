//! The resolved exporter.

use super::files::QUERIES_KEY;
use crate::kubernetes::{ResourceRequirements, SecretProjection, VolumeProjection};

/// The settings of the exporter.
#[derive(Clone, Debug, Default)]
pub struct Exporter {
    /// The image.
    pub image: String,
    /// The resources of the container.
    pub resources: Option<ResourceRequirements>,
    /// `configuration`: the user's files of queries. If the field is present, they replace the default queries, also if it is
    /// an empty list, as in PGO.
    pub configuration: Option<Vec<VolumeProjection>>,
    /// `customTLSSecret`: the certificate for metrics over TLS.
    pub custom_tls_secret: Option<SecretProjection>,
    /// Whether the collectors that `postgres_exporter` has itself are on (annotation `postgres-exporter-collectors`).
    pub built_in_collectors: bool,
    /// Whether objects of Prometheus Operator are rendered: a PodMonitor and a PrometheusRule.
    pub prometheus_operator: bool,
    /// Whether a dashboard for Grafana is rendered.
    pub grafana_dashboard: bool,
}

impl Exporter {
    /// Whether the exporter runs the default queries, which are in the ConfigMap `config_map`. Their path does not matter.
    pub fn has_default_queries(&self, config_map: &str) -> bool {
        let is_default = |source: &VolumeProjection| {
            source.config_map.as_ref().is_some_and(|source| {
                let items = source.items.as_deref().unwrap_or_default();
                source.name == config_map && (items.is_empty() || items.iter().any(|item| item.key == QUERIES_KEY))
            })
        };
        self.configuration.as_ref().is_none_or(|sources| sources.iter().any(is_default))
    }
}
