//! Tests the OpenTelemetry collector: its containers, what it accepts of the spec, and with the real collector whether it starts
//! with the rendered configuration, and whether what the real programs log arrives at a server of OTLP.

mod arrival;
mod exporters;
mod otlp;
mod queries;
mod rotation;
mod script;

use std::fs;
use std::path::Path;
use std::process::Command;

use pgrender::identity::Seed;
use pgrender::read;
use pgrender::render::render;
use serde_json::{Value, json};

use crate::common::rendering::{SEED, objects, options};
use crate::common::tools::{program, run};

/// A small cluster with everything that has a collector, and these settings of it.
fn cluster(instrumentation: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
        "kind": "PostgresCluster",
        "metadata": {"name": "alpha", "namespace": "zoo"},
        "spec": {
            "postgresVersion": 17,
            "image": "postgres",
            "instances": [{"name": "one", "dataVolumeClaimSpec": claim}],
            "backups": {"pgbackrest": {"repos": [{"name": "repo1", "volume": {"volumeClaimSpec": claim}}]}},
            "proxy": {"pgBouncer": {}},
            "instrumentation": instrumentation,
        },
    })
}

/// The names of the ConfigMaps with a configuration: of instances, of the repo host, of pgBouncer.
const CONFIG_MAPS: [&str; 3] = ["alpha-one-config", "alpha-pgbackrest-config", "alpha-pgbouncer"];

fn configuration(objects: &[Value], config_map: &str) -> String {
    let found = objects.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == config_map);
    found.unwrap()["data"]["collector.yaml"].as_str().unwrap().to_owned()
}

/// The pods of these objects that have a collector.
fn pods(objects: &[Value]) -> Vec<Value> {
    let templates = objects.iter().map(|object| object["spec"]["template"].clone());
    templates
        .filter(|template| template["spec"]["containers"].is_array())
        .filter(|pod| container(pod).is_some())
        .collect()
}

fn container(pod: &Value) -> Option<&Value> {
    pod["spec"]["containers"].as_array()?.iter().find(|container| container["name"] == "collector")
}

/// Returns what is reported about a cluster, except when to render it again.
fn told(cluster: &Value) -> Vec<String> {
    told_about(std::slice::from_ref(cluster))
}

/// The same about a cluster and other objects of the input.
fn told_about(documents: &[Value]) -> Vec<String> {
    let text = documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    let documents = read::documents("input.yaml", &text).unwrap();
    let rendered = render(&documents, &options(), Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()));
    let lines = rendered.diagnostics.iter().map(ToString::to_string);
    lines.filter(|line| !line.contains("render and apply again")).collect()
}

#[test]
fn every_pod_with_logs_has_one() {
    let pods = pods(&objects(&cluster(&json!({})).to_string()).unwrap());
    assert_eq!(pods.len(), 3);
    for pod in pods {
        assert_eq!(pod["metadata"]["labels"]["postgres-operator.crunchydata.com/crunchy-otel-collector"], "true");
    }
}

/// A pod waits for the volumes that it mounts, and is not ready while a container is not.
#[test]
fn no_pod_waits_for_it() {
    let instrumentation = json!({"config": {
        "files": [{"secret": {"name": "a"}}, {"configMap": {"name": "b", "optional": false}}],
        "environmentVariables": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "a"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "a", "optional": false}}},
        ],
    }});
    for pod in pods(&objects(&cluster(&instrumentation).to_string()).unwrap()) {
        let container = container(&pod).unwrap();
        assert_eq!(container["readinessProbe"], Value::Null);
        assert_eq!(container["livenessProbe"], Value::Null);
        let env = container["env"].as_array().unwrap();
        assert_eq!(env[2]["valueFrom"]["secretKeyRef"]["optional"], true);
        assert_eq!(env[3]["valueFrom"]["configMapKeyRef"]["optional"], true);
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        let theirs = volumes.iter().find(|volume| volume["name"] == "collector-files").unwrap();
        let sources = theirs["projected"]["sources"].as_array().unwrap();
        assert_eq!(sources.len(), 2);
        for source in sources {
            assert_eq!(source.as_object().unwrap().values().next().unwrap()["optional"], true, "{source}");
        }
    }
}

#[test]
fn it_can_write_only_where_it_remembers_what_it_has_read() {
    for pod in pods(&objects(&cluster(&json!({})).to_string()).unwrap()) {
        let container = container(&pod).unwrap();
        let mounts = container["volumeMounts"].as_array().unwrap();
        let writable: Vec<_> = mounts.iter().filter(|mount| mount["readOnly"] != true).collect();
        let places: Vec<_> = writable.iter().map(|mount| &mount["mountPath"]).collect();
        assert_eq!(places, ["/var/lib/otelcol", "/tmp"]);
        assert_eq!(writable[0]["subPath"], "collector");
        assert_eq!(writable[1]["name"], "collector-tmp");
    }
}

