//! Queries that the collector runs itself: what it is told to run, and what of the user's queries is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use pgrender::options::Options;
use pgrender::read;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arrival::Pod;
use super::otlp::Server;
use super::{CONFIG_MAPS, cluster, container, pods, told, told_about};
use crate::common::processes::wait_for;
use crate::common::rendering::{SEED, objects, objects_from, options};
use crate::common::tools::{program, run};

/// A receiver (opentelemetry-collector-contrib, `receiver/sqlqueryreceiver`, "Configuration").
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    collection_interval: String,
    datasource: String,
    driver: String,
    initial_delay: String,
    queries: String,
}

/// A query (the same, "Queries").
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    sql: String,
    metrics: Vec<Metric>,
}

/// A metric (the same, "Metrics queries").
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    #[serde(rename = "metric_name")]
    name: String,
    value_column: String,
    attribute_columns: Vec<String>,
    data_type: String,
    description: String,
    static_attributes: BTreeMap<String, String>,
}

/// A cluster with these metrics, and a ConfigMap with queries.
fn with(metrics: &Value) -> Value {
    cluster(&json!({"metrics": metrics}))
}

fn queries(text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "zoo-queries", "namespace": "zoo"},
        "data": {"animals.yaml": text},
    })
}

fn added(databases: &[&str]) -> Value {
    json!({"name": "animals", "queries": {"name": "zoo-queries", "key": "animals.yaml"}, "databases": databases})
}

/// The files of the collector in an instance: from its own ConfigMap, by the path at which they are mounted, and the paths of the
/// user's files.
fn mounted(objects: &[Value]) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let pod = pods(objects).into_iter().find(|pod| pod["spec"]["containers"][0]["name"] == "database").unwrap();
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|volume| volume["name"] == "collector-config").unwrap();
    let mut ours = BTreeMap::new();
    let mut theirs = BTreeSet::new();
    for source in volume["projected"]["sources"].as_array().unwrap() {
        let source = &source["configMap"];
        let found =
            objects.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == source["name"]);
        for item in source["items"].as_array().unwrap() {
            let path = item["path"].as_str().unwrap().to_owned();
            match found {
                Some(found) => {
                    let text = found["data"][item["key"].as_str().unwrap()].as_str().unwrap();
                    assert!(ours.insert(path, text.to_owned()).is_none());
                }
                None => assert!(theirs.insert(path)),
            }
        }
    }
    (ours, theirs)
}

fn yaml(text: &str) -> Value {
    read::documents("file.yaml", text).unwrap()[0].node.to_json()
}

