//! Resolves the settings of the exporter.

use std::collections::BTreeMap;

use super::files::QUERIES_KEY;
use super::model::Exporter;
use crate::diagnostic::FieldPath;
use crate::kubernetes::projected::{self, ProjectedSource};
use crate::kubernetes::{SecretProjection, VolumeProjection};
use crate::naming::annotation;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{containers, files};
use crate::postgres_cluster::spec::PostgresClusterSpec;

pub(super) const PATH: &str = "spec.monitoring.pgmonitor.exporter";

/// The paths that `customTLSSecret` must have: the exporter's configuration names them.
const CERTIFICATE_FILES: [&str; 2] = ["tls.crt", "tls.key"];

/// Resolves the exporter; `None` if there is none.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Option<Exporter> {
    let collectors = annotations.get(annotation::EXPORTER_COLLECTORS);
    let at_collectors = FieldPath::of("metadata.annotations").key(annotation::EXPORTER_COLLECTORS);
    let Some(exporter) = spec.exporter() else {
        if collectors.is_some() {
            let message = format!("has no effect without the exporter: write `{PATH}`, or remove this annotation");
            context.warning(at_collectors, message);
        }
        return None;
    };
    let is_off = |value: &str| value.eq_ignore_ascii_case("none");
    if collectors.is_some_and(|value| !is_off(value)) {
        let message = "has no effect: the only value that PGO knows is `None`, which turns the built-in collectors off";
        context.warning(at_collectors, message);
    }
    let path = FieldPath::of(PATH);
    let configuration =
        exporter.configuration.map(|projections| sources(projections, &path.key("configuration"), context));
    let custom_tls_secret = exporter.custom_tls_secret.map(|secret| {
        certificate(&secret, &path.key("customTLSSecret"), context);
        SecretProjection { optional: Some(true), ..secret }
    });
    Some(Exporter {
        image: context.image(exporter.image.as_deref(), "RELATED_IMAGE_PGEXPORTER", &format!("{PATH}.image")),
        resources: containers::resources(exporter.resources.as_ref(), &path.key("resources"), context),
        configuration,
        custom_tls_secret,
        built_in_collectors: !collectors.is_some_and(|value| is_off(value)),
        prometheus_operator: context.options.prometheus_operator,
        grafana_dashboard: context.options.grafana_dashboard,
    })
}

/// Checks the sources of the user's files of queries. The script of the container reads files in the directory and in its
/// directories, as `*` finds them.
fn sources(projections: Vec<VolumeProjection>, path: &FieldPath, context: &mut Context) -> Vec<VolumeProjection> {
    if projections.is_empty() {
        let message = "is empty, so there are no queries, and only the collectors that the exporter has itself: if you want \
                       the default queries, remove this field";
        context.warning(path.clone(), message);
    }
    for (index, projection) in projections.iter().enumerate() {
        let path = path.index(index);
        if projection.config_map.is_none() && projection.secret.is_none() {
            let message = "is not a source of queries: write `configMap` or `secret`";
            context.error(path.clone(), message);
        }
        for ProjectedSource { field, items, .. } in projected::sources(projection) {
            for (index, item) in items.iter().enumerate() {
                if item.path.split('/').count() > 2 || item.path.split('/').any(|part| part.starts_with('.')) {
                    let message = format!(
                        "the exporter does not read `{}`: write at most one directory, and no name that begins with a dot",
                        item.path
                    );
                    context.error(path.key(field).key("items").index(index).key("path"), message);
                }
            }
        }
    }
    let projections = files::checked(projections, path, &[], context);
    projections.into_iter().map(optional).collect()
}

/// The same source, but a pod starts without it: Postgres must not depend on files of the exporter.
pub(crate) fn optional(mut projection: VolumeProjection) -> VolumeProjection {
    if let Some(secret) = &mut projection.secret {
        secret.optional = Some(true);
    }
    if let Some(config_map) = &mut projection.config_map {
        config_map.optional = Some(true);
    }
    if let Some(bundle) = &mut projection.cluster_trust_bundle {
        bundle.optional = Some(true);
    }
    projection
}

/// Checks the Secret, and that its items have the paths that the exporter reads.
fn certificate(secret: &SecretProjection, path: &FieldPath, context: &mut Context) {
    files::check_secret(secret, path, &[], context);
    let items = secret.items.as_deref().unwrap_or_default();
    for file in CERTIFICATE_FILES {
        if !items.is_empty() && !items.iter().any(|item| item.path == file) {
            let message = format!("no item has the path `{file}`: add an item with `path: {file}`, or remove `items`");
            context.error(path.key("items"), message);
        }
    }
}

/// Says what the objects for Prometheus and Grafana do not bring for this cluster.
pub(crate) fn check_found(cluster: &Cluster, context: &mut Context) {
    let options = context.options;
    let path = FieldPath::of(PATH);
    let Some(exporter) = &cluster.exporter else {
        for (is_on, option) in
            [(options.prometheus_operator, "--prometheus-operator"), (options.grafana_dashboard, "--grafana-dashboard")]
        {
            if is_on {
                let message = format!(
                    "`{option}` renders nothing for this cluster, because it has no exporter: if you want metrics, write \
                     `{PATH}`"
                );
                context.info(FieldPath::of("spec.monitoring"), message);
            }
        }
        return;
    };
    let queries = cluster.exporter_queries_config_map();
    if (exporter.prometheus_operator || exporter.grafana_dashboard) && !exporter.has_default_queries(&queries) {
        let message = format!(
            "replaces the default queries, so no alerts are rendered, and panels of the dashboard are empty: add \
             `configMap: {{name: {queries}}}` to this list to keep the default queries, without `items`, or with an item \
             that has the key `{QUERIES_KEY}`"
        );
        context.warning(path.key("configuration"), message);
    }
    if exporter.prometheus_operator && exporter.custom_tls_secret.is_some() {
        let message = "Prometheus does not verify this certificate, because pgrender does not know its CA and its names: \
                       add `ca` and `serverName` to the `tlsConfig` of the PodMonitor (docs/prometheus.md, \
                       Metrics over TLS)";
        context.info(path.key("customTLSSecret"), message);
    }
}
