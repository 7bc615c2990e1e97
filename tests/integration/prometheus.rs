//! Tests what Prometheus and Grafana get: the PodMonitor, the alerts and the dashboard. `promtool`, which is part of Prometheus,
//! parses every expression and evaluates the alerts.

mod alerts;
mod dashboard;
mod metrics;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use pgrender::diagnostic::Diagnostic;
use pgrender::identity::Seed;
use pgrender::options::Options;
use pgrender::{read, render};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::custom_resources::complaints;
use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects_from, options};
use crate::values::schedules::verdicts;

const SCHEMAS: &str = "prometheus-operator.yaml";
const EXPORTER: &str = "      exporter: {}\n";

/// The options of a caller who has Prometheus Operator and Grafana.
fn with_prometheus() -> Options {
    Options { prometheus_operator: true, grafana_dashboard: true, ..options() }
}

/// The fixture with an exporter: two instances, and a repository with a full backup each week and an incremental one each day.
fn fixture() -> String {
    fixtures().into_iter().find(|(name, _)| name == "monitoring").unwrap().1
}

/// The fixture with these lines in its `spec`.
fn with_spec(lines: &str) -> String {
    fixture().replacen("spec:\n", &format!("spec:\n{lines}"), 1)
}

fn rendered(text: &str) -> Vec<Value> {
    objects_from(text, SEED, &with_prometheus()).unwrap()
}

fn of_kind(text: &str, kind: &str) -> Option<Value> {
    rendered(text).into_iter().find(|object| object["kind"] == kind)
}

fn rules(text: &str) -> Value {
    of_kind(text, "PrometheusRule").unwrap()["spec"].clone()
}

