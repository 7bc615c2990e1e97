//! Validates what the program prints as JSON with the schema that the program has for it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = "\
import json, sys, jsonschema
given = json.load(sys.stdin)
validator = jsonschema.Draft202012Validator(given['schema'])
for value in given['values']:
    for error in validator.iter_errors(value):
        print(error.json_path, error.message[:300])
";

/// Asserts that all values are valid. Without Python nothing is checked.
pub(crate) fn assert_valid(schema: &Value, values: &[Value]) {
    let Some(python) = super::tools::program("python3") else { return };
    let mut child =
        Command::new(python).args(["-B", "-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!({"schema": schema, "values": values}).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
}