#[test]
fn each_database_has_a_receiver_of_queries_that_are_mounted() {
    let metrics = json!({
        "exporters": ["debug"],
        "perDBMetricTargets": ["zoo", "keeper's $zoo", "zoo"],
        "customQueries": {
            "add": [
                added(&["zoo", r"back\slash"]),
                {"name": "b.c", "queries": {"name": "other", "key": "d"}, "collectionInterval": "PT 2 min"},
            ],
            "remove": ["ccp_table_size_bytes"],
        },
    });
    let (ours, theirs) = mounted(&objects(&with(&metrics).to_string()).unwrap());
    let common = yaml(&ours["config.yaml"]);
    let mut places = Vec::new();
    for (path, text) in ours.iter().filter(|(path, _)| path.starts_with("receivers/")) {
        let configuration = yaml(text);
        let receivers = configuration["receivers"].as_object().unwrap();
        for receiver in receivers.values() {
            let receiver: Receiver = serde_json::from_value(receiver.clone()).unwrap();
            assert_eq!((receiver.driver.as_str(), receiver.initial_delay.as_str()), ("postgres", "15s"));
            let file =
                receiver.queries.strip_prefix("${file:/etc/pgrender-collector/").unwrap().strip_suffix('}').unwrap();
            assert!(ours.contains_key(file) || theirs.contains(file), "{file}");
            places.push((path.as_str(), receiver.collection_interval, receiver.datasource));
        }
        for pipeline in configuration["service"]["pipelines"].as_object().unwrap().values() {
            let names = |field: &str| pipeline[field].as_array().unwrap().clone();
            assert_eq!(names("receivers"), receivers.keys().map(String::as_str).collect::<Vec<_>>());
            assert!(names("processors").iter().all(|name| common["processors"].get(name.as_str().unwrap()).is_some()));
            assert_eq!(names("exporters"), ["prometheus/otel-metrics", "debug"]);
        }
    }
    let place =
        |database: &str| format!("host=localhost port=5432 user=ccp_monitoring dbname='{database}' sslmode=require");
    let tables = |database: &str| format!("{} options='-c search_path=pg_catalog,pg_temp'", place(database));
    // The collector replaces `$$` by `$`.
    let expected = [
        ("receivers/custom-animals.yaml", "5000ms", place("zoo")),
        ("receivers/custom-animals.yaml", "5000ms", place(r"back\\slash")),
        ("receivers/custom-b.c.yaml", "120000ms", place("postgres")),
        ("receivers/tables.yaml", "5m", tables("zoo")),
        ("receivers/tables.yaml", "5m", tables(r"keeper\'s $$zoo")),
    ];
    let expected = expected.map(|(path, interval, place)| (path, interval.to_owned(), place));
    assert_eq!(places, expected);
    let dropped = &common["receivers"]["prometheus/postgres"]["config"]["scrape_configs"][0]["metric_relabel_configs"];
    assert_eq!(dropped[1]["regex"], r"ccp_stat_user_tables_.*;(zoo|keeper\'s \$$zoo)");
}

#[test]
fn the_tables_of_single_databases_are_measured() {
    let metrics =
        json!({"perDBMetricTargets": ["zoo"], "customQueries": {"remove": ["ccp_stat_user_tables_seq_scan"]}});
    let (ours, _) = mounted(&objects(&with(&metrics).to_string()).unwrap());
    let queries: Vec<Query> = serde_json::from_value(yaml(&ours["tables.yaml"])).unwrap();
    assert_eq!(queries.len(), 1);
    let names: BTreeSet<_> = queries[0].metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!((names.len(), queries[0].metrics.len()), (15, 15));
    assert!(names.contains("ccp_table_size_bytes") && !names.contains("ccp_stat_user_tables_seq_scan"));
    for metric in &queries[0].metrics {
        assert!(queries[0].sql.contains(&metric.value_column), "{}", metric.value_column);
        assert_eq!(metric.attribute_columns, ["dbname", "schemaname", "relname"]);
        assert!(["gauge", "sum"].contains(&metric.data_type.as_str()) && !metric.description.is_empty());
        assert_eq!(metric.static_attributes["server"], "localhost:5432");
    }
}

/// As PGO's collector does, but at another port, because the exporter has that of PGO.
#[test]
fn prometheus_finds_what_they_measure() {
    let monitored = Options { network_policies: true, prometheus_operator: true, ..options() };
    for (metrics, is_there) in [(json!({"perDBMetricTargets": ["zoo"]}), true), (json!({}), false)] {
        let objects = objects_from(&with(&metrics).to_string(), SEED, &monitored).unwrap();
        let ports = |kind: &str| {
            let found = objects.iter().filter(|object| object["kind"] == kind);
            found
                .filter(|object| object.to_string().contains("9188") || object.to_string().contains("otel-metrics"))
                .count()
        };
        let expected = usize::from(is_there);
        let monitor = objects.iter().find(|object| object["kind"] == "PodMonitor").unwrap();
        let endpoints = monitor["spec"]["podMetricsEndpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 1 + expected);
        for endpoint in &endpoints[1..] {
            // An alert that the exporter does not answer looks at `up` with these labels.
            assert!(!endpoint["relabelings"].to_string().contains("pg_cluster"));
            assert_eq!(endpoint["metricRelabelings"][0]["targetLabel"], "pg_cluster");
        }
        assert_eq!(ports("PodMonitor"), expected);
        assert_eq!(ports("NetworkPolicy"), expected);
        assert_eq!(ports("StatefulSet"), expected);
    }
}

#[test]
fn the_password_is_in_a_file_of_the_pod_and_nowhere_else() {
    let objects = objects(&with(&json!({"perDBMetricTargets": ["zoo"]})).to_string()).unwrap();
    let pod = pods(&objects).into_iter().find(|pod| pod["spec"]["containers"][0]["name"] == "database").unwrap();
    let container = container(&pod).unwrap();
    let names: Vec<_> = container["env"].as_array().unwrap().iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["K8S_POD_NAMESPACE", "K8S_POD_NAME"]);
    assert_eq!(container["command"].as_array().unwrap().last().unwrap(), "/opt/crunchy/password");
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "monitoring-secret").unwrap();
    assert_eq!((&mount["mountPath"], &mount["readOnly"]), (&json!("/opt/crunchy"), &json!(true)));
    let (ours, _) = mounted(&objects);
    assert!(ours.values().all(|text| !text.contains("password=")));
}