/// The names of the groups, without the name of the cluster.
fn groups(text: &str) -> Vec<String> {
    let rules = rules(text);
    let names = rules["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned());
    names.map(|name| name.strip_prefix("postgres-operator/hippo: ").unwrap().to_owned()).collect()
}

/// What is said about a cluster: the severity and the message.
fn said(text: &str, options: &Options) -> Vec<String> {
    let documents = read::documents("cluster.yaml", text).unwrap();
    let seed = Seed::new(SEED.as_bytes()).ok().unwrap();
    render::render(&documents, options, Ok(&seed)).diagnostics.iter().map(Diagnostic::to_string).collect()
}

/// Files for promtool, which end with the test.
struct Files {
    promtool: PathBuf,
    directory: TempDir,
}

impl Files {
    fn new() -> Option<Self> {
        let promtool = crate::common::tools::program("promtool")?;
        Some(Self { promtool, directory: tempfile::tempdir().unwrap() })
    }

    fn write(&self, name: &str, content: &Value) {
        // promtool reads YAML, of which JSON is a part.
        fs::write(self.directory.path().join(name), content.to_string()).unwrap();
    }

    /// Runs promtool in the directory of the files; returns whether it succeeded, and its output.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(&self.promtool).args(arguments).current_dir(&self.directory).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

/// Clusters that get different alerts.
fn variants() -> Vec<(&'static str, String)> {
    let archive = "  standby: {enabled: true, repoName: repo1}\n";
    let stream = "  standby: {enabled: true, host: rhino.example.com}\n";
    let (before, rest) = fixture().split_once("  backups:\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let monitoring = rest.split_once("  monitoring:\n").unwrap().1;
    vec![
        ("two instances", fixture()),
        ("one instance", fixture().replace("      replicas: 2\n", "")),
        ("without backups and pgBouncer", format!("{before}  monitoring:\n{monitoring}")),
        ("streams", with_spec(stream)),
        ("restores", with_spec(archive)),
        ("with TLS", fixture().replace(EXPORTER, "      exporter: {customTLSSecret: {name: exporter-tls}}\n")),
    ]
}

#[test]
fn the_objects_fit_the_schemas_of_prometheus_operator() {
    let mut all = Vec::new();
    for (name, text) in variants() {
        let ours: Vec<Value> =
            rendered(&text).into_iter().filter(|object| object["apiVersion"] == "monitoring.coreos.com/v1").collect();
        assert_eq!(ours.len(), 2, "{name}");
        all.extend(ours);
    }
    let Some(complaints) = complaints(SCHEMAS, &all.iter().collect::<Vec<_>>()) else { return };
    assert_eq!(complaints, "");
}

#[test]
fn the_schemas_notice_what_is_wrong() {
    let (monitor, rule) = (of_kind(&fixture(), "PodMonitor").unwrap(), of_kind(&fixture(), "PrometheusRule").unwrap());
    for (object, pointer, value) in [
        (&monitor, "/spec/selector", json!({"labels": {}})),
        (&monitor, "/spec/podMetricsEndpoints/0/scheme", json!("tls")),
        (&monitor, "/spec/podMetricsEndpoints/0/relabelings/0/action", json!("move")),
        (&rule, "/spec/groups/0/rules/0/for", json!("soon")),
        (&rule, "/spec/groups/0/rules/0/labels", json!({"severity": 1})),
    ] {
        let mut wrong = object.clone();
        if object == &monitor {
            wrong["spec"]["podMetricsEndpoints"][0]["scheme"] = json!("https");
        }
        *wrong.pointer_mut(pointer).unwrap() = value;
        let Some(complaints) = complaints(SCHEMAS, &[&wrong]) else { return };
        assert_eq!(complaints.lines().count(), 1, "{pointer}: {complaints}");
    }
}

/// The selector, the port and the labels of the pods are what the StatefulSet has.
#[test]
fn the_pod_monitor_selects_the_exporters() {
    let objects = rendered(&fixture());
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let monitor = find("PodMonitor");
    let pod = &objects
        .iter()
        .find(|object| object["kind"] == "StatefulSet" && object["metadata"]["name"] == "hippo-instance1")
        .unwrap()["spec"]["template"];
    for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&pod["metadata"]["labels"][key], value, "{key}");
    }
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let ports = containers.iter().flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
    assert_eq!(ports.filter(|found| &found["name"] == port).count(), 1);
    assert_eq!(monitor["metadata"]["namespace"], "postgres-operator");
}

/// Prometheus gives a target these labels. Prometheus Operator writes the same configuration, with a label `namespace` of its own.
#[test]
fn time_series_have_the_labels_of_pgmonitor() {
    let Some(files) = Files::new() else { return };
    let monitor = of_kind(&fixture(), "PodMonitor").unwrap();
    let relabelings = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"].as_array().unwrap().iter();
    let relabelings: Vec<Value> = relabelings
        .map(|relabeling| {
            let (mut ours, pairs) = (json!({}), [("sourceLabels", "source_labels"), ("targetLabel", "target_label")]);
            for (key, value) in relabeling.as_object().unwrap() {
                let name = pairs.iter().find(|(theirs, _)| theirs == key).map_or(key.as_str(), |(_, name)| name);
                ours[name] = value.clone();
            }
            ours
        })
        .collect();
    let pod = "__meta_kubernetes_pod";
    let discovered = json!({
        "__meta_kubernetes_namespace": "postgres-operator",
        format!("{pod}_name"): "hippo-instance1-0",
        format!("{pod}_ip"): "10.0.0.7",
        format!("{pod}_label_postgres_operator_crunchydata_com_instance"): "hippo-instance1-0",
        format!("{pod}_label_postgres_operator_crunchydata_com_role"): "master",
        // An instance can change this label of its pod.
        format!("{pod}_label_postgres_operator_crunchydata_com_cluster"): "rhino",
    });
    let targets = json!([{"targets": ["10.0.0.7:9187"], "labels": discovered}]);
    let job = json!({"job_name": "exporter", "relabel_configs": relabelings, "static_configs": targets});
    files.write("prometheus.json", &json!({"scrape_configs": [job]}));
    let (success, said) = files.run(&["check", "service-discovery", "--timeout=1s", "prometheus.json", "exporter"]);
    assert!(success, "{said}");
    let found: Value = serde_json::from_str(&said[said.find('[').unwrap()..]).unwrap();
    let expected = json!({
        "cluster_name": "postgres-operator:hippo",
        "deployment": "hippo-instance1-0",
        "instance": "10.0.0.7:9187",
        "ip": "10.0.0.7",
        "job": "exporter",
        "kubernetes_namespace": "postgres-operator",
        "pg_cluster": "postgres-operator:hippo",
        "pod": "hippo-instance1-0",
        "role": "master",
    });
    let labels = found[0]["labels"].as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("__"));
    assert_eq!(Value::Object(labels.map(|(name, value)| (name.clone(), value.clone())).collect()), expected);
}

