//! Tests how the tools that apply manifests treat the output: Flux's variable substitution leaves every object unchanged, and
//! annotations and labels of a `PostgresCluster` for these tools are on the objects that the tools read.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pgrender::diagnostic::{Diagnostic, Severity};
use pgrender::identity::Seed;
use pgrender::read;
use pgrender::render::render;
use pgrender::write::yaml;
use serde_json::{Value, json};

use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects, options};

const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// A cluster with pgBouncer and backups, with `metadata` in addition to its name.
fn cluster(metadata: &Value, spec: &Value) -> String {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "app", "namespace": "example"},
        "spec": {
            "postgresVersion": 17,
            "instances": [{"name": "one", "replicas": 2, "dataVolumeClaimSpec": claim}],
            "proxy": {"pgBouncer": {}},
            "backups": {"pgbackrest": {"repos": [
                {"name": "repo1", "schedules": {"full": "0 1 * * 0"}, "volume": {"volumeClaimSpec": claim}},
            ]}},
        },
    });
    for (part, more) in [("metadata", metadata), ("spec", spec)] {
        for (key, value) in more.as_object().unwrap() {
            cluster[part][key] = value.clone();
        }
    }
    cluster.to_string()
}

fn annotated(annotations: &Value) -> String {
    cluster(&json!({"annotations": annotations}), &json!({}))
}

/// Returns Flux's result for each text, or why it fails.
fn substituted(go: &Path, texts: &[String]) -> Vec<Value> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/envsubst");
    let mut child = Command::new(go)
        .args(["-C", program, "run", "."])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(json!(texts).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice::<Value>(&output.stdout).unwrap().as_array().unwrap().clone()
}

#[test]
fn flux_leaves_every_object_as_it_was_rendered() {
    let Some(go) = crate::common::tools::program("go") else { return };
    let mut texts: Vec<String> = fixtures().into_iter().map(|(_, text)| text).collect();
    // Text of the user on every object and on one object, and a dollar sign without a special meaning.
    for text in ["$$b", "$b} {"] {
        texts.push(cluster(&json!({}), &json!({"metadata": {"annotations": {"a": text}}})));
        texts.push(cluster(&json!({}), &json!({"config": {"parameters": {"log_line_prefix": text}}})));
    }
    let mut objects: Vec<Value> = texts.iter().flat_map(|text| objects(text).unwrap()).collect();
    let marked: Vec<bool> = objects
        .iter_mut()
        .map(|object| {
            let annotations = object["metadata"]["annotations"].as_object_mut();
            annotations.and_then(|annotations| annotations.remove(SUBSTITUTE)) == Some(json!("disabled"))
        })
        .collect();
    let yaml: Vec<String> = objects.iter().map(yaml::to_string).collect();
    for (((object, marked), text), result) in objects.iter().zip(&marked).zip(&yaml).zip(substituted(&go, &yaml)) {
        let changed = result["error"] != "" || result["text"] != *text;
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        assert_eq!(*marked, changed, "{name}: {result}");
    }
    let count = marked.iter().filter(|marked| **marked).count();
    assert!(count > 0 && count < objects.len() / 2, "{count} of {}", objects.len());
}

/// Collects the metadata of every pod and pod template.
fn pod_metadata(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "template" || key == "jobTemplate" {
                    found.push(value["metadata"].clone());
                }
                pod_metadata(value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                pod_metadata(item, found);
            }
        }
        _ => {}
    }
}

fn pods(objects: &[Value]) -> Vec<Value> {
    let mut found = Vec::new();
    for object in objects {
        pod_metadata(object, &mut found);
    }
    assert!(found.len() >= 5, "{found:?}");
    found
}

