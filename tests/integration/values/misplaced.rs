//! Tests fields at a wrong path: the message says where they belong, and that is true.

use std::collections::BTreeMap;

use pgrender::diagnostic::{FieldPath, Segment};
use pgrender::parse::Settings;
use pgrender::postgres_cluster::parse;
use pgrender::postgres_cluster::spec::json_schema;
use pgrender::read;
use pgrender::write::yaml;
use serde_json::{Map, Value, json};

use crate::values::spec::cluster;

/// A cluster with every section of the spec.
fn full() -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let s3 = json!({"bucket": "b", "endpoint": "e", "region": "r"});
    cluster(
        17,
        &json!({
            "authentication": {"rules": [{"hba": "local all all peer"}]},
            "backups": {"pgbackrest": {"repos": [
                {"name": "repo1", "s3": s3},
                {"name": "repo2", "volume": {"volumeClaimSpec": claim}},
            ]}},
            "config": {},
            "patroni": {},
            "proxy": {"pgBouncer": {"config": {}}},
            "service": {},
            "standby": {"enabled": false},
            "users": [{"name": "a"}],
        }),
    )
}

/// Returns what is reported about a field that is added to [`full`].
fn told(object: &str, field: &str, value: &Value) -> Vec<String> {
    let mut cluster = full();
    let mut place = &mut cluster;
    for segment in FieldPath::of(object).0 {
        place = match segment {
            Segment::Key(key) => &mut place[key],
            Segment::Index(index) => &mut place[index],
        };
    }
    place[field] = value.clone();
    let documents = read::documents("cluster.yaml", &yaml::to_string(&cluster)).unwrap();
    let (_, diagnostics) = parse::parse(&documents[0], Settings::default());
    diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn a_field_of_another_place_is_told_where_it_belongs() {
    for (object, field, words) in [
        ("spec", "replicas", "`replicas` is a field of `spec.instances[]`: write it there"),
        ("spec", "resources", "`spec.instances[]`"),
        ("spec", "tolerations", "`spec.instances[]`"),
        ("spec", "affinity", "`spec.instances[]`"),
        ("spec", "storage", "did you mean `spec.instances[].dataVolumeClaimSpec.resources.requests.storage`?"),
        ("spec", "databases", "`spec.users[]`"),
        ("spec", "database", "`databases` is a field of `spec.users[]`"),
        ("spec", "parameters", "`spec.config`"),
        ("spec", "pgbackrest", "`spec.backups`"),
        ("spec", "repos", "`spec.backups.pgbackrest`"),
        ("spec", "schedule", "`schedules` is a field of `spec.backups.pgbackrest.repos[]`"),
        ("spec", "pgBouncer", "`spec.proxy`"),
        ("spec", "pgbouncer", "`pgBouncer` is a field of `spec.proxy`"),
        ("spec", "nodePort", "`nodePort` is a field of `spec.replicaService` and of `spec.service`"),
        ("spec", "name", "did you mean `metadata.name`?"),
        ("spec", "ssl", "TLS is always on"),
        ("spec", "hba", "`spec.authentication.rules[]`"),
        ("spec", "version", "did you mean `spec.postgresVersion`?"),
        ("", "instances", "`instances` is a field of `spec`"),
        ("", "annotations", "`annotations` is a field of `metadata`"),
        ("spec.proxy", "replicas", "`spec.proxy.pgBouncer`"),
        ("spec.proxy.pgBouncer", "global", "`spec.proxy.pgBouncer.config`"),
        ("spec.proxy.pgBouncer", "poolMode", "write it in `spec.proxy.pgBouncer.config.global`"),
        ("spec.proxy.pgBouncer.config", "pool_mode", "`pool_mode` is a setting of pgBouncer"),
        ("spec.patroni", "postgresql", "write it in `spec.patroni.dynamicConfiguration`"),
        ("spec.patroni", "use_slots", "write it in `spec.patroni.dynamicConfiguration.postgresql`"),
        ("spec.patroni", "ttl", "did you mean `spec.patroni.leaderLeaseDurationSeconds`?"),
        ("spec.patroni", "bootstrap", "below `dcs` in `spec.patroni.dynamicConfiguration`"),
        ("spec.config", "max_connections", "is a parameter of Postgres: write it in `spec.config.parameters`"),
        ("spec.config", "sharedBuffers", "`shared_buffers` is a parameter of Postgres"),
        ("spec.backups", "global", "`spec.backups.pgbackrest`"),
        ("spec.backups.pgbackrest", "repo1-retention-full", "write it in `spec.backups.pgbackrest.global`"),
        ("spec.backups.pgbackrest", "retention", "write `repoN-retention-full`"),
        ("spec.backups.pgbackrest.repos[0]", "global", "`spec.backups.pgbackrest`"),
        ("spec.backups.pgbackrest.repos[0]", "retentionFull", "write `repoN-retention-full`"),
        ("spec.backups.pgbackrest.repos[0].s3", "key", "`spec.backups.pgbackrest.configuration`"),
        ("spec.backups.pgbackrest.repos[0].s3", "secretAccessKey", "`spec.backups.pgbackrest.configuration`"),
        ("spec.backups.pgbackrest.repos[0]", "type", "expected one of"),
        ("spec.backups.pgbackrest.repos[0]", "host", "expected one of"),
        ("spec.backups.pgbackrest.repos[0].s3", "uriStyle", "write `repoN-s3-uri-style`"),
        ("spec.backups.pgbackrest.repos[0].s3", "path", "write `repoN-path`"),
        ("spec.instances[0]", "nodeSelector", "did you mean `affinity.nodeAffinity`?"),
        ("spec.instances[0]", "env", "cannot set environment variables"),
        ("spec.instances[0]", "image", "`image` is a field of `spec`: write it there"),
        ("spec.instances[0]", "labels", "`spec.instances[].metadata`"),
        ("spec.instances[0].dataVolumeClaimSpec", "storage", "did you mean `resources.requests.storage`?"),
        ("spec.standby", "repo", "did you mean `repoName`?"),
    ] {
        let lines = told(object, field, &json!("hush"));
        assert!(lines.len() == 1 && lines[0].contains("error: ") && lines[0].contains(words), "{object}: {lines:?}");
        assert!(!lines[0].contains("hush"), "{lines:?}");
    }
    for (object, field) in
        [("spec", "zzz"), ("spec", "enabled"), ("spec.users[0]", "host"), ("spec.backups", "enabled")]
    {
        let lines = told(object, field, &json!(1));
        assert!(lines.len() == 1 && !lines[0].contains("is a field of"), "{lines:?}");
    }
}

/// Collects every field below a schema, by the object that has it.
fn walk(definitions: &Value, schema: &Value, path: &str, found: &mut BTreeMap<String, Vec<String>>) {
    let name = schema["$ref"].as_str().map(|reference| reference.trim_start_matches("#/definitions/"));
    let schema = name.map_or(schema, |name| &definitions[name]);
    if schema["items"].is_object() {
        walk(definitions, &schema["items"], &format!("{path}[]"), found);
    }
    for (key, property) in schema["properties"].as_object().into_iter().flat_map(Map::iter) {
        found.entry(path.to_owned()).or_default().push(key.clone());
        // Types of Kubernetes have many levels, and none of them is searched.
        if !path.contains("containers") && !path.contains("ffinity") {
            walk(definitions, property, &format!("{path}.{key}"), found);
        }
    }
}

/// For the name of any field at any path, the objects in the message have a field with this name.
#[test]
fn what_is_told_of_a_field_is_true() {
    let schema = json_schema();
    let mut all = BTreeMap::new();
    walk(&schema["definitions"], &json!({"$ref": "#/definitions/PostgresClusterSpec"}), "spec", &mut all);
    all.insert("metadata".to_owned(), vec!["name".to_owned(), "annotations".to_owned(), "labels".to_owned()]);
    let names: std::collections::BTreeSet<&String> = all.values().flatten().collect();
    let mut count = 0;
    for object in [
        "spec",
        "spec.instances[0]",
        "spec.backups",
        "spec.backups.pgbackrest",
        "spec.backups.pgbackrest.repos[1]",
        "spec.config",
        "spec.patroni",
        "spec.proxy.pgBouncer",
        "spec.users[0]",
    ] {
        let here = &all[&object.replace("[0]", "[]").replace("[1]", "[]")];
        for name in names.iter().filter(|name| !here.contains(name)) {
            let lines = told(object, name, &json!(1));
            assert_eq!(lines.len(), 1, "{lines:?}");
            let Some((begin, places)) = lines[0].split_once("` is a field of `") else { continue };
            let (_, field) = begin.rsplit_once('`').unwrap();
            let (places, _) = places.split_once("`: write it").unwrap();
            for place in places.split("` and of `") {
                assert!(all[place].iter().any(|known| known.eq_ignore_ascii_case(field)), "{}", lines[0]);
                count += 1;
            }
        }
    }
    assert!(count > 500, "{count}");
}
