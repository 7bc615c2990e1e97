//! Checks who can replicate from a cluster. The spec must not silently allow it to the certificates of others.

use serde_json::Value;

use crate::diagnostic::{FieldPath, words};
use crate::naming::{REPLICATION_MAP, annotation};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::postgres;
use crate::postgres_cluster::replication::standby::Party;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::{PostgresCluster, PostgresClusterSpec};

/// Checks the settings of the spec that affect replication.
pub(crate) fn check(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    if let Some((path, message)) = Party::of(cluster).follows_itself() {
        context.error(path, message);
    }
    let path = FieldPath::of("spec.patroni.dynamicConfiguration.postgresql");
    let section = cluster.patroni.dynamic_configuration.get("postgresql");
    let part = |name: &str| section.and_then(|section| section.get(name));
    let lines = part("pg_ident").and_then(Value::as_array).into_iter().flatten();
    for (index, line) in lines.enumerate() {
        if line.as_str().unwrap_or_default().split(['\n', '\r']).any(postgres::configuration::is_ours) {
            let message = format!(
                "the map `{REPLICATION_MAP}` is reserved for the certificates that can replicate this cluster: choose \
                 another name for your map"
            );
            context.error(path.key("pg_ident").index(index), message);
        }
    }
    let parameters = part("parameters").and_then(Value::as_object).into_iter().flatten();
    let dynamic = parameters.filter(|(_, value)| !value.is_null()).map(|(name, _)| (path.key("parameters"), name));
    let named = spec.config.iter().flat_map(|config| config.parameters.keys());
    let named = named.map(|name| (FieldPath::of("spec.config.parameters"), name));
    for (path, name) in dynamic.chain(named) {
        // With `ident_file`, Patroni does not write `pg_ident.conf` (`replace_pg_ident`).
        if name.eq_ignore_ascii_case("ident_file") {
            let message = "the map for replicas is in the file that Patroni writes, so no replica could connect with \
                           another file: remove it, and write your lines in \
                           `spec.patroni.dynamicConfiguration.postgresql.pg_ident`";
            context.error(path.key(name.as_str()), message);
        }
    }
}

/// The timeline in the annotation, which agrees to lose what only this cluster wrote on it.
pub(crate) fn discard_timeline(resource: &PostgresCluster, context: &mut Context) -> Option<u32> {
    let value = resource.metadata.annotations.as_ref()?.get(annotation::DISCARD_TIMELINE)?;
    let path = FieldPath::of("metadata.annotations").key(annotation::DISCARD_TIMELINE);
    let timeline = value.parse().ok().filter(|timeline| *timeline > 0);
    if timeline.is_none() {
        let message = format!(
            "{} is not a timeline: write the number that the caretaker's log names, in quotes",
            words::quote(value)
        );
        context.error(path, message);
    } else if !resource.spec.standby.as_ref().is_some_and(|standby| standby.enabled) {
        let message = "has no effect, because this cluster is not a standby: remove it";
        context.warning(path, message);
    }
    timeline
}

/// Whether the annotation allows standby clusters to replicate from this cluster.
pub(crate) fn accepts_standby(resource: &PostgresCluster, context: &mut Context) -> bool {
    let annotations = resource.metadata.annotations.as_ref();
    let Some(value) = annotations.and_then(|annotations| annotations.get(annotation::ACCEPT_STANDBY)) else {
        return false;
    };
    let path = FieldPath::of("metadata.annotations").key(annotation::ACCEPT_STANDBY);
    match value.as_str() {
        "true" if resource.spec.custom_replication_tls_secret.is_some() => {
            let message = "has no effect, because `spec.customReplicationTLSSecret` already allows every certificate \
                           of that CA with the common name `_crunchyrepl`: remove it";
            context.warning(path, message);
        }
        "true" | "false" => {}
        other => context.error(path, format!("`{other}` is not a boolean: write `true` or `false`")),
    }
    value == "true"
}