#[test]
fn what_the_tools_heed_is_on_every_object_and_on_no_pod() {
    let annotations = json!({
        "argocd.argoproj.io/sync-wave": "1",
        "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
        "kustomize.toolkit.fluxcd.io/ssa": "merge",
        "helm.sh/resource-policy": "keep",
        "config.kubernetes.io/depends-on": "/namespaces/example/ConfigMap/first",
        "example.com/mine": "stays",
    });
    let plain = objects(&annotated(&json!({}))).unwrap();
    let labels = json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "example.com/mine": "stays"});
    let told = objects(&cluster(&json!({"annotations": annotations, "labels": labels}), &json!({}))).unwrap();
    assert_eq!(plain.len(), told.len());
    for object in &told {
        for (key, value) in annotations.as_object().unwrap().iter().filter(|(key, _)| *key != "example.com/mine") {
            assert_eq!(object["metadata"]["annotations"][key], *value, "{}", object["kind"]);
        }
        assert!(object["metadata"]["annotations"].get("example.com/mine").is_none());
        assert_eq!(object["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/reconcile"], "disabled");
        assert!(object["metadata"]["labels"].get("example.com/mine").is_none());
    }
    assert_eq!(pods(&plain), pods(&told), "pods would restart");
    assert_eq!(
        plain.iter().map(|object| &object["spec"]).collect::<Vec<_>>(),
        told.iter().map(|object| &object["spec"]).collect::<Vec<_>>()
    );
}

