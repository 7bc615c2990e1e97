//! Validates custom resources with the schemas of their CRDs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Returns what the schemas in a file of `fixtures/crds` report for resources; `None` if Python is not available.
pub(crate) fn complaints(schemas: &str, resources: &[&Value]) -> Option<String> {
    super::tools::program("python3").map(|python| validate(&python, schemas, resources))
}

fn validate(python: &Path, schemas: &str, resources: &[&Value]) -> String {
    let mut child = Command::new(python)
        .args(["-B", "tests/integration/common/validate.py", &format!("fixtures/crds/{schemas}")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = resources.iter().map(|resource| format!("{resource}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.concat().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
