//! Tests `pgrender check`: it reports what `pgrender render` reports, in formats that their readers accept, and no secret.

mod formats;
mod page;
mod progress;
mod secrets;
mod terminal;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::authority::{Authority, new_key};
use crate::common::fixtures::fixtures;
use crate::common::rendering::SEED;
use crate::common::tools;

/// A cluster without a fault.
const GOOD: &str = "\
apiVersion: postgres-operator.crunchydata.com/v1
kind: PostgresCluster
metadata: {name: hippo, namespace: shop}
spec:
  postgresVersion: 17
  instances:
  - name: one
    dataVolumeClaimSpec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

/// The result of a program.
struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program in `directory`, with only these variables.
fn run(arguments: &[&str], directory: &Path, variables: &[(&str, &str)], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgrender"))
        .args(arguments)
        .env_clear()
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .envs(variables.iter().copied())
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input closes it, which is not an error here.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Checks a text on standard input, and returns the findings as JSON.
fn findings(text: &str) -> Value {
    let output = run(&["check", "--format", "json"], Path::new("/"), &[], text);
    serde_json::from_str(&output.stdout).unwrap()
}

/// The directories below `fixtures/errors`.
fn errors() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/errors");
    let mut cases: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Writes the findings as `pgrender render` writes them.
fn lines(report: &Value) -> Vec<String> {
    let line = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().map(|text| format!("{text}: ")).unwrap_or_default();
        let mut line = String::new();
        if let Some(file) = finding["file"].as_str() {
            line = format!("{file}:{}:{}: ", finding["line"], finding["column"]);
        }
        line += &text("severity");
        if let (Some(object), true) = (finding["object"].as_object(), finding["file"].is_null()) {
            let [kind, namespace, name] = ["kind", "namespace", "name"].map(|key| object[key].as_str().unwrap());
            let slash = if namespace.is_empty() { "" } else { "/" };
            line += &[kind, " ", namespace, slash, name, ": "].concat();
        }
        line + &text("field") + finding["message"].as_str().unwrap()
    };
    report["findings"].as_array().unwrap().iter().map(line).collect()
}

/// The seeds of some cases are not in the input. A check does not look at them.
#[test]
fn every_error_of_render_is_found() {
    let mut compared = 0;
    for case in errors().iter().filter(|case| !case.join("seed.txt").exists()) {
        let output = run(&["check", "--format", "json", "cluster.yaml"], case, &[], "");
        let name = case.display();
        assert_eq!((output.code, output.stderr.as_str()), (1, ""), "{name}");
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        let mut found = lines(&report);
        let stderr = fs::read_to_string(case.join("stderr.txt")).unwrap();
        let mut expected: Vec<&str> = stderr.lines().collect();
        if let Some(position) = expected.iter().position(|line| line.contains("error: … and ")) {
            expected.remove(position);
            found.retain(|line| expected.contains(&line.as_str()));
        }
        assert_eq!(found, expected, "{name}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn every_warning_of_render_is_found() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (name, _) in fixtures() {
        let file = format!("{name}/cluster.yaml");
        let rendered = run(&["render", &file], &directory, &[("PGRENDER_SEED", SEED)], "");
        let checked = run(&["check", "--format", "json", &file], &directory, &[], "");
        assert_eq!((rendered.code, checked.code), (0, 0), "{name}: {}", rendered.stderr);
        let found = lines(&serde_json::from_str(&checked.stdout).unwrap());
        assert_eq!(found, rendered.stderr.lines().collect::<Vec<_>>(), "{name}");
    }
}

/// The Secrets come from another seed than the one that a check uses.
#[test]
fn existing_secrets_are_checked_without_the_seed_that_they_come_from() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cluster.yaml"), GOOD).unwrap();
    let seed = [("PGRENDER_SEED", SEED)];
    let rendered = run(&["render", "cluster.yaml"], directory.path(), &seed, "").stdout;
    // PGO's names, and a password that is not base64.
    let broken = rendered.replace("  password: ", "  password: '!'  # ");
    assert_ne!(rendered, broken);
    for (secrets, code) in [(rendered, 0), (broken, 1)] {
        fs::write(directory.path().join("secrets.yaml"), secrets).unwrap();
        for arguments in [&["--existing", "secrets.yaml", "cluster.yaml"][..], &["cluster.yaml", "secrets.yaml"]] {
            let told = run(&[&["render"], arguments].concat(), directory.path(), &seed, "");
            let checked = run(&[&["check", "--format", "json"], arguments].concat(), directory.path(), &[], "");
            assert_eq!((told.code, checked.code), (code, code), "{}", told.stderr);
            assert_eq!(lines(&serde_json::from_str(&checked.stdout).unwrap()), told.stderr.lines().collect::<Vec<_>>());
        }
    }
}

