//! Resolves the settings of the exporter.

use std::collections::BTreeMap;

use super::model::Exporter;
use crate::diagnostic::FieldPath;
use crate::kubernetes::{SecretProjection, VolumeProjection};
use crate::naming::{EXPORTER_PORT, annotation};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{containers, files};
use crate::postgres_cluster::spec::{ExporterSpec, PostgresClusterSpec};

const PATH: &str = "spec.monitoring.pgmonitor.exporter";

/// The paths that `customTLSSecret` must have: the exporter's configuration names them.
const CERTIFICATE_FILES: [&str; 2] = ["tls.crt", "tls.key"];

/// Returns the settings of the exporter. The collector fetches the metrics of the exporter, so it brings one.
pub(crate) fn wanted(spec: &PostgresClusterSpec) -> Option<ExporterSpec> {
    let exporter = spec.monitoring.as_ref().and_then(|monitoring| monitoring.pgmonitor.as_ref()?.exporter.clone());
    exporter.or_else(|| spec.instrumentation.as_ref().map(|_| ExporterSpec::default()))
}

/// Resolves the exporter; `None` if there is none.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Option<Exporter> {
    let collectors = annotations.get(annotation::EXPORTER_COLLECTORS);
    let at_collectors = FieldPath::of("metadata.annotations").key(annotation::EXPORTER_COLLECTORS);
    let Some(exporter) = wanted(spec) else {
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
    let configuration = exporter.configuration.clone().map(|projections| {
        let projections = files::checked(projections, &path.key("configuration"), &[], context);
        projections.into_iter().map(optional).collect()
    });
    let custom_tls_secret = exporter.custom_tls_secret.clone().map(|secret| {
        certificate(&secret, &path.key("customTLSSecret"), context);
        SecretProjection { optional: Some(true), ..secret }
    });
    Some(Exporter {
        image: context.image(exporter.image.as_deref(), "RELATED_IMAGE_PGEXPORTER", &format!("{PATH}.image")),
        resources: containers::resources(exporter.resources.as_ref(), &path.key("resources"), context),
        configuration,
        custom_tls_secret,
        built_in_collectors: !collectors.is_some_and(|value| is_off(value)),
    })
}

/// The same source, but a pod starts without it: Postgres must not depend on files of the exporter.
pub(crate) fn optional(mut projection: VolumeProjection) -> VolumeProjection {
    if let Some(secret) = &mut projection.secret {
        secret.optional = Some(true);
    }
    if let Some(config_map) = &mut projection.config_map {
        config_map.optional = Some(true);
    }
    projection
}

/// Checks that the Secret has a name, and that its items have the paths that the exporter reads.
fn certificate(secret: &SecretProjection, path: &FieldPath, context: &mut Context) {
    if secret.name.is_empty() {
        context.error(path.clone(), "needs the name of a Secret: add `name`");
    }
    let items = secret.items.as_deref().unwrap_or_default();
    for file in CERTIFICATE_FILES {
        if !items.is_empty() && !items.iter().any(|item| item.path == file) {
            let message = format!("no item has the path `{file}`: add an item with `path: {file}`, or remove `items`");
            context.error(path.key("items"), message);
        }
    }
}

/// Reports a port of the cluster that the exporter needs.
pub(crate) fn check_port(path: &str, port: u16, context: &mut Context) {
    if port == EXPORTER_PORT {
        let message = format!("the exporter uses port {EXPORTER_PORT}: choose another port");
        context.error(FieldPath::of(path), message);
    }
}
