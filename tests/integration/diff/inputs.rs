//! The two inputs of `pgrender diff`: files, directories, standard input, revisions of Git; and what is no change.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{cases, diff, patched, text};
use crate::common::tools::{program, success};

fn base() -> Value {
    cases().base
}

/// Runs Git in `directory`, with no settings of the machine.
fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new(program("git").unwrap());
    command.current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]);
    success(command.args(arguments));
}

#[test]
fn comments_order_and_formatting_are_no_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let yaml = "# a comment\nkind: PostgresCluster\nspec:\n  postgresVersion: 17\n  backups: {}\n  instances:\n    - replicas: 1\n      \
                dataVolumeClaimSpec: {resources: {requests: {storage: 1Gi}}, accessModes: [\"ReadWriteOnce\"]}\nmetadata:\n  \
                namespace: 'zoo'\n  name: hippo # here\napiVersion: postgres-operator.crunchydata.com/v1\n";
    let json = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "zoo"},
        "spec": {
            "backups": {},
            "instances": [{
                "dataVolumeClaimSpec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
                "replicas": 1,
            }],
            "postgresVersion": 17,
        },
    });
    fs::write(path.join("old.yaml"), yaml).unwrap();
    fs::write(path.join("new.json"), json.to_string()).unwrap();
    let output = diff(path, &["--exit-code", "old.yaml", "new.json"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(0), "PostgresCluster zoo/hippo: no changes\n\n")
    );
}

#[test]
fn an_input_can_be_a_revision_a_directory_or_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    git(path, &["init", "--quiet"]);
    fs::create_dir_all(path.join("clusters/.hidden")).unwrap();
    let write =
        |patch: &Value| fs::write(path.join("clusters/hippo.yaml"), patched(base(), patch).to_string()).unwrap();
    write(&json!({}));
    fs::write(path.join("clusters/.hidden/broken.yaml"), "a: [").unwrap();
    fs::write(path.join("clusters/notes.txt"), "a: [").unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message=one"]);
    let larger = json!({"spec": {"config": {"parameters": {"work_mem": "8MB"}}}});
    write(&larger);
    for old in ["HEAD:clusters", "HEAD:clusters/", "main:./clusters", "HEAD:clusters/hippo.yaml"] {
        let output = diff(path, &["--exit-code", old, "clusters"]);
        assert_eq!(text(&output.stderr), "", "{old}");
        assert_eq!(output.status.code(), Some(3), "{old}");
        assert!(text(&output.stdout).contains("`work_mem`: 4MB → 8MB"), "{old}");
    }
    // In a directory of the repository.
    let output = diff(&path.join("clusters"), &["--exit-code", "HEAD:./hippo.yaml", "hippo.yaml"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(3)));

    let mut child = Command::new(env!("CARGO_BIN_EXE_pgrender"))
        .args(["diff", "-", "clusters"])
        .current_dir(path)
        .env_remove("PGRENDER_SEED")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(base().to_string().as_bytes()).unwrap();
    assert!(text(&child.wait_with_output().unwrap().stdout).contains("`work_mem`: 4MB → 8MB"));

    // What the base branch does not have yet is new.
    let output = diff(path, &["--exit-code", "HEAD:more", "clusters"]);
    let said = text(&output.stdout);
    assert!(said.contains("the cluster is created") && said.contains("`more` is not in the revision `HEAD`"), "{said}");

    for (old, message) in [
        ("nowhere:clusters", "there is no revision `nowhere` in this Git repository"),
        ("--output=x:clusters", "unexpected argument '--output' found"),
        ("absent.yaml", "cannot read `absent.yaml`"),
    ] {
        let output = diff(path, &[old, "clusters"]);
        assert!(text(&output.stderr).contains(message), "{old}: {}", text(&output.stderr));
        assert_ne!(output.status.code(), Some(0), "{old}");
    }
}

#[test]
fn errors_are_those_of_render_and_json_stays_json() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("good.yaml"), base().to_string()).unwrap();
    fs::write(path.join("bad.yaml"), patched(base(), &json!({"spec": {"postgresVersion": 3}})).to_string()).unwrap();
    fs::write(path.join("broken.yaml"), "a: [").unwrap();
    fs::write(path.join("empty.yaml"), "").unwrap();
    for (old, new, message) in [
        ("good.yaml", "bad.yaml", "spec.postgresVersion"),
        ("broken.yaml", "good.yaml", "is not closed"),
        ("empty.yaml", "empty.yaml", "no PostgresCluster in the inputs"),
        ("-", "-", "standard input can be read only once"),
    ] {
        let output = diff(path, &[old, new]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{old} {new}");
        assert!(text(&output.stderr).contains(message), "{old} {new}: {}", text(&output.stderr));
        let output = diff(path, &["--format", "json", old, new]);
        assert_eq!(output.status.code(), Some(1));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["errors"][0].as_str().unwrap().contains(message), "{report}");
        assert_eq!(report["consequence"], Value::Null);
    }
}

#[test]
fn colours_are_for_terminals() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("old.yaml"), base().to_string()).unwrap();
    fs::write(path.join("new.yaml"), patched(base(), &json!({"spec": {"shutdown": true}})).to_string()).unwrap();
    let coloured = |arguments: &[&str]| text(&diff(path, arguments).stdout).contains('\u{1b}');
    assert!(!coloured(&["old.yaml", "new.yaml"]));
    assert!(coloured(&["--color=always", "old.yaml", "new.yaml"]));
    assert!(!coloured(&["--color=always", "--format=markdown", "old.yaml", "new.yaml"]));
}

#[test]
fn no_value_of_a_secret_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let seed = "pgrender seed of the tests, with enough words to be accepted by it";
    fs::write(path.join("old.yaml"), base().to_string()).unwrap();
    let annotations = json!({"pgrender.dev/rotate-passwords": "2", "pgrender.dev/rotate-ca": "2"});
    let new = patched(base(), &json!({"metadata": {"annotations": annotations}}));
    fs::write(path.join("new.yaml"), new.to_string()).unwrap();
    fs::write(path.join("seed"), seed).unwrap();
    let mut values = Vec::new();
    for file in ["old.yaml", "new.yaml"] {
        let output = Command::new(env!("CARGO_BIN_EXE_pgrender"))
            .current_dir(path)
            .args(["render", "--time=2026-11-24T00:00:00Z", "--seed-file=seed", file])
            .output()
            .unwrap();
        for document in pgrender::read::documents("", &text(&output.stdout)).unwrap() {
            let object = document.node.to_json();
            if object["kind"] != "Secret" {
                continue;
            }
            for value in object["data"].as_object().unwrap().values() {
                use base64::Engine;
                let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
                values.push(value.as_str().unwrap().to_owned());
                values.extend(String::from_utf8(bytes).unwrap().lines().map(str::to_owned));
            }
        }
    }
    // Names and numbers are not secret.
    values.retain(|value| value.len() >= 20 && !value.starts_with("-----") && !value.contains("hippo"));
    assert!(values.len() > 100);
    for format in ["text", "json", "markdown"] {
        let output = diff(path, &["--seed-file=seed", "--fields", "--format", format, "old.yaml", "new.yaml"]);
        let said = text(&output.stdout);
        assert!(said.contains("password"), "{said}");
        assert!(values.iter().all(|value| !said.contains(value.trim())), "{format}");
    }
}
