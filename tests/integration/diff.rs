//! Tests what `pgrender diff` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgrender::diff::effect::EffectKind;
use pgrender::diff::role::Role;
use pgrender::diff::table::{self, RULES};
use serde::Deserialize;
use serde_json::{Value, json};
use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

mod inputs;
mod manifests;
mod revisions;

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
        assert!(!errors.contains(": error:"), "{name}: {errors}");
        assert!(!text(&output.stdout).contains("hunter2"), "{name}");
        let warnings: String = errors
            .lines()
            .filter_map(|line| line.split_once("warning: "))
            .map(|(_, text)| format!("warning: {text}\n"))
            .collect();
        let actual = format!("exit code {}\n{warnings}\n{}", output.status.code().unwrap(), text(&output.stdout));
        let golden = self::directory().join(format!("{name}.txt"));
        let expected = Data::read_from(&golden, Some(DataFormat::Text));
        if let Err(error) = assert.try_eq(Some(name), Data::text(actual).raw(), expected.raw()) {
            failures.push(error.to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_effect_has_a_case() {
    let Cases { base, cases } = cases();
    let mut seen = BTreeSet::new();
    for case in cases.values() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &base, case);
        let output = diff(directory.path(), &["--format", "json", "old.yaml", "new.yaml"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let effects =
            report["clusters"].as_array().unwrap().iter().flat_map(|cluster| cluster["effects"].as_array().unwrap());
        seen.extend(effects.map(|effect| effect["effect"].as_str().unwrap().to_owned()));
    }
    // `manifests.rs` has these, and what is derived from other fields is not told.
    seen.extend(["caretaker-changes", "derived", "network-policy-changes", "volume-deleted"].map(str::to_owned));
    let missing: Vec<String> =
        EffectKind::ALL.iter().map(|kind| word(*kind)).filter(|word| !seen.contains(word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The name of an effect in JSON.
fn word(kind: EffectKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
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

/// The text between two lines of a page, and the page.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> (usize, &'a str) {
    let start = page.find(begin).unwrap() + begin.len();
    (start, &page[start..start + page[start..].find(end).unwrap()])
}

#[test]
fn the_page_has_the_table_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diff.md");
    let words = |kinds: Vec<EffectKind>| {
        kinds.into_iter().map(|kind| format!("`{}`", word(kind))).collect::<Vec<_>>().join(", ")
    };
    let mut rows = String::from("| object | field | effect |\n| --- | --- | --- |\n");
    for role in Role::ALL {
        let created = word(table::created(*role));
        let mut gone = vec![table::removed(*role, true), table::removed(*role, false)];
        gone.dedup();
        writeln!(rows, "| {} | is new | `{created}` |", role.words()).unwrap();
        writeln!(rows, "| | is gone | {} |", words(gone)).unwrap();
        for rule in RULES.iter().filter(|rule| rule.role == *role) {
            let field = match rule.field {
                "**" => "anything else".to_owned(),
                field => format!("`{}`", field.trim_end_matches(" **").replace(' ', " › ")),
            };
            writeln!(rows, "| | {field} | {} |", words(rule.verdict.possible())).unwrap();
        }
    }
    let mut effects = String::from("| effect | word | meaning |\n| --- | --- | --- |\n");
    for kind in EffectKind::ALL {
        let consequence = serde_json::to_value(kind.consequence()).unwrap();
        writeln!(effects, "| `{}` | {} | {} |", word(*kind), consequence.as_str().unwrap(), kind.description())
            .unwrap();
    }
    let mut page = fs::read_to_string(&path).unwrap();
    let parts = [
        ("<!-- begin: tests/integration/diff.rs writes this table -->\n", "<!-- end -->", rows),
        ("<!-- begin: tests/integration/diff.rs writes the effects -->\n", "<!-- end of the effects -->", effects),
    ];
    for (begin, end, expected) in parts {
        let (start, found) = between(&page, begin, end);
        if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
            let length = found.len();
            page.replace_range(start..start + length, &expected);
            fs::write(&path, &page).unwrap();
        } else {
            assert_eq!(found, expected);
        }
    }
}
