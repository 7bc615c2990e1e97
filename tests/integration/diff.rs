//! Tests what `pgrender diff` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::{Value, json};
use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

mod inputs;
mod manifests;

/// `fixtures/diff/cases.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    base: Value,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default = "nothing")]
    old: Value,
    new: Value,
}

fn nothing() -> Value {
    json!({})
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/diff")
}

fn cases() -> Cases {
    serde_saphyr::from_str(&fs::read_to_string(directory().join("cases.yaml")).unwrap()).unwrap()
}

/// A JSON merge patch (RFC 7386).
fn patched(mut target: Value, patch: &Value) -> Value {
    let Some(fields) = patch.as_object() else { return patch.clone() };
    if !target.is_object() {
        target = json!({});
    }
    for (key, value) in fields {
        let object = target.as_object_mut().unwrap();
        if value.is_null() {
            object.remove(key);
        } else {
            let before = object.get(key).cloned().unwrap_or(Value::Null);
            object.insert(key.clone(), patched(before, value));
        }
    }
    target
}

/// Runs `pgrender diff` in `directory`.
fn diff(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgrender"))
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .args(["diff", "--time", "2026-11-24T00:00:00Z"])
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes both inputs of a case into `directory`.
fn write(directory: &Path, base: &Value, case: &Case) {
    for (name, patch) in [("old.yaml", &case.old), ("new.yaml", &case.new)] {
        let content = if patch.is_null() { String::new() } else { patched(base.clone(), patch).to_string() };
        fs::write(directory.join(name), content).unwrap();
    }
}

#[test]
fn every_case_has_its_effects() {
    let assert = Assert::new().action_env("SNAPSHOTS");
    let Cases { base, cases } = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut failures = Vec::new();
    for (name, case) in &cases {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &base, case);
        let output = diff(directory.path(), &["--exit-code", "--fields", "old.yaml", "new.yaml"]);
        let errors = text(&output.stderr);
        assert!(errors.is_empty(), "{name}: {errors}");
        let actual = format!("exit code {}\n\n{}", output.status.code().unwrap(), text(&output.stdout));
        let golden = self::directory().join(format!("{name}.txt"));
        let expected = Data::read_from(&golden, Some(DataFormat::Text));
        if let Err(error) = assert.try_eq(Some(name), Data::text(actual).raw(), expected.raw()) {
            failures.push(error.to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn no_golden_is_left_over() {
    let cases = cases().cases;
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_golden = path.extension().is_some_and(|extension| extension == "txt");
        assert!(!is_golden || cases.contains_key(&name), "{name}");
    }
}
