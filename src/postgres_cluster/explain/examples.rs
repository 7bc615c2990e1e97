//! The example of each field: a part of one of the clusters in `examples.yaml`.

use std::sync::LazyLock;

use serde_json::Value;

use crate::explain::example;
use crate::naming::annotation;
use crate::parse::schema::Schema;
use crate::postgres_cluster::KIND;
use crate::read;
use crate::write::yaml;

/// The clusters that examples are taken from. Tests render each of them.
pub static CLUSTERS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let documents = read::documents("examples.yaml", include_str!("examples.yaml"));
    documents.map(|documents| documents.iter().map(|document| document.node.to_json()).collect()).unwrap_or_default()
});

/// Fields of one object of which the second is not valid, or has no effect, without the first.
const TOGETHER: [(&str, &str); 23] = [
    ("claimName", "containers"),
    ("claimName", "name"),
    ("claimName", "readOnly"),
    ("clusterName", "options"),
    ("clusterName", "repoName"),
    ("connection", "databases"),
    ("connection", "method"),
    ("connection", "options"),
    ("connection", "users"),
    ("customReplicationTLSSecret", "customTLSSecret"),
    ("customTLSSecret", "customReplicationTLSSecret"),
    ("enabled", "targetInstance"),
    ("enabled", "type"),
    ("host", "enabled"),
    ("host", "port"),
    ("method", "connection"),
    ("method", "databases"),
    ("method", "options"),
    ("method", "users"),
    ("s3", "name"),
    ("type", "externalTrafficPolicy"),
    ("type", "nodePort"),
    ("volumes", "log"),
];

/// Fields of different objects of which the first is not valid, or has no effect, without the second. An annotation is only its
/// key.
const APART: [(&str, &str); 17] = [
    (annotation::DISCARD_TIMELINE, "spec.standby"),
    (annotation::EXPORTER_COLLECTORS, "spec.monitoring.pgmonitor.exporter.resources"),
    (annotation::PGBACKREST_BACKUP, "spec.backups.pgbackrest.manual"),
    (annotation::PGBACKREST_RESTORE, "spec.backups.pgbackrest.restore"),
    (annotation::RESTORE_DRILL_REPOSITORY, annotation::RESTORE_DRILL),
    (annotation::RESTORE_DRILL_SQL, annotation::RESTORE_DRILL),
    (annotation::TRIGGER_SWITCHOVER, "spec.patroni.switchover"),
    ("spec.backups.pgbackrest.jobs", "spec.backups.pgbackrest.repos.schedules.full"),
    ("spec.backups.pgbackrest.log", "spec.instances.volumes.additional"),
    ("spec.backups.pgbackrest.manual", annotation::PGBACKREST_BACKUP),
    ("spec.backups.pgbackrest.restore", annotation::PGBACKREST_RESTORE),
    ("spec.instrumentation.config.exporters", "spec.instrumentation.logs.exporters"),
    ("spec.instrumentation.logs.exporters", "spec.instrumentation.config.exporters"),
    ("spec.instrumentation.metrics.customQueries.remove", "spec.instrumentation.config.exporters"),
    ("spec.instrumentation.metrics.customQueries.remove", "spec.instrumentation.metrics.exporters"),
    ("spec.instrumentation.metrics.exporters", "spec.instrumentation.config.exporters"),
    ("spec.patroni.switchover", annotation::TRIGGER_SWITCHOVER),
];

/// A field that is required, but so long that it would hide the others. The example is a part of a resource that has it.
const LONG: &str = "dataVolumeClaimSpec";

/// What every claim needs.
const OF_CLAIMS: [&str; 2] = ["accessModes", "resources"];

/// The example of the field with these keys. Without keys, a whole cluster.
pub(super) fn of(keys: &[String], version: &str) -> Option<String> {
    let keep = |above: &[String], sibling: &str| stays(above, sibling, version);
    let found = match keys {
        [] => CLUSTERS.first().cloned(),
        _ => CLUSTERS.iter().find_map(|cluster| {
            let mut part = example::cut(cluster, keys, &keep)?;
            for other in apart(keys) {
                example::join(&mut part, &example::cut(cluster, &other, &keep)?);
            }
            Some(part)
        }),
    };
    found.map(|part| yaml::to_string(&metadata_first(part)))
}

/// People write the metadata before the spec.
fn metadata_first(part: Value) -> Value {
    match part {
        Value::Object(mut fields) => {
            let metadata = fields.shift_remove("metadata").map(|metadata| ("metadata".to_owned(), metadata));
            let (before, after): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name != "spec");
            Value::Object(before.into_iter().chain(metadata).chain(after).collect())
        }
        other => other,
    }
}

/// The keys of the fields without which the one with these keys has no effect.
fn apart(keys: &[String]) -> impl Iterator<Item = Vec<String>> {
    let is_below = |field: &str| keys.starts_with(&keys_of(field));
    APART.iter().filter(move |(field, _)| is_below(field)).map(|(_, other)| keys_of(other))
}

/// The keys of a field of the list above.
fn keys_of(field: &str) -> Vec<String> {
    if field.contains('/') {
        return ["metadata", "annotations", field].map(str::to_owned).into();
    }
    field.split('.').map(str::to_owned).collect()
}

/// The example of an annotation, in which `part` stands for what the user chooses.
pub(super) fn of_annotation(key: &str, part: &str) -> Option<String> {
    let is_it = |found: &str| match key.strip_suffix(part) {
        Some(prefix) => found.starts_with(prefix),
        None => found == key,
    };
    let mut all = CLUSTERS.iter().filter_map(|cluster| cluster["metadata"]["annotations"].as_object());
    let (key, _) = all.find_map(|annotations| annotations.iter().find(|(found, _)| is_it(found)))?;
    of(&keys_of(key), "v1")
}

/// Whether `sibling` stays in an example of the field with the keys `above`.
fn stays(above: &[String], sibling: &str, version: &str) -> bool {
    let Some((field, object)) = above.split_last() else { return false };
    let [root, below @ ..] = object else { return false };
    let schema = match root.as_str() {
        "metadata" => Some(Schema::metadata()),
        "spec" => Schema::of(KIND, version),
        _ => None,
    };
    let schema = below.iter().try_fold(schema.map(item), |schema, key| Some(Some(item(schema?.field(key)?))));
    let is_required = schema.flatten().is_some_and(|schema| schema.required.iter().any(|name| name == sibling));
    let is_of_claim = below.last().is_some_and(|last| last.ends_with("laimSpec")) && OF_CLAIMS.contains(&sibling);
    let is_of_list = !below.is_empty() && sibling == "name";
    let is_at_the_top = below.is_empty();
    (!is_at_the_top && sibling != LONG && (is_required || is_of_list || is_of_claim))
        || TOGETHER.contains(&(sibling, field))
}

fn item(schema: &'static Schema) -> &'static Schema {
    schema.item().map_or(schema, item)
}