/// PGO writes a password into the pod. Here the collector logs in nowhere, unless it runs queries.
#[test]
fn it_needs_no_password() {
    for pod in pods(&objects(&cluster(&json!({"metrics": {"exporters": ["debug"]}})).to_string()).unwrap()) {
        let container = container(&pod).unwrap();
        let names: Vec<_> = container["env"].as_array().unwrap().iter().map(|variable| &variable["name"]).collect();
        assert_eq!(names, ["K8S_POD_NAMESPACE", "K8S_POD_NAME"]);
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().all(|mount| mount["name"] != "monitoring-secret"));
    }
}

#[test]
fn what_cannot_work_is_refused() {
    let fault = |instrumentation: Value, words: &[&str]| {
        let told = told(&cluster(&instrumentation));
        let found = told.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{instrumentation}: {told:?}");
    };
    let exporters = json!({"otlphttp": {"endpoint": "http://there"}});
    let logs = |names: Value| json!({"config": {"exporters": exporters}, "logs": {"exporters": names}});
    fault(logs(json!(["otlphttp", "otlp"])), &["error", "logs.exporters[1]", "there is no exporter `otlp`"]);
    fault(logs(json!(["otlphtp"])), &["error", "did you mean `otlphttp`?"]);
    fault(json!({"metrics": {"exporters": ["a"]}}), &["error", "metrics.exporters[0]", "there is no exporter `a`"]);
    fault(json!({"config": {"exporters": exporters}}), &["warning", "config.exporters.otlphttp", "has no effect"]);
    for (exporters, words) in [
        (json!({"otlp": "there"}), "are a mapping"),
        (json!({"otlp/": {}}), "is not the name of an exporter"),
        (json!({"1": {}}), "is not the name of an exporter"),
    ] {
        fault(json!({"config": {"exporters": exporters}}), &["error", words]);
    }
    fault(json!({"config": {"exporters": ["otlp"]}}), &["error", "config.exporters"]);
    for (queue, is_limited) in [
        (json!({"storage": "file_storage"}), false),
        (json!({"storage": "file_storage", "sizer": "bytes"}), false),
        (json!({"storage": "file_storage", "queue_size": 1000}), false),
        (json!({"storage": "file_storage", "sizer": "bytes", "queue_size": 1000}), true),
        (json!({"queue_size": 1000}), true),
    ] {
        let exporters = json!({"otlphttp": {"endpoint": "http://there", "sending_queue": queue}});
        let told = told(&cluster(&json!({"config": {"exporters": exporters}, "logs": {"exporters": ["otlphttp"]}})));
        let found = told.iter().any(|line| line.contains("sending_queue.storage: this queue can fill the volume"));
        assert_eq!(found, !is_limited, "{told:?}");
    }
    let detectors = |names: &[&str]| {
        let detectors: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
        json!({"config": {"detectors": detectors}})
    };
    fault(detectors(&["gcp", "azur"]), &["warning", "detectors[1].name", "did you mean `azure`?"]);
    fault(detectors(&["eks"]), &["error", "detectors[0].name", "needs a token"]);
    let removed = json!({"metrics": {"exporters": ["debug"], "customQueries": {"remove": ["ccp_locks_count", "a-b"]}}});
    fault(removed, &["error", "customQueries.remove[1]", "is not the name of a metric"]);
    let mut cluster = cluster(&json!({}));
    cluster["spec"]["instances"][0]["containers"] = json!([{"name": "collector", "image": "other"}]);
    assert!(told(&cluster).iter().any(|line| line.contains("`collector` is already the name of a container")));
}

#[test]
fn a_log_that_the_collector_does_not_find_is_reported() {
    let message = "does not find this log";
    let volume = |containers: Option<Value>| {
        let mut volume = json!({"name": "logs", "claimName": "logs"});
        volume.as_object_mut().unwrap().extend(containers.map(|containers| ("containers".to_owned(), containers)));
        json!({"additional": [volume]})
    };
    let too_few = Some(json!(["database", "pgbackrest", "pgbouncer", "pgbouncer-config"]));
    let enough = Some(json!(["database", "pgbackrest", "pgbouncer", "pgbouncer-config", "collector"]));
    for (containers, found) in [(too_few, 4), (enough, 0), (None, 0)] {
        let mut cluster = cluster(&json!({}));
        let spec = &mut cluster["spec"];
        spec["instances"][0]["volumes"] = volume(containers.clone());
        spec["config"] = json!({"parameters": {"log_directory": "/volumes/logs/postgres"}});
        spec["backups"]["pgbackrest"]["log"] = json!({"path": "/volumes/logs/pgbackrest"});
        spec["backups"]["pgbackrest"]["repoHost"] =
            json!({"log": {"path": "/volumes/logs/pgbackrest"}, "volumes": volume(containers.clone())});
        spec["proxy"]["pgBouncer"] = json!({
            "config": {"global": {"logfile": "/volumes/logs/pgbouncer/a.log"}},
            "volumes": volume(containers),
        });
        let told = told(&cluster);
        assert_eq!(told.iter().filter(|line| line.contains(message)).count(), found, "{told:?}");
    }
}

