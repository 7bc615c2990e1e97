//! Runs the caretaker's own tests, which are written in Python like the caretaker. Its effects on a cluster are tested in
//! `e2e`.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests run real tools with files and environment")]

#[path = "integration/common/rendering.rs"]
mod rendering;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::{Captures, Regex};

/// The files that pods of the first version mount.
const FIRST: [&str; 10] = [
    "backups.py",
    "caretaker.json",
    "caretaker.py",
    "credentials.py",
    "databases.py",
    "members.py",
    "pod.py",
    "pre_start.py",
    "pre_stop.py",
    "surroundings.py",
];

#[test]
fn the_program_passes_its_tests() {
    let mut python = Command::new("python3");
    python.args(["-B", "-m", "unittest", "discover", "--start-directory", "tests/caretaker"]);
    let output = python.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_pod_of_the_first_version_runs_the_program_of_this_one() {
    let text = include_str!("../fixtures/hippo/cluster.yaml");
    let objects = rendering::objects(text).unwrap();
    let is_program = |object: &&serde_json::Value| {
        object["kind"] == "ConfigMap" && object["metadata"]["name"].as_str().unwrap().ends_with("-caretaker")
    };
    let program = objects.iter().find(is_program).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for name in FIRST {
        let text = program["data"][name].as_str().unwrap();
        let text = text.replace("\"/etc/pgrender\"", &format!("{:?}", directory.path()));
        fs::write(directory.path().join(name), text).unwrap();
    }
    let import = "import caretaker, roles; print(roles.users.__name__, caretaker.users is roles.users)";
    let mut python = Command::new("python3");
    let output = python.args(["-B", "-c", import]).current_dir(directory.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "users True\n", "{}", String::from_utf8_lossy(&output.stderr));
}

/// Each key of `caretaker.json` is read by the program, and the program reads no other key. A missing key would only be an error
/// at run time, which the caretaker repeats for ever.
#[test]
fn the_program_reads_exactly_the_settings_that_are_rendered() {
    let read = Regex::new(r#"(?:wanted|self|\(\))\.settings\[["'](\w+)["']|\.get\("(laterFiles)""#).unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres_cluster/caretaker");
    let texts = fs::read_dir(directory).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let text: String = texts.collect();
    let name =
        |found: Captures| found.iter().skip(1).flatten().map(|name| name.as_str().to_owned()).collect::<String>();
    let read: BTreeSet<String> = read.captures_iter(&text).map(name).collect();
    let objects = rendering::objects(include_str!("../fixtures/hippo/cluster.yaml")).unwrap();
    let settings = objects.iter().find_map(|object| object["data"]["caretaker.json"].as_str()).unwrap();
    let settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(settings).unwrap();
    assert_eq!(settings.keys().cloned().collect::<BTreeSet<_>>(), read);
}
