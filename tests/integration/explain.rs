//! Tests of `pgrender explain`: every field of the schema is explained, and every example is valid.

mod examples;

use std::fs;
use std::process::{Command, Output};

use pgrender::explain::{Effect, Explanation, FieldLine, json_schema};
use pgrender::postgres_cluster::explain::effects::EFFECTS;
use pgrender::postgres_cluster::explain::{explain, paths};
use serde_json::Value;

use crate::common::json_schema::assert_valid;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgrender")).arg("explain").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The message of a command that failed.
fn error(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_field_of_both_versions_is_explained() {
    let mut bad = Vec::new();
    for version in ["v1", "v1beta1"] {
        let paths = paths(version);
        assert!(paths.len() > 2_000, "{}", paths.len());
        // Most fields are Kubernetes', and each of them is below several of ours.
        for path in paths.iter().filter(|path| version == "v1" || path.matches('.').count() < 4) {
            let Explanation { type_name, description, path: explained, kind, .. } =
                explain(path, Some(version), false).unwrap();
            let is_sentence = description.trim().len() > 5;
            if explained != *path || type_name.is_empty() || !is_sentence || kind != "PostgresCluster" {
                bad.push(format!("{path} ({explained}): {type_name}, {description}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_whole_tree_has_every_field() {
    fn count(fields: &[FieldLine]) -> usize {
        fields.iter().map(|field| 1 + count(&field.fields)).sum()
    }
    let whole = explain("", Some("v1"), true).unwrap();
    let annotations = pgrender::postgres_cluster::explain::annotation_paths().len();
    // `status` is in the tree only, and the kind itself and the annotations are not.
    assert_eq!(count(&whole.fields), paths("v1").len() - annotations - 1 + 1);
    let text = text(&run(&["--recursive", "spec.users"]));
    assert!(text.contains("\n  password <Object>\n    type <string>"), "{text}");
}

#[test]
fn an_explanation_says_what_is_valid_and_what_happens() {
    let replicas = explain("spec.instances[0].replicas", None, false).unwrap();
    assert_eq!((replicas.type_name.as_str(), replicas.default), ("integer", Some(1.into())));
    assert_eq!(replicas.rules, ["at least 1"]);
    let Some(Effect::Changes(changes)) = replicas.effect.map(|effect| effect.effect) else { panic!() };
    let of_set = changes.iter().find(|change| change.objects == ["StatefulSet {cluster}-{set}"]).unwrap();
    assert!(of_set.fields.contains(&"spec.replicas".to_owned()), "{of_set:?}");
    let method = explain("spec.authentication.rules.method", None, false).unwrap();
    assert!(method.rules.iter().any(|rule| rule.contains("lets everybody connect")), "{:?}", method.rules);
    let instances = explain("spec.instances", Some("v1"), false).unwrap();
    assert!(instances.required && instances.rules.contains(&"1 to 16 items".to_owned()), "{:?}", instances.rules);
    let instances = explain("spec.instances", Some("v1beta1"), false).unwrap();
    assert!(instances.rules.contains(&"at least 1 item".to_owned()), "{:?}", instances.rules);
    for (path, expected) in [
        ("spec.userInterface.pgAdmin.image", "pgAdmin is not rendered yet"),
        ("spec.dataSource.volumes", "the cluster would start empty"),
    ] {
        let effect = explain(path, None, false).unwrap().effect.unwrap().effect;
        let (Effect::Warning(message) | Effect::Error(message)) = effect else { panic!("{path}") };
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_page_shows_what_is_printed() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/explain.md")).unwrap();
    let shown = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(text(&run(&["spec.instances.dataVolumeClaimSpec.storageClassName"])), shown);
}

#[test]
fn a_field_that_contains_others_names_their_objects_and_one_below_that_of_its_parent() {
    let effect = |path: &str| explain(path, None, false).unwrap().effect;
    assert!(effect("spec.instances").unwrap().at_run_time.is_none());
    let Some(Effect::Objects(objects)) = effect("spec.instances.volumes").map(|effect| effect.effect) else { panic!() };
    assert_eq!(objects, ["StatefulSet {cluster}-{set}"]);
    let below = effect("spec.instances.affinity.podAntiAffinity").unwrap();
    assert_eq!(below.field, "spec.instances[].affinity");
    assert!(effect("metadata.name").is_none());
    let parameter = effect("spec.config.parameters.work_mem").unwrap();
    assert!(parameter.field == "spec.config.parameters" && parameter.at_run_time.is_some());
}

#[test]
fn what_is_measured_is_a_field() {
    for path in EFFECTS.keys() {
        assert_eq!(&explain(path, None, false).unwrap().path, path);
    }
    assert!(EFFECTS.len() > 250, "{}", EFFECTS.len());
}

#[test]
fn an_unknown_path_is_an_error_that_names_the_nearest() {
    for (path, expected) in [
        ("spec.instnces", "unknown field `spec.instnces`: did you mean `spec.instances`?"),
        ("SPEC.Instances.Replicas", "did you mean `spec.instances[].replicas`?"),
        ("spec.instance.replica", "did you mean `spec.instances[].replicas`?"),
        ("instances", "did you mean `spec.instances`?"),
        ("spec.replicas", "`spec.instances[].replicas`"),
        ("spec.pgBouncer", "did you mean `spec.proxy.pgBouncer`?"),
        ("spec.users.name.first", "unknown field `spec.users.name.first`"),
        ("pgrender.dev/restore-dril", "did you mean `metadata.annotations[\"pgrender.dev/restore-drill\"]`?"),
        ("restore-drill", "did you mean `metadata.annotations[\"pgrender.dev/restore-drill\"]`?"),
        (
            "pgbackrest-backup",
            "did you mean `metadata.annotations[\"postgres-operator.crunchydata.com/pgbackrest-backup\"]`?",
        ),
        ("spec/users", "unknown field `spec/users`: did you mean `spec.users`?"),
        ("storageClass", ".dataVolumeClaimSpec.storageClassName`"),
        ("spec.qqqqqqqqqq", "run `pgrender explain --recursive`"),
        ("PgRender.spec.namespce", "did you mean `PgRender.spec.namespace`?"),
        ("spec[", "is not a path of a field"),
        ("v2.spec", "unknown field `v2.spec`"),
    ] {
        let message = error(&[path]);
        assert!(message.starts_with("error: ") && message.contains(expected), "{path}: {message}");
    }
    let output = run(&["--format", "json", "spec.instnces"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && json["error"].as_str().unwrap().contains("`spec.instances`"), "{json}");
    assert!(error(&["--api-version", "v2"]).contains("write one of `v1`, `v1beta1`"));
}

#[test]
fn json_is_valid_for_its_schema() {
    let values =
        ["", "spec.instances", "spec.image", "spec.userInterface", "spec.dataSource.volumes", "PgRender", "spec.zzz"];
    let values = values.map(|path| serde_json::from_slice(&run(&["--format", "json", path]).stdout).unwrap());
    assert_valid(&json_schema(), &values);
}

#[test]
fn the_forms_of_the_output_say_the_same() {
    for path in ["spec.instances.minAvailable", "pgrender.dev/rotate-password.hippo", "PgRender.spec.certificates", ""]
    {
        let plain = run(&[path]);
        assert!(plain.status.success() && plain.stderr.is_empty(), "{path}");
        let plain = text(&plain);
        assert!(!plain.contains('\u{1b}'), "colours are only for a terminal: {plain}");
        let json: Value = serde_json::from_slice(&run(&["--format", "json", path]).stdout).unwrap();
        for field in ["kind", "apiVersion", "path", "type"] {
            assert!(plain.contains(json[field].as_str().unwrap()), "{path}: {field}: {plain}");
        }
    }
    let version = text(&run(&["postgresclusters.v1beta1.postgres-operator.crunchydata.com.spec.port"]));
    assert!(version.contains("VERSION: postgres-operator.crunchydata.com/v1beta1\n"), "{version}");
    assert!(version.contains("spec.port <integer>, default 5432"), "{version}");
}

/// A program that reads the list gets whole sentences.
#[test]
fn sentences_are_cut_only_on_a_terminal() {
    for path in ["spec", "spec.instances", "spec.backups.pgbackrest", "metadata.annotations"] {
        let text = text(&run(&[path]));
        assert!(text.lines().all(|line| !line.ends_with('…')), "{text}");
    }
}
