//! The two inputs of `pgrender diff`: files, directories, standard input; and what is no change.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{cases, diff, patched, text};

fn base() -> Value {
    cases().base
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

#[cfg(unix)]
#[test]
fn links_out_of_a_directory_are_errors() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("clusters")).unwrap();
    fs::write(path.join("outside.txt"), "hunter2: [").unwrap();
    fs::write(path.join("clusters/hippo.yaml"), base().to_string()).unwrap();
    // A link to a file of the directory is the same file.
    symlink("hippo.yaml", path.join("clusters/same.yaml")).unwrap();
    // A link on the command line is followed, also one to a directory.
    symlink("clusters", path.join("linked")).unwrap();
    for (old, new) in [("clusters", "clusters"), ("linked", "clusters/same.yaml")] {
        let output = diff(path, &[old, new]);
        assert_eq!(text(&output.stdout), "PostgresCluster zoo/hippo: no changes\n\n", "{}", text(&output.stderr));
    }
    // As the kubelet writes a ConfigMap.
    let volume = path.join("volume");
    fs::create_dir_all(volume.join("..2026_11_29")).unwrap();
    fs::write(volume.join("..2026_11_29/hippo.yaml"), base().to_string()).unwrap();
    symlink("..2026_11_29", volume.join("..data")).unwrap();
    symlink("..data/hippo.yaml", volume.join("hippo.yaml")).unwrap();
    let output = diff(path, &["volume", "clusters"]);
    assert_eq!(text(&output.stdout), "PostgresCluster zoo/hippo: no changes\n\n", "{}", text(&output.stderr));

    symlink("../outside.txt", path.join("clusters/x.yaml")).unwrap();
    symlink("absent.yaml", path.join("clusters/y.yaml")).unwrap();
    for arguments in [&["describe", "clusters"][..], &["check", "clusters"], &["diff", "clusters", "volume"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_pgrender")).current_dir(path).args(arguments).output().unwrap();
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(said.contains("`clusters/x.yaml` is a symbolic link to a file outside of the directory"), "{said}");
        assert!(said.contains("cannot read `clusters/y.yaml`") && !said.contains("hunter2"), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[cfg(unix)]
#[test]
fn a_name_of_a_file_cannot_add_lines_to_what_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let name = "a\n::error file=x::owned\r\u{1b}[31m\u{202e}.yaml";
    fs::write(path.join(name), "a: [").unwrap();
    for arguments in [&["diff", ".", "."][..], &["describe", "."], &["render", "."], &["check", "--format=text", "."]] {
        let mut pgrender = Command::new(env!("CARGO_BIN_EXE_pgrender"));
        let output = pgrender.current_dir(path).args(arguments).output().unwrap();
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(said.contains("is not closed"), "{arguments:?}: {said}");
        assert!(!said.contains("\n::") && !said.contains(['\r', '\u{1b}', '\u{202e}']), "{arguments:?}: {said:?}");
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