#[test]
fn options_of_pgbackrest_that_take_its_log_away_are_reported() {
    for (option, value, message) in [
        ("log-level-file", "off", Some("finds no log of pgBackRest")),
        ("log-timestamp", "n", Some("finds no times in the log of pgBackRest")),
        ("log-level-file", "info", None),
        ("log-timestamp", "y", None),
    ] {
        let mut cluster = cluster(&json!({}));
        cluster["spec"]["backups"]["pgbackrest"]["global"] = json!({option: value});
        let told = told(&cluster);
        let reported = message.is_some_and(|message| told.iter().any(|line| line.contains(message)));
        assert_eq!(reported, message.is_some(), "{told:?}");
        assert_eq!(told.len(), usize::from(reported), "{told:?}");
    }
}

#[test]
fn a_secret_in_the_spec_is_reported_and_not_repeated() {
    let exporters = json!({"otlphttp": {"endpoint": "http://there", "headers": {"Authorization": "Bearer hush"}}});
    let reported = told(&cluster(&json!({"config": {"exporters": exporters}, "logs": {"exporters": ["otlphttp"]}})));
    assert!(reported.iter().any(|line| line.contains("is written into a ConfigMap")), "{reported:?}");
    assert!(!reported.iter().any(|line| line.contains("hush")), "{reported:?}");
    let exporters =
        json!({"otlphttp": {"endpoint": "http://there", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}});
    let variable = json!({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}});
    let config = json!({"environmentVariables": [variable], "exporters": exporters});
    let told = told(&cluster(&json!({"config": config, "logs": {"exporters": ["otlphttp"]}})));
    assert_eq!(told, Vec::<String>::new());
}

/// Settings that change the configuration, each by itself and all together.
fn variants() -> Vec<Value> {
    let exporters = json!({
        "otlphttp/a": {
            "endpoint": "https://there",
            "headers": {"Authorization": "Bearer ${env:TOKEN}"},
            // docs/collector.md
            "retry_on_failure": {"max_elapsed_time": "0s"},
            "sending_queue": {"storage": "file_storage", "sizer": "bytes", "queue_size": 67_108_864},
        },
        "otlp": {"endpoint": "there:4317", "tls": {"insecure": true}},
        "debug": null,
        "prometheus": {"endpoint": "0.0.0.0:9999"},
    });
    let parts = [
        json!({}),
        json!({"config": {"exporters": exporters}, "logs": {"exporters": ["otlphttp/a", "otlp", "debug"]}}),
        json!({"config": {"exporters": exporters}, "metrics": {"exporters": ["prometheus", "otlp"]}}),
        json!({"config": {"detectors": [{"name": "env"}, {"name": "gcp", "attributes": {"k8s.cluster.name": true}}]}}),
        json!({"logs": {"batches": {"minRecords": 0, "maxDelay": "0"}, "retentionPeriod": "3 weeks"}}),
        json!({"logs": {"batches": {"minRecords": 10, "maxRecords": 20, "maxDelay": "PT 1 min"}}}),
        json!({"metrics": {"exporters": ["debug"], "customQueries": {"remove": ["ccp_locks_count", "pg_up"]}}}),
    ];
    let mut all = parts.to_vec();
    let mut together = json!({});
    for part in &parts {
        merge(&mut together, part);
    }
    all.push(together);
    all
}

fn merge(into: &mut Value, part: &Value) {
    match (into, part) {
        (Value::Object(into), Value::Object(part)) => {
            for (key, value) in part {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, part) => *into = part.clone(),
    }
}

/// The collector refuses unknown settings, unknown components and statements that are not right.
#[test]
#[ignore = "run it with make collector"]
fn the_collector_accepts_what_is_rendered() {
    let Some(collector) = program("otelcol-contrib") else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut texts = Vec::new();
    for (version, variant) in [17, 13, 14, 12].into_iter().cycle().zip(variants()) {
        let mut cluster = cluster(&variant);
        cluster["spec"]["postgresVersion"] = json!(version);
        let objects = objects(&cluster.to_string()).unwrap();
        texts.extend(CONFIG_MAPS.map(|config_map| configuration(&objects, config_map)));
    }
    for fixture in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap() {
        let Ok(golden) = fs::read_to_string(fixture.unwrap().path().join("objects.yaml")) else { continue };
        for document in read::documents("objects.yaml", &golden).unwrap() {
            let object = document.node.to_json();
            texts.extend(object["data"]["collector.yaml"].as_str().map(str::to_owned));
        }
    }
    assert!(texts.len() > 25, "{}", texts.len());
    for (number, text) in texts.into_iter().enumerate() {
        let file = directory.path().join(format!("{number}.yaml"));
        // The directory of the volume must exist.
        let text = text.replace("/var/lib/otelcol", &directory.path().to_string_lossy());
        let text = text.replace("/etc/otel-collector/ca.crt", "/dev/null");
        fs::write(&file, &text).unwrap();
        let mut validate = Command::new(&collector);
        validate.env("K8S_POD_NAMESPACE", "zoo").env("K8S_POD_NAME", "alpha-one-0");
        let output = run(validate.arg("validate").arg("--config").arg(&file));
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    }
}
