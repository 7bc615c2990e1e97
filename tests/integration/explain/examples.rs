//! Every example is a part of a cluster that is rendered without an error.

use pgrender::diagnostic::{Severity, has_errors};
use pgrender::explain::Effect;
use pgrender::identity::Seed;
use pgrender::postgres_cluster::explain::effects::EFFECTS;
use pgrender::postgres_cluster::explain::examples::CLUSTERS;
use pgrender::postgres_cluster::explain::explain;
use pgrender::read;
use pgrender::render::render;
use serde_json::{Value, json};

use crate::common::rendering::{SEED, options};

/// The messages about a cluster.
fn told(cluster: &Value) -> Vec<String> {
    let documents = read::documents("cluster.json", &cluster.to_string()).unwrap();
    let seed = Seed::new(SEED.as_bytes()).ok().unwrap();
    let rendered = render(&documents, &options(), Ok(&seed));
    assert!(has_errors(&rendered.diagnostics) || !rendered.resources[0].objects.is_empty());
    let told = rendered.diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Info);
    told.map(ToString::to_string).collect()
}

/// Sets the fields of an example in a cluster. An item of a list replaces the one with the same name.
fn merge(cluster: &mut Value, example: &Value) {
    match (cluster, example) {
        (Value::Object(fields), Value::Object(example)) => {
            for (name, value) in example {
                merge(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(example)) => {
            for value in example {
                match items.iter_mut().find(|item| item["name"] == value["name"] && !item["name"].is_null()) {
                    Some(item) => merge(item, value),
                    None => items.push(value.clone()),
                }
            }
        }
        (place, example) => *place = example.clone(),
    }
}

/// A small cluster that an example becomes a part of.
fn small(example: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    // A volume can be bound to the claim of only one instance.
    let replicas = if example.to_string().contains("volumeName") { 1 } else { 2 };
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "postgres"},
        "spec": {
            "postgresVersion": 18,
            "instances": [{"name": "instance1", "replicas": replicas, "dataVolumeClaimSpec": claim}],
            "backups": {"pgbackrest": {"repos": [{"name": "repo1"}]}},
        },
    });
    let repository = &example["spec"]["backups"]["pgbackrest"]["repos"][0];
    let is_first = repository["name"] == "repo1";
    if !(is_first && ["s3", "gcs", "azure"].iter().any(|storage| !repository[storage].is_null())) {
        cluster["spec"]["backups"]["pgbackrest"]["repos"][0]["volume"] = json!({"volumeClaimSpec": claim});
    }
    cluster
}

#[test]
fn the_clusters_of_the_examples_are_rendered() {
    for cluster in CLUSTERS.iter() {
        let told = told(cluster);
        assert!(told.iter().all(|line| !line.contains("error: ")), "{told:#?}");
    }
}

#[test]
fn every_field_that_acts_has_an_example_that_is_valid() {
    let mut bad = Vec::new();
    let acting = EFFECTS.iter().filter(|(_, effect)| matches!(effect, Effect::Changes(_)));
    for (path, _) in acting {
        let Some(example) = explain(path, None, false).unwrap().example else {
            bad.push(format!("{path} has no example"));
            continue;
        };
        let example = read::documents("example.yaml", &example).unwrap()[0].node.to_json();
        let mut cluster = small(&example);
        merge(&mut cluster, &example);
        let told = told(&cluster);
        let wrong: Vec<_> =
            told.iter().filter(|line| line.contains("error: ") || line.contains("has no effect")).collect();
        if !wrong.is_empty() {
            bad.push(format!("{path}: {wrong:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
