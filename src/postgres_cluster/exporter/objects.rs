//! The ConfigMaps of the exporter (PGO's `internal/controller/postgrescluster/pgmonitor.go`).

use super::files::{CERTIFICATE_DIRECTORY, QUERIES_KEY, WEB_KEY};
use super::model::Exporter;
use super::{dashboard, pod_monitor, rules};
use crate::kubernetes::object::Objects;
use crate::naming::{label, labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::config_maps::files;

/// The default queries, in the format of `postgres_exporter` for `--extend.query-path`.
pub const QUERIES: &str = include_str!("queries.yaml");

/// The queries that are added to them if the cluster has a pgBouncer.
pub const PGBOUNCER_QUERIES: &str = include_str!("pgbouncer_queries.yaml");

/// Adds all of them. The default queries are there also if the user has other ones, because those may refer to this ConfigMap to keep
/// the default queries.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, exporter: &Exporter) {
    let queries = [(QUERIES_KEY, Some(default_queries(cluster)))];
    let monitoring = || labels([(label::ROLE, "monitoring")]);
    objects.add(files(cluster, cluster.exporter_queries_config_map(), &cluster.metadata, monitoring(), queries));
    if exporter.custom_tls_secret.is_some() {
        let web = [(WEB_KEY, Some(web_config()))];
        objects.add(files(cluster, cluster.exporter_web_config_map(), &cluster.metadata, monitoring(), web));
    }
}

/// Returns the default queries of a cluster.
pub(crate) fn default_queries(cluster: &Cluster) -> String {
    let of_pgbouncer = if cluster.pgbouncer.is_some() { ["\n", PGBOUNCER_QUERIES].concat() } else { String::new() };
    format!("{QUERIES}{of_pgbouncer}")
}

/// Adds the objects for Prometheus and Grafana, which no container of the cluster reads.
pub(crate) fn add_found(objects: &mut Objects, cluster: &Cluster, exporter: &Exporter) {
    if exporter.grafana_dashboard {
        objects.add(dashboard::config_map(cluster));
    }
    if exporter.prometheus_operator {
        objects.add(pod_monitor::pod_monitor(cluster, exporter));
        objects.add_all(rules::prometheus_rule(cluster, exporter));
    }
}

/// The configuration of the web server (exporter-toolkit of Prometheus, "Web configuration"). It reads the certificate again for each
/// connection.
fn web_config() -> String {
    format!(
        "tls_server_config:\n  cert_file: {CERTIFICATE_DIRECTORY}/tls.crt\n  key_file: {CERTIFICATE_DIRECTORY}/tls.key\n"
    )
}
