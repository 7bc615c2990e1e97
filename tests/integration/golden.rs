//! Tests that `fixtures/<name>/cluster.yaml` renders as `objects.yaml` in the same directory, byte for byte, with the flags in
//! `arguments.txt`, if there are any. `make golden` updates these files; read the difference before you commit it.

use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::{Assert, Data, cmd::Command as Program, data::DataFormat};

/// Returns every directory in `fixtures` with a `cluster.yaml`.
fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut directories: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("cluster.yaml").is_file())
        .collect();
    directories.sort();
    assert!(directories.len() >= 8, "{directories:?}");
    directories
}

#[test]
fn every_fixture_renders_as_its_golden() {
    let assert = Assert::new().action_env("SNAPSHOTS");
    let mut failures = Vec::new();
    let seed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/seed")).unwrap();
    for directory in fixtures() {
        let name = directory.file_name().unwrap().to_str().unwrap();
        let arguments = std::fs::read_to_string(directory.join("arguments.txt")).unwrap_or_default();
        let rendered = Program::new(env!("CARGO_BIN_EXE_pgrender"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("PGRENDER_SEED", &seed)
            .args(["render", "--time", "2026-11-24T00:00:00Z"])
            .args(arguments.split_whitespace())
            .arg(format!("fixtures/{name}/cluster.yaml"))
            .output()
            .unwrap();
        assert!(rendered.status.success(), "{name}: {}", String::from_utf8_lossy(&rendered.stderr));
        for (file, bytes) in [("objects.yaml", rendered.stdout), ("diagnostics.txt", rendered.stderr)] {
            let golden = directory.join(file);
            if bytes.is_empty() && !golden.exists() {
                continue;
            }
            let expected = Data::read_from(&golden, Some(DataFormat::Text));
            let actual = Data::text(String::from_utf8(bytes).unwrap());
            if let Err(error) = assert.try_eq(Some(&format!("{name}/{file}")), actual.raw(), expected.raw()) {
                failures.push(error.to_string());
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The oldest Kubernetes that pgrender supports, and the newest that the validator has schemas for.
const KUBERNETES: [&str; 2] = ["1.27", "1.37"];

#[test]
fn every_golden_fits_the_schemas_of_kubernetes() {
    let Some(validate) = crate::common::tools::program("kubernetes-validate") else { return };
    for version in KUBERNETES {
        let goldens = fixtures().into_iter().map(|directory| directory.join("objects.yaml"));
        let output = Command::new(&validate)
            .args(["--strict", "--quiet", "--kubernetes-version", version])
            .args(goldens)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&text));
    }
}
