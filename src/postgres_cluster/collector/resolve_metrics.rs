//! Resolves `spec.instrumentation.metrics`.

use std::collections::BTreeSet;

use super::model::{CustomQueries, Queries};
use super::tables;
use crate::diagnostic::{FieldPath, words};
use crate::parse::duration::milliseconds;
use crate::postgres_cluster::exporter::custom_queries::default_metrics;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::{InstrumentationMetricsSpec, PostgresClusterSpec, QueriesSpec};

/// The database of queries that name none, as in PGO.
const DATABASE: &str = "postgres";

/// The shortest time between two runs of queries, in milliseconds.
const SHORTEST_INTERVAL: i64 = 1000;

/// The databases that others are copied from.
const TEMPLATES: [&str; 2] = ["template0", "template1"];

/// The prefix of all metrics that pgrender measures with queries.
const PREFIX: &str = "ccp_";

fn metrics(spec: &PostgresClusterSpec) -> Option<&InstrumentationMetricsSpec> {
    spec.instrumentation.as_ref()?.metrics.as_ref()
}

/// Resolves the queries that the collector runs itself.
pub(crate) fn queries(spec: &PostgresClusterSpec, path: &FieldPath, context: &mut Context) -> Queries {
    let Some(metrics) = metrics(spec) else { return Queries::default() };
    let at_targets = path.key("perDBMetricTargets");
    let tables_of = databases(&metrics.per_db_metric_targets, &at_targets, context);
    let added = metrics.custom_queries.as_ref().map(|queries| queries.add.as_slice()).unwrap_or_default();
    let path = path.key("customQueries").key("add");
    let mut names = BTreeSet::new();
    for (index, queries) in added.iter().enumerate() {
        let at_name = path.index(index).key("name");
        context.check(&at_name, check_name(&queries.name));
        if !names.insert(&queries.name) {
            let message = format!("`{}` is also the name of other queries: choose another name", queries.name);
            context.error(at_name, message);
        }
    }
    let custom = added.iter().enumerate().map(|(index, queries)| custom(queries, &path.index(index), context));
    Queries { custom: custom.collect(), tables_of }
}

fn custom(queries: &QueriesSpec, path: &FieldPath, context: &mut Context) -> CustomQueries {
    // The schema has checked the text, so it is a duration.
    let interval = milliseconds(&queries.collection_interval).unwrap_or_default();
    if interval < SHORTEST_INTERVAL {
        let message =
            "the queries would run all the time, at the cost of those of users: write at least `1s`, such as `5s`";
        context.error(path.key("collectionInterval"), message);
    }
    let named = databases(&queries.databases, &path.key("databases"), context);
    CustomQueries {
        name: queries.name.clone(),
        config_map: queries.queries.name.clone(),
        key: queries.queries.key.clone(),
        milliseconds: interval,
        databases: if named.is_empty() { vec![DATABASE.to_owned()] } else { named },
    }
}

/// The name becomes part of a file name and of a key of a ConfigMap.
fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if name.chars().all(is_allowed) && !name.starts_with('.') && !name.is_empty() {
        return Ok(());
    }
    Err("becomes the name of a file: write only letters, digits, `-`, `_` and `.`, and no `.` at the beginning"
        .to_owned())
}

/// Returns each of these databases once.
fn databases(names: &[String], path: &FieldPath, context: &mut Context) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() || name.contains('\0') {
            context.error(path.index(index), "is not the name of a database: correct or remove it");
        } else if TEMPLATES.contains(&name.as_str()) {
            // PostgreSQL, "Template Databases".
            let message = "nobody can use a template database for queries: `template0` accepts no connections, and a \
                           connection to `template1` makes `CREATE DATABASE` fail; remove it";
            context.error(path.index(index), message);
        } else if !found.contains(name) {
            found.push(name.clone());
        }
    }
    found
}

/// Returns the metrics that are not sent, and reports those that do not exist.
pub(crate) fn removed(spec: &PostgresClusterSpec, path: &FieldPath, context: &mut Context) -> Vec<String> {
    let Some(queries) = metrics(spec).and_then(|metrics| metrics.custom_queries.as_ref()) else { return Vec::new() };
    let path = path.key("customQueries").key("remove");
    // The user's own queries for the exporter may have names of this form.
    let known = match spec.exporter() {
        Some(exporter) if exporter.configuration.is_some() || queries.remove.is_empty() => None,
        _ => Some(measured()),
    };
    let mut removed = Vec::new();
    for (index, name) in queries.remove.iter().enumerate() {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == ':';
        let path = path.index(index);
        if name.is_empty() || !name.chars().all(is_name) {
            context.error(path, "is not the name of a metric, such as `ccp_locks_count`: correct or remove it");
            continue;
        }
        let is_unknown = |known: &&BTreeSet<String>| name.starts_with(PREFIX) && !known.contains(name);
        if let Some(known) = known.as_ref().filter(is_unknown) {
            let meant = words::nearest(name, known.iter().map(String::as_str));
            let hint = meant.map_or_else(|| "remove it".to_owned(), |meant| format!("did you mean `{meant}`?"));
            context.warning(path, format!("has no effect, because pgrender measures no `{name}`: {hint}"));
        }
        removed.push(name.clone());
    }
    removed
}

/// The metrics that queries of pgrender measure.
fn measured() -> BTreeSet<String> {
    default_metrics().chain(tables::names()).collect()
}
