//! Runs the caretaker's own tests, which are Python like the program; what it does to a cluster is in `e2e`.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests run real tools with files and environment")]

use std::process::Command;

#[test]
fn the_program_passes_its_tests() {
    let mut python = Command::new("python3");
    python.args(["-B", "-m", "unittest", "discover", "--start-directory", "tests/caretaker"]);
    let output = python.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