#[test]
fn queries_that_cannot_run_are_refused() {
    let fault = |metrics: Value, words: &[&str]| {
        let told = told(&with(&metrics));
        assert!(told.iter().any(|line| words.iter().all(|word| line.contains(word))), "{metrics}: {told:?}");
    };
    let add = |queries: Value| json!({"customQueries": {"add": [queries]}});
    let named = |name: &str| json!({"name": name, "queries": {"name": "a", "key": "b"}});
    for name in ["a/b", "../a", ".a", "a}b", "ä"] {
        fault(add(named(name)), &["error", "customQueries.add[0].name", "becomes the name of a file"]);
    }
    let twice = json!({"customQueries": {"add": [named("a"), named("a")]}});
    fault(twice, &["error", "customQueries.add[1].name", "is also the name of other queries"]);
    for interval in ["0", "1ms", "999ms"] {
        let mut hasty = named("a");
        hasty["collectionInterval"] = json!(interval);
        fault(add(hasty), &["error", "customQueries.add[0].collectionInterval", "write at least `1s`"]);
    }
    let mut nowhere = named("a");
    nowhere["databases"] = json!(["zoo", ""]);
    fault(add(nowhere), &["error", "customQueries.add[0].databases[1]", "is not the name of a database"]);
    fault(json!({"perDBMetricTargets": [""]}), &["error", "perDBMetricTargets[0]", "is not the name of a database"]);
    for template in ["template0", "template1"] {
        fault(json!({"perDBMetricTargets": [template]}), &["error", "perDBMetricTargets[0]", "template database"]);
    }
    let removed = |name: &str| json!({"exporters": ["debug"], "customQueries": {"remove": [name]}});
    fault(removed("ccp_lock_count"), &["warning", "customQueries.remove[0]", "did you mean `ccp_locks_count`?"]);
    fault(removed("ccp_nodemx_mem_rss"), &["warning", "customQueries.remove[0]", "measures no `ccp_nodemx_mem_rss`"]);
    for name in ["ccp_locks_count", "ccp_table_size_bytes", "patroni_postgres_running", "pg_up"] {
        assert_eq!(told(&with(&removed(name))), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_file_of_queries_that_is_not_right_is_an_error_at_its_line() {
    let cluster = with(&json!({"customQueries": {"add": [added(&["zoo"])]}}));
    let good =
        "- sql: SELECT 1 AS one\n  metrics:\n  - {metric_name: a, value_column: one, attribute_columns: [one]}\n";
    // For the collector, `n` is a text.
    let boolean = "- sql: SELECT 1 AS n\n  metrics:\n  - {metric_name: a, value_column: n, attribute_columns: [n]}\n";
    for text in [good, boolean, &good.replace("1 AS one", "'$${b}' AS one")] {
        assert_eq!(told_about(&[cluster.clone(), queries(text)]), Vec::<String>::new(), "{text}");
    }
    for (text, message) in [
        (
            "- sql: SELECT '${env:OTLP_TOKEN}' AS one\n  metrics:\n  - {metric_name: a, value_column: one}\n",
            "line 1: the collector would replace `${`",
        ),
        ("- sql: [", "line 1: "),
        ("a: b\n", "line 1: write a list of queries"),
        ("", "line 1: write a list of queries"),
        ("\n- a\n", "line 2: each query is a mapping"),
        ("- metrics: [{metric_name: a, value_column: b}]\n", "line 1: the query has no `sql`"),
        ("- sql: SELECT 1\n  metric: []\n", "line 2: `metric` is not a key of a query: did you mean `metrics`?"),
        ("- sql: SELECT 1\n", "line 1: the query has no `metrics`"),
        ("- sql: SELECT 1\n  metrics:\n  - value_column: a\n", "line 3: the metric has no `metric_name`"),
        (
            "- sql: SELECT 1\n  metrics:\n  - metric_name: a\n    value_colum: b\n",
            "line 3: the metric has no `value_column`",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, data_type: counter}\n",
            "line 3: `data_type` must be one of `gauge`, `sum`",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, attribute_columns: c}\n",
            "line 3: `attribute_columns` must be a list",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, data_type: gauge, aggregation: delta}\n",
            "line 3: a gauge has no `aggregation`",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, attribute_columns: [1]}\n",
            "line 3: each of the `attribute_columns` must be the name of a column",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, static_attributes: {zone: 1}}\n",
            "line 3: `static_attributes` must be a mapping of texts",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, unit: 1}\n",
            "line 3: `unit` must be a text",
        ),
        (
            "- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b, monotonic: 'yes'}\n",
            "line 3: `monotonic` must be `true` or `false`",
        ),
        (
            "- sql: SELECT 1\n  ignore_null_values: 1\n  metrics:\n  - {metric_name: a, value_column: b}\n",
            "line 1: `ignore_null_values` must be `true` or `false`",
        ),
        (
            "- sql: SELECT 1\n  zoo: 1\n  metrics:\n  - {metric_name: a, value_column: b}\n",
            "line 2: `zoo` is not a key of a query of the collector 0.158",
        ),
        ("- sql: SELECT 1\n  metrics:\n  - {metric_name: a, value_column: b}\n---\n[]\n", "begins a second document"),
    ] {
        let told = told_about(&[cluster.clone(), queries(text)]);
        let found = told.iter().any(|line| {
            line.starts_with("input.yaml:3:")
                && line.contains("in the collector's file of queries `animals.yaml`, line")
                && line.contains(message)
        });
        assert!(found, "{text}: {told:?}");
    }
}