#[test]
fn tls_of_the_exporter_is_tls_of_the_pod_monitor() {
    let endpoint = |text: &str| of_kind(text, "PodMonitor").unwrap()["spec"]["podMetricsEndpoints"][0].clone();
    let plain = endpoint(&fixture());
    assert!(plain["scheme"].is_null() && plain["tlsConfig"].is_null());
    let (_, text) = variants().into_iter().find(|(name, _)| *name == "with TLS").unwrap();
    let tls = endpoint(&text);
    assert_eq!((&tls["scheme"], &tls["tlsConfig"]), (&json!("https"), &json!({"insecureSkipVerify": true})));
    assert!(said(&text, &with_prometheus()).iter().any(|line| line.contains("does not verify this certificate")));
    assert!(!said(&text, &options()).iter().any(|line| line.contains("does not verify this certificate")));
}

#[test]
fn a_cluster_gets_the_alerts_that_it_needs() {
    let expected = [
        (
            "two instances",
            "leader availability replication replay backups repo1 storage databases pgbouncer certificates",
        ),
        ("one instance", "leader availability backups repo1 storage databases pgbouncer certificates"),
        ("without backups and pgBouncer", "leader availability replication replay storage databases certificates"),
        ("streams", "standby source availability replication replay storage databases pgbouncer certificates"),
        ("restores", "standby availability replication storage databases pgbouncer certificates"),
    ];
    for (name, expected) in expected {
        let (_, text) = variants().into_iter().find(|(known, _)| *known == name).unwrap();
        assert_eq!(groups(&text).join(" "), expected, "{name}");
    }
    assert!(of_kind(&with_spec("  shutdown: true\n"), "PrometheusRule").is_none());
    assert!(of_kind(&with_spec("  shutdown: true\n"), "PodMonitor").is_some());
}

/// The repositories with an alert about old backups, each with the age in hours.
fn limits(text: &str) -> Vec<(String, u64)> {
    let rules = rules(text);
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let limit = |rule: &Value| {
        let (selector, limit) = rule["expr"].as_str().unwrap().rsplit_once(" > ").unwrap();
        let repository = selector.split("repo=\"").nth(1).unwrap().chars().next().unwrap();
        let hours = limit.parse::<u64>().unwrap() / 3600;
        assert!(rule["annotations"]["description"].as_str().unwrap().contains(&format!("most {hours} hours")));
        (repository.to_string(), hours)
    };
    rules.filter(|rule| rule["alert"] == "PostgresBackupTooOld").map(limit).collect()
}

#[test]
fn the_age_of_a_backup_follows_from_the_schedules() {
    let (full, incremental) = ("          full: \"0 1 * * 0\"\n", "          incremental: \"0 1 * * 1-6\"\n");
    let hourly = "          incremental: \"@hourly\"\n";
    let repository = |name: &str, hours: u64| (name.to_owned(), hours);
    for (text, expected) in [
        (fixture(), vec![repository("1", 24 + 6 + 6)]),
        (fixture().replace(incremental, hourly), vec![repository("1", 1 + 6)]),
        (fixture().replace(incremental, ""), vec![repository("1", 168 + 42 + 6)]),
        (
            fixture().replace(&format!("        schedules:\n{full}{incremental}"), ""),
            vec![repository("1", 192), repository("2", 192)],
        ),
    ] {
        assert_eq!(limits(&text), expected);
    }
}

