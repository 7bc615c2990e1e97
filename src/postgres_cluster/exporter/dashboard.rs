//! The ConfigMap with a dashboard for Grafana.

use super::pod_monitor::series_label;
use crate::kubernetes::ConfigMap;
use crate::naming::{label, labels, short_hash};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::config_maps::files;

/// The dashboard, with words that are replaced.
pub const DASHBOARD: &str = include_str!("dashboard.json");

/// The label of ConfigMaps that the sidecar of Grafana's Helm chart looks for, in its default settings.
const SIDECAR: (&str, &str) = ("grafana_dashboard", "1");

/// `<cluster>-grafana-dashboard`. Grafana's sidecar writes the files of all ConfigMaps into one directory, so the name of the file
/// contains the namespace and the cluster.
pub(crate) fn config_map(cluster: &Cluster) -> ConfigMap {
    let text = DASHBOARD
        .replace("<uid>", &uid(cluster))
        .replace("<namespace>", &cluster.namespace)
        .replace("<cluster>", &cluster.name);
    let file = format!("postgres.{}.{}.json", cluster.namespace, cluster.name);
    let labels = labels([(label::ROLE, "monitoring"), SIDECAR]);
    files(cluster, cluster.grafana_dashboard_config_map(), &cluster.metadata, labels, [(file.as_str(), Some(text))])
}

/// The identifier of the dashboard, which may have 40 characters and must be unique in a Grafana.
fn uid(cluster: &Cluster) -> String {
    format!("pgrender-{}", short_hash(&series_label(cluster)))
}