#[test]
fn removing_a_metric_of_the_own_queries_has_no_effect() {
    let metrics = json!({"exporters": ["debug"], "customQueries": {"add": [added(&["zoo"])], "remove": ["animals"]}});
    let text = "- sql: SELECT 1 AS one\n  metrics:\n  - {metric_name: animals, value_column: one}\n";
    let told = told_about(&[with(&metrics), queries(text)]);
    let message = "line 3: `customQueries.remove` has no effect on a metric of your own queries";
    assert!(told.iter().any(|line| line.contains("warning") && line.contains(message)), "{told:?}");
}

#[test]
fn a_key_that_a_config_map_of_the_input_lacks_is_an_error() {
    let cluster = with(&json!({"customQueries": {"add": [added(&["zoo"])]}}));
    let mut other = queries("");
    other["data"] = json!({"plants.yaml": ""});
    let field = "spec.instrumentation.metrics.customQueries.add[0].queries.key";
    let message = format!("{field}: the ConfigMap `zoo-queries` in the input has no key `animals.yaml`");
    let told = told_about(&[cluster, other]);
    assert!(told.iter().any(|line| line.starts_with("input.yaml:1:") && line.contains(&message)), "{told:?}");
}

/// The program that tests build has no receiver for queries, as a collector that a user built may have none. What it says about the
/// rest of the configuration is tested with another receiver in its place.
#[test]
#[ignore = "run it with make collector"]
fn the_collector_accepts_the_rest_of_each_configuration() {
    let Some(collector) = program("otelcol-contrib") else { return };
    let metrics = json!({
        "exporters": ["debug"],
        "perDBMetricTargets": ["keeper's $zoo"],
        "customQueries": {"add": [added(&["zoo", "keeper"])]},
    });
    let (ours, _) = mounted(&objects(&with(&metrics).to_string()).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = directory.path().join(name);
        fs::write(&file, text.replace("/var/lib/otelcol", &directory.path().to_string_lossy())).unwrap();
        file
    };
    let mut validate = Command::new(&collector);
    validate.env("K8S_POD_NAMESPACE", "zoo").env("K8S_POD_NAME", "alpha-one-0");
    validate.arg("validate").arg("--config").arg(file("config.yaml", &ours["config.yaml"]));
    for (path, text) in ours.iter().filter(|(path, _)| path.starts_with("receivers/")) {
        let mut configuration = yaml(&text.replace("sqlquery/", "prometheus/"));
        for receiver in configuration["receivers"].as_object_mut().unwrap().values_mut() {
            *receiver = json!({"config": {"scrape_configs": [{"job_name": "a"}]}});
        }
        validate.arg("--config").arg(file(&path.replace('/', "-"), &configuration.to_string()));
    }
    let output = run(&mut validate);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the collector of pgBouncer with queries, whose file is there or not, and returns its log.
fn log_with_queries(file: Option<&str>) -> String {
    let server = Server::start();
    let mut pod = Pod::new(&server, 17);
    let (ours, _) =
        mounted(&objects(&with(&json!({"customQueries": {"add": [added(&["zoo"])]}})).to_string()).unwrap());
    let mounted = pod.path(&format!("config/{}", CONFIG_MAPS[2]));
    for directory in ["receivers", "queries/animals"] {
        fs::create_dir_all(mounted.join(directory)).unwrap();
    }
    let receiver = &ours["receivers/custom-animals.yaml"];
    let receiver = receiver.replace("/etc/pgrender-collector", &mounted.to_string_lossy());
    fs::write(mounted.join("receivers/custom-animals.yaml"), receiver).unwrap();
    if let Some(text) = file {
        fs::write(mounted.join("queries/animals/animals.yaml"), text).unwrap();
    }
    let password = pod.path("password");
    fs::write(&password, r"a:b\c'").unwrap();
    let passwords = pod.path("bin/pgpass");
    let text = json!(pod.objects).to_string().replace("/tmp/pgpass", &passwords.to_string_lossy());
    pod.objects = serde_json::from_str(&text).unwrap();
    pod.arguments.push(password.to_string_lossy().into_owned());
    let Some(mut running) = pod.collector(CONFIG_MAPS[2], &[]) else { return String::new() };
    let log = pod.path(&format!("{}.log", CONFIG_MAPS[2]));
    wait_for(&log, "Everything is ready");
    // PostgreSQL, "The Password File".
    assert_eq!(fs::read_to_string(&passwords).unwrap().trim_end(), r"*:*:*:*:a\:b\\c'");
    assert_eq!(fs::metadata(&passwords).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(pod.path("pgbouncer/pgbouncer.log"), "2026-01-01 00:00:00.000 UTC [1] LOG hello\n").unwrap();
    server.waits_for("pgbouncer", |record| record.body == "hello");
    assert!(running.runs());
    fs::read_to_string(&log).unwrap()
}

#[test]
#[ignore = "run it with make collector"]
fn queries_that_the_collector_refuses_do_not_keep_it_from_sending_logs() {
    if program("otelcol-contrib").is_none() {
        return;
    }
    let missing = log_with_queries(None);
    assert!(missing.contains("custom-animals.yaml, which the collector refuses"), "{missing}");
    assert!(missing.contains("no such file"), "{missing}");
    let unknown = log_with_queries(Some("- sql: SELECT 1\n"));
    assert!(unknown.contains("custom-animals.yaml, which the collector refuses"), "{unknown}");
    assert!(unknown.contains("sqlquery"), "{unknown}");
}