/// The parser of Kubernetes says when schedules run.
#[test]
fn the_longest_time_between_backups_is_that_of_kubernetes() {
    let mut schedules = Vec::new();
    for hours in ["0", "*/5", "8-18", "1,13"] {
        for days in ["*", "?", "31", "30,31", "*/7", "1-7"] {
            for months in ["*", "2", "4-9/5"] {
                for weekdays in ["*", "sun", "1-5", "*/2"] {
                    schedules.push(format!("7 {hours} {days} {months} {weekdays}"));
                }
            }
        }
    }
    schedules.extend(["@yearly", "@monthly", "@weekly", "@daily", "@hourly", "@midnight"].map(str::to_owned));
    let Some(verdicts) = verdicts(&schedules, &["gaps"]) else { return };
    let never = verdicts.iter().filter(|verdict| verdict["gap"] == 0).count();
    assert!(never > 5 && never < schedules.len() / 4, "{never} of {}", schedules.len());
    let incremental = "          incremental: \"0 1 * * 1-6\"\n";
    for (schedule, verdict) in schedules.iter().zip(verdicts) {
        let gap = verdict["gap"].as_u64().unwrap();
        let expected = if gap == 0 { 192 } else { gap + gap / 4 + 6 };
        let text = fixture().replace(incremental, "").replace("0 1 * * 0", schedule);
        assert_eq!(limits(&text), [("1".to_owned(), expected)], "{schedule}: {verdict}");
    }
}

#[test]
fn a_cluster_without_an_exporter_gets_nothing_and_is_told() {
    let text = fixture().replace(EXPORTER, "      {}\n").replace("    pgmonitor:\n      {}\n", "    pgmonitor: {}\n");
    assert!(of_kind(&text, "PodMonitor").is_none() && of_kind(&text, "PrometheusRule").is_none());
    let lines = said(&text, &with_prometheus());
    for option in ["--prometheus-operator", "--grafana-dashboard"] {
        let found: Vec<&String> = lines.iter().filter(|line| line.contains(option)).collect();
        assert_eq!(found.len(), 1, "{lines:?}");
        assert!(found[0].contains("info") && found[0].contains("renders nothing for this cluster"), "{}", found[0]);
    }
    assert!(!said(&text, &options()).iter().any(|line| line.contains("renders nothing")));
    let objects = objects_from(&fixture(), SEED, &options()).unwrap();
    let is_ours = |object: &&Value| object["apiVersion"] == "monitoring.coreos.com/v1";
    assert_eq!(objects.iter().filter(is_ours).count(), 0);
}

#[test]
fn own_queries_without_the_default_ones_have_no_alerts() {
    let own = |sources: &str| fixture().replace(EXPORTER, &format!("      exporter: {{configuration: [{sources}]}}\n"));
    let warns = |text: &str| said(text, &with_prometheus()).iter().any(|line| line.contains("no alerts are rendered"));
    for sources in ["", "configMap: {name: mine}", "secret: {name: hippo-exporter-queries-config}"] {
        let text = own(&if sources.is_empty() { String::new() } else { format!("{{{sources}}}") });
        assert!(of_kind(&text, "PrometheusRule").is_none() && of_kind(&text, "PodMonitor").is_some(), "{sources}");
        assert!(warns(&text), "{sources}");
    }
    for (items, is_there) in [
        ("", true),
        (", items: []", true),
        (", items: [{key: a.yml, path: a.yml}, {key: defaultQueries.yml, path: a/c.yml}]", true),
        (", items: [{key: a.yml, path: defaultQueries.yml}]", false),
    ] {
        let text = own(&format!(
            "{{configMap: {{name: mine}}}}, {{configMap: {{name: hippo-exporter-queries-config{items}}}}}"
        ));
        assert_eq!(of_kind(&text, "PrometheusRule").is_some(), is_there, "{items}");
        assert_eq!(!warns(&text), is_there, "{items}");
    }
}

/// kpt gives a function what it has rendered before. The alerts contain `{{ … }}`, which in a spec would be a template that nobody
/// has rendered.
#[test]
fn the_output_can_be_input_again() {
    let first = rendered(&fixture());
    let again = first.iter().map(|object| format!("---\n{object}\n")).collect::<String>();
    let before = said(&fixture(), &with_prometheus());
    assert_eq!(said(&format!("{}{again}", fixture()), &with_prometheus()), before);
}