/// Whatever the seed is, it does not give the CA that PGO made. So the warning does not need the seed of the user.
#[test]
fn a_bundle_that_no_seed_gives_is_a_warning() {
    if tools::program("openssl").is_none() {
        return;
    }
    let [pgo, other] = [Authority::new(), Authority::new()];
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cluster.yaml"), GOOD).unwrap();
    let secret = |name: &str, values: Value| {
        let metadata = json!({"name": name, "namespace": "shop"});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}).to_string()
    };
    let key = new_key();
    let certificate = pgo.sign(&key, "hippo-primary", &["hippo-primary"]);
    let pair = json!({"tls.crt": certificate, "tls.key": key, "ca.crt": pgo.root});
    let server = secret("hippo-cluster-cert", pair);
    let root = |authority: &Authority| {
        secret("pgo-root-cacert", json!({"root.crt": authority.root, "root.key": authority.root_key}))
    };
    let now = tools::success(Command::new("date").arg("+%s"));
    let time = format!("--time={}", now.trim());
    for (secrets, warnings) in [
        (server.clone(), 1),
        (format!("{server}\n---\n{}", root(&pgo)), 0),
        (format!("{server}\n---\n{}", root(&other)), 1),
    ] {
        fs::write(directory.path().join("secrets.yaml"), secrets).unwrap();
        let arguments = [&time, "cluster.yaml", "secrets.yaml"];
        let seed = [("PGRENDER_SEED", SEED)];
        let told = run(&[&["render"], &arguments[..]].concat(), directory.path(), &seed, "");
        let checked = run(&[&["check", "--format=json"], &arguments[..]].concat(), directory.path(), &[], "");
        assert_eq!(told.stderr.matches("does not contain the CA that signs").count(), warnings, "{}", told.stderr);
        assert_eq!(lines(&serde_json::from_str(&checked.stdout).unwrap()), told.stderr.lines().collect::<Vec<_>>());
    }
}

#[test]
fn the_seed_of_the_input_is_checked_and_no_other() {
    let secret = |seed: &str| {
        format!(
            "{GOOD}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s, annotations: {{pgrender.dev/seed: 'true'}}}}\n\
             stringData: {{seed: {seed}}}\n"
        )
    };
    let told = |text: &str| lines(&findings(text));
    assert_eq!(told(GOOD), [""; 0]);
    assert_eq!(told(&secret(SEED)), [""; 0]);
    let guessed = told(&secret("short"));
    assert!(guessed.len() == 1 && guessed[0].contains("can be guessed"), "{guessed:?}");
    let twice = told(&(secret(SEED) + "---\n" + secret(SEED).split_once("---\n").unwrap().1));
    assert!(twice.len() == 1 && twice[0].contains("more than one seed"), "{twice:?}");
    let variables = [("PGRENDER_SEED", "short"), ("PGRENDER_SEED_FILE", "/nowhere")];
    let output = run(&["check"], Path::new("/"), &variables, GOOD);
    assert_eq!((output.code, output.stdout.as_str()), (0, "no problems in 1 cluster\n"));
}

#[test]
fn settings_of_render_say_what_is_valid() {
    let directory = Path::new("/");
    let without = GOOD.replace(", namespace: shop", "");
    for (arguments, text, code) in [
        (&["check"][..], without.as_str(), 1),
        (&["check", "--namespace", "shop"], &without, 0),
        (&["check", "--cluster-domain", "a b"], GOOD, 2),
        (&["check", "--certificates", "cert-manager", "--trust-domain", "a"], GOOD, 2),
        (&["check", "--seed-file", "a"], GOOD, 2),
        (&["check", "--random"], GOOD, 2),
        (&["check", "--format", "xml"], GOOD, 2),
        (&["check"], "a: b\n", 1),
    ] {
        let output = run(arguments, directory, &[], text);
        assert_eq!(output.code, code, "{arguments:?} {}", output.stdout);
        assert_eq!(output.stderr.is_empty(), code < 2, "{arguments:?} {}", output.stderr);
    }
    let contradiction = run(&["check", "--certificates=cert-manager", "--trust-domain=a"], directory, &[], GOOD);
    assert!(contradiction.stderr.contains("invalid value for '--trust-domain <NAME>'"), "{}", contradiction.stderr);
    assert!(contradiction.stderr.contains("Usage: pgrender check"), "{}", contradiction.stderr);
}

#[test]
fn a_warning_fails_only_if_it_is_asked_to() {
    let warned = GOOD.replace("kind: PostgresCluster", "kind: PostgresClusters") + "---\n" + GOOD;
    for (arguments, text, code) in [
        (&["check"][..], warned.as_str(), 0),
        (&["check", "--deny-warnings"], &warned, 1),
        (&["check", "--deny-warnings"], GOOD, 0),
    ] {
        let output = run(arguments, Path::new("/"), &[], text);
        assert_eq!(output.code, code, "{arguments:?} {}", output.stdout);
    }
    let output = run(&["check", "--deny-warnings"], Path::new("/"), &[], &warned);
    assert!(output.stdout.starts_with("warning: ") && output.stdout.ends_with("\n1 warning in 1 file\n"));
}
