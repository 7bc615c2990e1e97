//! Tests what pgrender says about the user's files of queries: where they are, and how they become files in the container.

use serde_json::{Value, json};

use super::{cluster, told};

const ONE: &str = "one: {query: SELECT 1 AS total, metrics: [{total: {usage: GAUGE, description: a number}}]}\n";
const TWO: &str = "two: {query: SELECT 2 AS total, metrics: [{total: {usage: GAUGE, description: a number}}]}\n";

/// A ConfigMap or Secret of the input, with this as its content.
fn source(kind: &str, name: &str, content: &Value) -> Value {
    let mut source = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "zoo"}});
    source.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    source
}

/// What is said about a cluster with these sources of queries, and these objects.
fn told_about(configuration: &Value, objects: &[Value]) -> Vec<String> {
    let cluster = cluster(&json!({"configuration": configuration}));
    told(&[&[cluster], objects].concat())
}

#[track_caller]
fn assert_told(told: &[String], expected: &str) {
    assert!(told.len() == 1 && told[0].contains(expected), "{expected}: {told:?}");
}

#[test]
fn only_mounted_keys_are_files() {
    let items = json!([{"configMap": {"name": "a", "items": [{"key": "a.yml", "path": "sub/b.yml"}]}}]);
    let map = source("ConfigMap", "a", &json!({"data": {"a.yml": ONE, "not-mounted.yml": "["}}));
    assert_eq!(told_about(&items, &[map]), Vec::<String>::new());
    assert_eq!(told_about(&items, &[]), Vec::<String>::new(), "the ConfigMap is elsewhere");
    let absent = told_about(&items, &[source("ConfigMap", "a", &json!({"data": {"b.yml": ONE}}))]);
    assert_told(&absent, "ConfigMap zoo/a in the input has no key `a.yml`");
    assert!(absent[0].contains("configuration[0].configMap.items[0].key"), "{absent:?}");
}

#[test]
fn a_fault_has_the_position_of_its_file_and_its_line() {
    let map = source("ConfigMap", "a", &json!({"data": {"a.yml": "\none:\n  query: SELECT 1\n"}}));
    let told = told_about(&json!([{"configMap": {"name": "a"}}]), &[map]);
    assert_told(&told, "in the exporter's file of queries `a.yml`, line 2: `one` has no `metrics`");
    assert!(told[0].contains("input.yaml:3:"), "{told:?}");
}

#[test]
fn a_fault_is_said_once_for_all_clusters() {
    let first = cluster(&json!({"configuration": [{"configMap": {"name": "a"}}]}));
    let mut second = first.clone();
    second["metadata"]["name"] = json!("beta");
    let map = source("ConfigMap", "a", &json!({"data": {"a.yml": "["}}));
    assert_eq!(told(&[first, second, map]).len(), 1);
}

#[test]
fn a_source_without_a_namespace_is_that_of_the_cluster() {
    let mut map = source("ConfigMap", "a", &json!({"data": {"a.yml": "["}}));
    map["metadata"].as_object_mut().unwrap().remove("namespace");
    let told_of = |map: &Value| told_about(&json!([{"configMap": {"name": "a"}}]), std::slice::from_ref(map));
    assert_told(&told_of(&map), "`a.yml`");
    map["metadata"]["namespace"] = json!("elsewhere");
    assert_eq!(told_of(&map), Vec::<String>::new());
}

#[test]
fn every_field_with_files_is_read() {
    let broken = [
        source("Secret", "a", &json!({"stringData": {"a.yml": "hush: ["}})),
        source("Secret", "a", &json!({"data": {"a.yml": "aHVzaDogWw=="}})),
        source("Secret", "a", &json!({"data": {"a.yml": "aHVzaDogWw=="}, "stringData": {"a.yml": "hush: {usage: ["}})),
        source("Secret", "a", &json!({"stringData": {"a.yml": "hush:\n  query: x\n  hushed: 1\n"}})),
    ];
    for secret in broken {
        let told = told_about(&json!([{"secret": {"name": "a"}}]), &[secret]);
        assert!(!told.is_empty() && told.iter().all(|line| !line.contains("hush")), "{told:?}");
    }
    // `stringData` replaces `data`.
    let secret = source("Secret", "a", &json!({"data": {"a.yml": "aHVzaDogWw=="}, "stringData": {"a.yml": ONE}}));
    assert_eq!(told_about(&json!([{"secret": {"name": "a"}}]), &[secret]), Vec::<String>::new());
    let map = source("ConfigMap", "a", &json!({"binaryData": {"a.yml": "aHVzaDogWw=="}}));
    assert_told(&told_about(&json!([{"configMap": {"name": "a"}}]), &[map]), "`a.yml`, line 1");
}

