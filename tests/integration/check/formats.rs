//! Each format is what its reader accepts, whatever is wrong with the input.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{GOOD, errors, run};
use crate::common::tools;

/// Returns what a JSON schema says about documents; `None` if Python is not available.
fn complaints(schema: &Path, documents: &[Value]) -> Option<String> {
    let python = tools::python("jsonschema")?;
    let mut child = Command::new(python)
        .args(["-B", "tests/integration/common/json_schema.py"])
        .arg(schema)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = documents.iter().map(|document| format!("{document}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.concat().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Returns what a check prints in a format for good and for bad input: broken files, files that cannot be read, and no file.
fn outputs(format: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for (name, bytes) in [
        ("good.yaml", GOOD.as_bytes()),
        ("bytes.yaml", b"a: \xff\n"),
        ("broken yaml #1.yaml", b"a: [\nb: '\n"),
        ("control.yaml", b"a: \x1b[2J\n"),
        ("text.yaml", b"just a text\n"),
        ("empty.yaml", b""),
    ] {
        fs::write(path.join(name), bytes).unwrap();
    }
    fs::create_dir(path.join("empty")).unwrap();
    let check = |arguments: &[&str], directory: &Path, variables: &[(&str, &str)]| {
        let output = run(&[&["check", "--format", format], arguments].concat(), directory, variables, "");
        assert!(output.code < 2 && output.stderr.is_empty(), "{arguments:?} {}", output.stderr);
        let value: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        (output.code, value)
    };
    let mut all = vec![check(&["good.yaml"], path, &[])];
    assert_eq!(all[0].0, 0);
    for arguments in [
        &["bytes.yaml"][..],
        &["broken yaml #1.yaml", "control.yaml", "good.yaml"],
        &["text.yaml"],
        &["empty.yaml"],
        &["empty"],
        &["nowhere", "good.yaml"],
        &["--existing", "nowhere", "good.yaml"],
        &["--existing", "-"],
        &["."],
        &[],
    ] {
        all.push(check(arguments, path, &[]));
    }
    all.push(check(&["good.yaml"], path, &[("PGRENDER_OPENSHIFT", "perhaps")]));
    all.extend(errors().iter().map(|case| check(&["cluster.yaml"], case, &[])));
    all.into_iter().map(|(_, value)| value).collect()
}

#[test]
fn the_json_is_that_of_its_schema() {
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema.json");
    fs::write(&schema, run(&["schema", "--of", "check"], Path::new("/"), &[], "").stdout).unwrap();
    let mut outputs = outputs("json");
    assert_eq!(complaints(&schema, &outputs).unwrap_or_default(), "");
    for (at, wrong) in [
        ("/version", Value::from(2)),
        ("/findings", Value::Null),
        ("/summary/errors", Value::from("1")),
        ("/findings/0/severity", Value::from("fatal")),
        ("/findings/0/line", Value::from(0)),
    ] {
        let mut changed = outputs[1].clone();
        *changed.pointer_mut(at).unwrap() = wrong;
        assert!(complaints(&schema, &[changed]).is_none_or(|said| !said.is_empty()), "{at}");
    }
    // A key that is missing is a fault, so readers can rely on each.
    outputs[1]["findings"][0].as_object_mut().unwrap().remove("field");
    assert!(complaints(&schema, &outputs[1..2]).is_none_or(|said| said.contains("'field' is a required property")));
}

#[test]
fn good_input_has_an_empty_list_of_findings() {
    let output = run(&["check", "--format=json"], Path::new("/"), &[], GOOD);
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    let summary = serde_json::json!({"errors": 0, "warnings": 0, "infos": 0, "clusters": 1, "files": 1});
    assert_eq!(value, serde_json::json!({"version": 1, "findings": [], "summary": summary}));
}

#[test]
fn the_sarif_is_that_of_the_standard() {
    let outputs = outputs("sarif");
    for output in &outputs {
        let run = &output["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in run["results"].as_array().unwrap() {
            // What GitHub's code scanning asks for besides the schema.
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            assert!(!uri.is_empty() && uri.is_ascii() && !uri.contains([' ', '#', '<']), "{uri}");
            assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
            assert!(!result["partialFingerprints"].as_object().unwrap().is_empty());
        }
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/sarif/sarif-2.1.0.json");
    if !tools::is_there("the schema of SARIF", &schema) {
        return;
    }
    assert_eq!(complaints(&schema, &outputs).unwrap_or_default(), "");
    let mut changed = outputs[1].clone();
    changed["runs"][0]["results"][0]["level"] = Value::from("fatal");
    assert!(complaints(&schema, &[changed]).is_none_or(|said| said.contains("fatal")));
}

#[test]
fn a_fingerprint_stays_when_lines_move() {
    let fingerprints = |text: &str| {
        let output = run(&["check", "--format", "sarif"], Path::new("/"), &[], text);
        let log: Value = serde_json::from_str(&output.stdout).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["partialFingerprints"].clone()).collect::<Vec<_>>()
    };
    let bad = GOOD.replace("  postgresVersion: 17\n", "  postgresVersion: 17\n  prot: 1\n  instancez: []\n");
    let before = fingerprints(&bad);
    assert_eq!(before.len(), 2);
    assert_ne!(before[0], before[1]);
    assert_eq!(before, fingerprints(&format!("# A comment.\n\n{bad}")));
}

#[test]
fn every_finding_is_one_workflow_command() {
    for case in errors() {
        let json = run(&["check", "--format=json", "cluster.yaml"], &case, &[], "");
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        let output = run(&["check", "--format=github", "cluster.yaml"], &case, &[], "");
        let lines: Vec<&str> = output.stdout.lines().collect();
        let (summary, commands) = lines.split_last().unwrap();
        assert_eq!(commands.len(), json["findings"].as_array().unwrap().len(), "{}", case.display());
        for line in commands {
            let command = ["::error", "::warning", "::notice"].iter().find_map(|name| line.strip_prefix(name)).unwrap();
            let (properties, message) = command.split_once("::").unwrap();
            assert!(!message.is_empty(), "{line}");
            for property in properties.trim_start().split(',').filter(|property| !property.is_empty()) {
                let (name, _) = property.split_once('=').unwrap_or_else(|| panic!("{line}"));
                assert!(["file", "line", "col", "title"].contains(&name), "{line}");
            }
        }
        assert!(!summary.starts_with("::"), "{summary}");
    }
}