#[test]
fn what_the_spec_says_of_objects_goes_before() {
    let text = cluster(
        &json!({"annotations": {"argocd.argoproj.io/sync-wave": "1"}}),
        &json!({"metadata": {"annotations": {"argocd.argoproj.io/sync-wave": "2"}}}),
    );
    for object in objects(&text).unwrap() {
        assert_eq!(object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"], "2");
    }
}

#[test]
fn a_claim_is_kept_whatever_is_said() {
    let annotations = json!({
        "argocd.argoproj.io/sync-options": "Prune=true, Delete=true,ServerSideApply=true,Replace=true,Force=true,PruneLast=true",
        "kustomize.toolkit.fluxcd.io/prune": "enabled",
        "cli-utils.sigs.k8s.io/on-remove": "delete",
    });
    for object in objects(&annotated(&annotations)).unwrap() {
        let annotations = &object["metadata"]["annotations"];
        let options = &annotations["argocd.argoproj.io/sync-options"];
        if object["kind"] == "PersistentVolumeClaim" {
            assert_eq!(options, "Prune=false,Delete=false,ServerSideApply=true,PruneLast=true");
            assert_eq!(annotations["kustomize.toolkit.fluxcd.io/prune"], "disabled");
            assert_eq!(annotations["cli-utils.sigs.k8s.io/on-remove"], "keep");
        } else {
            assert_eq!(options, "Prune=true,Delete=true,ServerSideApply=true,PruneLast=true");
        }
    }
    // Without annotations of the user, only those of pgrender.
    let claims = objects(&annotated(&json!({}))).unwrap();
    let claim = claims.iter().find(|object| object["kind"] == "PersistentVolumeClaim").unwrap();
    assert_eq!(claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"], "Prune=false,Delete=false");
}

/// Returns what is reported about the metadata of the cluster itself.
fn told(text: &str) -> Vec<(Severity, String)> {
    told_below(text, "metadata.")
}

/// Returns what is reported about fields that begin with `path`.
fn told_below(text: &str, path: &str) -> Vec<(Severity, String)> {
    let documents = read::documents("cluster.yaml", text).unwrap();
    let seed = Seed::new(SEED.as_bytes()).ok().unwrap();
    let diagnostics = render(&documents, &options(), Ok(&seed)).diagnostics;
    let field = |diagnostic: &Diagnostic| diagnostic.field.as_ref().map(ToString::to_string).unwrap_or_default();
    let about = diagnostics.into_iter().filter(|diagnostic| field(diagnostic).starts_with(path));
    about.map(|diagnostic| (diagnostic.severity, diagnostic.to_string())).collect()
}

#[test]
fn what_is_not_carried_over_is_told() {
    for key in [
        "argocd.argoproj.io/hook",
        "argocd.argoproj.io/hook-delete-policy",
        "argocd.argoproj.io/snyc-wave",
        "helm.sh/hook",
        "helm.sh/hook-weight",
        "helm.toolkit.fluxcd.io/driftDetection",
        "kapp.k14s.io/update-strategy",
        "kustomize.toolkit.fluxcd.io/force",
    ] {
        let text = annotated(&json!({key: "a"}));
        let lines = told(&text);
        assert!(lines.len() == 1 && lines[0].0 == Severity::Warning && lines[0].1.contains(key), "{key}: {lines:?}");
        assert!(!objects(&text).unwrap().iter().any(|object| object.to_string().contains(key)), "{key}");
    }
    let lines = told(&annotated(&json!({"argocd.argoproj.io/sync-options": "Force=true,Replace=true"})));
    assert!(lines.len() == 1 && lines[0].1.contains("`Force=true,Replace=true`"), "{lines:?}");
    // Argo CD does not read labels.
    let lines = told(&cluster(&json!({"labels": {"argocd.argoproj.io/sync-wave": "1"}}), &json!({})));
    assert!(lines.len() == 1 && lines[0].0 == Severity::Warning, "{lines:?}");
}

#[test]
fn what_no_tool_heeds_is_told_with_what_was_meant() {
    for (key, value, words) in [
        ("argocd.argoproj.io/sync-waves", "1", "did you mean `argocd.argoproj.io/sync-wave`?"),
        ("argocd.argoproj.io/snyc-option", "Prune=false", "did you mean `argocd.argoproj.io/sync-options`?"),
        ("kustomize.toolkit.fluxcd.io/reconciles", "disabled", "did you mean `kustomize.toolkit.fluxcd.io/reconcile`?"),
        ("helm.sh/resources-policy", "keep", "did you mean `helm.sh/resource-policy`?"),
        ("argocd.argoproj.io/sync-wave", "first", "`first` is not a whole number, so Argo CD uses `0`"),
        ("argocd.argoproj.io/sync-wave", "1.5", "is not a whole number"),
        ("kustomize.toolkit.fluxcd.io/prune", "false", "write `disabled`"),
        ("kustomize.toolkit.fluxcd.io/ssa", "skip", "`IfNotPresent`"),
        ("helm.sh/resource-policy", "delete", "write `keep`"),
        ("client.lifecycle.config.k8s.io/deletion", "keep", "write `detach`"),
    ] {
        let annotations = json!({"annotations": {key: value}});
        for text in [annotated(&annotations["annotations"]), cluster(&json!({}), &json!({"metadata": annotations}))] {
            let lines = told_below(&text, "");
            let lines: Vec<_> = lines.iter().filter(|(severity, _)| *severity != Severity::Info).collect();
            assert!(lines.len() == 1 && lines[0].0 == Severity::Warning, "{key}: {lines:?}");
            assert!(lines[0].1.contains(words), "{key}: {lines:?}");
        }
    }
    for (key, value) in [
        ("argocd.argoproj.io/sync-wave", "-5"),
        ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"),
        ("kustomize.toolkit.fluxcd.io/prune", "Disabled"),
        ("kustomize.toolkit.fluxcd.io/labels-of-mine", "a"),
    ] {
        let spec = json!({"metadata": {"annotations": {key: value}}});
        assert_eq!(told_below(&cluster(&json!({}), &spec), "spec."), [], "{key}");
    }
}

/// Each field of the spec whose metadata is copied to objects.
const PLACES: [&str; 6] = [
    "/metadata",
    "/instances/0/metadata",
    "/proxy/pgBouncer/metadata",
    "/backups/pgbackrest/metadata",
    "/service/metadata",
    "/proxy/pgBouncer/service/metadata",
];

#[test]
fn what_would_delete_data_is_on_nothing_wherever_it_stands() {
    let mut value: Value = serde_json::from_str(&cluster(&json!({}), &json!({"service": {}}))).unwrap();
    let clean = value.clone();
    for place in PLACES {
        for (field, key) in [
            ("annotations", "argocd.argoproj.io/hook"),
            ("annotations", "helm.sh/hook"),
            ("annotations", "kapp.k14s.io/update-strategy"),
            ("annotations", "kustomize.toolkit.fluxcd.io/force"),
            ("labels", "kustomize.toolkit.fluxcd.io/force"),
        ] {
            value.clone_from(&clean);
            set(&mut value["spec"], place, &json!({field: {key: "enabled", "example.com/a": "b"}}));
            let text = value.to_string();
            let lines = told_below(&text, "spec.");
            assert!(
                lines.len() == 1 && lines[0].0 == Severity::Warning && lines[0].1.contains(key),
                "{place}: {lines:?}"
            );
            let objects = json!(objects(&text).unwrap()).to_string();
            assert!(
                !objects.contains(&format!("{key}\":\"enabled")) && objects.contains("example.com/a"),
                "{place} {key}"
            );
        }
        value.clone_from(&clean);
        let options = json!({"argocd.argoproj.io/sync-options": "Replace=true,PruneLast=true,Force=true"});
        set(&mut value["spec"], place, &json!({"annotations": options}));
        let text = value.to_string();
        assert!(told_below(&text, "spec.")[0].1.contains("`Replace=true,Force=true`"), "{place}");
        let objects = json!(objects(&text).unwrap()).to_string();
        assert!(!objects.contains("Replace=true") && objects.contains("PruneLast=true"), "{place}");
    }
}

#[test]
fn what_the_cluster_reads_itself_is_told_elsewhere() {
    let mut value: Value = serde_json::from_str(&cluster(&json!({}), &json!({"service": {}}))).unwrap();
    let clean = value.clone();
    for place in PLACES {
        for (field, key, severity) in [
            ("annotations", "pgrender.dev/rotate-ca", Severity::Error),
            ("labels", "pgrender.dev/rotate-ca", Severity::Error),
            ("annotations", "postgres-operator.crunchydata.com/pgbackrest-ip-version", Severity::Warning),
            ("annotations", "postgres-operator.crunchydata.com/pgbackrest-backups", Severity::Warning),
        ] {
            value.clone_from(&clean);
            set(&mut value["spec"], place, &json!({field: {key: "2"}}));
            let lines = told_below(&value.to_string(), "spec.");
            assert!(lines.len() == 1 && lines[0].0 == severity, "{place}: {lines:?}");
            assert!(lines[0].1.contains("below `metadata.annotations`"), "{place}: {lines:?}");
        }
    }
    let domain = "postgres-operator.crunchydata.com";
    for (key, value, says) in [
        ("pgbackrest-ipversion", "IPv6", "did you mean `postgres-operator.crunchydata.com/pgbackrest-ip-version`?"),
        ("pgbackrest-backups", "a", "did you mean `postgres-operator.crunchydata.com/pgbackrest-backup`?"),
        ("autocreateuserschema", "true", "did you mean `postgres-operator.crunchydata.com/autoCreateUserSchema`?"),
        ("nothing-like-it", "true", "PGO does not have this annotation"),
        ("pgbackrest-ip-version", "IPv7", "write `IPv4` or `IPv6`"),
        ("autoCreateUserSchema", "yes", "write `\"true\"`"),
    ] {
        let lines = told(&annotated(&json!({format!("{domain}/{key}"): value})));
        assert!(lines.len() == 1 && lines[0].0 == Severity::Warning && lines[0].1.contains(says), "{key}: {lines:?}");
    }
    // PGO accepts it in any case.
    for value in ["True", "true", "false"] {
        assert_eq!(told(&annotated(&json!({format!("{domain}/autoCreateUserSchema"): value}))), []);
    }
    let lines = told(&cluster(&json!({"labels": {"pgrender.dev/rotate-ca": "2"}}), &json!({})));
    assert!(lines.len() == 1 && lines[0].0 == Severity::Error, "{lines:?}");
}

/// Sets the value at a JSON pointer, whose last key may be new.
fn set(value: &mut Value, pointer: &str, what: &Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = if let Some(before) = parent.strip_suffix("/service").filter(|_| value.pointer(parent).is_none()) {
        &mut value.pointer_mut(before).unwrap()["service"]
    } else {
        value.pointer_mut(parent).unwrap()
    };
    parent[key] = what.clone();
}

#[test]
fn what_the_tools_wrote_themselves_is_left_out_in_silence() {
    let annotations = json!({
        "argocd.argoproj.io/tracking-id": "app:postgres-operator.crunchydata.com/PostgresCluster:example/app",
        "meta.helm.sh/release-name": "app",
        "meta.helm.sh/release-namespace": "example",
    });
    let labels = json!({
        "argocd.argoproj.io/instance": "app",
        "helm.sh/chart": "app-1",
        "kustomize.toolkit.fluxcd.io/name": "app",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    });
    let text = cluster(&json!({"annotations": annotations, "labels": labels}), &json!({}));
    assert_eq!(told(&text), []);
    assert_eq!(objects(&text).unwrap(), objects(&annotated(&json!({}))).unwrap());
}
