//! Finds rules of `pg_hba.conf` that Postgres never uses because an earlier rule matches first.

use serde_json::Value;

use crate::diagnostic::FieldPath;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::postgres;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// Reports each of these rules. If there is an error, the line of a rule may be missing, so nothing is reported.
pub(crate) fn check(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    if context.diagnostics.has_errors() {
        return;
    }
    let paths = paths(spec, cluster);
    let lines = postgres::configuration::hba(cluster);
    // The user's rules are the last. If there are none, pgrender writes one.
    let ours = lines.len().saturating_sub(paths.len());
    for (number, first) in postgres::configuration::unreached(&lines) {
        let Some(path) = number.checked_sub(ours).and_then(|index| paths.get(index)) else { continue };
        let message = match first.checked_sub(ours).and_then(|index| paths.get(index)) {
            Some(other) => format!(
                "is never used: the earlier rule `{other}` matches all connections that this rule matches; change \
                 their order, or remove it"
            ),
            None => "is never used: the earlier rules for the cluster's own roles match all connections that this \
                     rule matches; remove it"
                .to_owned(),
        };
        context.warning(path.clone(), message);
    }
}

/// Returns the field of each of the user's lines, in the order of the lines.
fn paths(spec: &PostgresClusterSpec, cluster: &Cluster) -> Vec<FieldPath> {
    let rules = spec.authentication.iter().flat_map(|authentication| &authentication.rules).enumerate();
    let written = rules
        .filter(|(_, rule)| rule.hba.as_deref().is_none_or(|text| postgres::configuration::hba_text(text).is_some()));
    let mut paths: Vec<FieldPath> =
        written.map(|(index, _)| FieldPath::of("spec.authentication.rules").index(index)).collect();
    let section = cluster.patroni.dynamic_configuration.get("postgresql");
    let dynamic = section.and_then(|section| section.get("pg_hba")).and_then(Value::as_array).into_iter().flatten();
    let path = FieldPath::of("spec.patroni.dynamicConfiguration.postgresql.pg_hba");
    paths.extend(dynamic.enumerate().filter(|(_, line)| line.is_string()).map(|(index, _)| path.index(index)));
    paths
}