#[test]
fn a_file_must_not_replace_another_one() {
    let maps = [
        source("ConfigMap", "a", &json!({"data": {"q.yml": ONE}})),
        source("Secret", "a", &json!({"stringData": {"q.yml": TWO}})),
    ];
    let both = json!([{"configMap": {"name": "a"}}, {"secret": {"name": "a"}}]);
    assert_told(
        &told_about(&both, &maps),
        "this file replaces that of ConfigMap zoo/a, because both become `/conf/q.yml`",
    );
    let apart =
        json!([{"configMap": {"name": "a"}}, {"secret": {"name": "a", "items": [{"key": "q.yml", "path": "r.yml"}]}}]);
    assert_eq!(told_about(&apart, &maps), Vec::<String>::new());
    let same = json!([{"configMap": {"name": "a"}}, {"configMap": {"name": "a"}}]);
    assert_eq!(told_about(&same, &maps), Vec::<String>::new());
}

#[test]
fn a_file_that_the_script_does_not_find_is_an_error() {
    for path in [".q.yml", "a/.q.yml", "a/b/q.yml"] {
        let items = json!([{"configMap": {"name": "a", "items": [{"key": "q.yml", "path": path}]}}]);
        let told = told_about(&items, &[]);
        assert_told(&told, &format!("the exporter does not read `{path}`"));
        assert!(told[0].contains("configuration[0].configMap.items[0].path"), "{told:?}");
    }
    let map = source("ConfigMap", "a", &json!({"data": {".q.yml": ONE}}));
    assert_told(&told_about(&json!([{"configMap": {"name": "a"}}]), &[map]), "the exporter does not read .q.yml");
}

#[test]
fn no_queries_at_all_are_said() {
    assert_told(&told_about(&json!([]), &[]), "is empty, so there are no queries");
}

#[test]
fn a_metric_of_a_collector_is_said() {
    let text = "pg_wal: {query: SELECT 1 AS size_bytes, metrics: [{size_bytes: {usage: GAUGE}}]}\n";
    let map = source("ConfigMap", "a", &json!({"data": {"a.yml": text}}));
    let told_of = told_about(&json!([{"configMap": {"name": "a"}}]), std::slice::from_ref(&map));
    assert_told(&told_of, "have the metric `pg_wal_size_bytes` themselves");
    let mut without = cluster(&json!({"configuration": [{"configMap": {"name": "a"}}]}));
    without["metadata"]["annotations"] =
        json!({"postgres-operator.crunchydata.com/postgres-exporter-collectors": "None"});
    assert_eq!(told(&[without, map]), Vec::<String>::new());
}

/// The default queries about pgBouncer are there only if the cluster has one.
#[test]
fn a_query_may_have_a_name_of_pgbouncer_if_there_is_none() {
    let text = ONE.replacen("one", "ccp_pgbouncer_lists", 1);
    let map = source("ConfigMap", "a", &json!({"data": {"a.yml": text}}));
    let names = ["a", "alpha-exporter-queries-config"].map(|name| json!({"configMap": {"name": name}}));
    let mut cluster = cluster(&json!({"configuration": names}));
    assert_eq!(told(&[cluster.clone(), map.clone()]), Vec::<String>::new());
    cluster["spec"]["proxy"] = json!({"pgBouncer": {}});
    assert_told(&told(&[cluster, map]), "is also in `defaultQueries.yml`");
}
