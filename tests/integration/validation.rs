//! Compares pgrender's verdict about a `PostgresCluster` with a table of small specs, and the table with a real API server.
//!
//! The specs are `fixtures/verdicts/<verdict>/*.yaml`, and each tests one point. If a spec is refused, its first line names the
//! field that an error must be about, and the reason.
//!
//! If `PGRENDER_KUBECONFIG` names a cluster with PGO's CRDs, every file is also sent to its API server (`kubectl create
//! --dry-run=server --validate=strict`), which must have the same verdict about the same field.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use pgrender::diagnostic::{Diagnostic, has_errors};
use pgrender::parse::Settings;
use pgrender::postgres_cluster::parse;
use pgrender::read;

struct Case {
    path: PathBuf,
    text: String,
}

impl Case {
    fn all(verdict: &str) -> Vec<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/verdicts").join(verdict);
        let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "no case for {verdict}");
        paths.into_iter().map(|path| Self { text: fs::read_to_string(&path).unwrap(), path }).collect()
    }

    fn name(&self) -> String {
        self.path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string()
    }

    /// The field in the first line.
    fn field(&self) -> &str {
        let first = self.text.lines().next().unwrap_or_default();
        let (field, _) = first.trim_start_matches("# ").split_once(": ").expect("the first line should name the field");
        field
    }

    /// pgrender's verdict: the object to store, or the errors.
    fn our_verdict(&self) -> Result<Value, Vec<Diagnostic>> {
        let documents = read::documents("case.yaml", &self.text)?;
        assert_eq!(documents.len(), 1, "{}", self.name());
        let (object, diagnostics) = parse::validate(&documents[0], Settings::default());
        assert_eq!(object.is_none(), has_errors(&diagnostics), "{}", self.name());
        object.ok_or(diagnostics)
    }

    fn errors(&self) -> Vec<Diagnostic> {
        self.our_verdict().err().unwrap_or_default()
    }

    /// The verdict of the API server: the object that it would store, or its error.
    fn servers_verdict(&self, kubeconfig: &str) -> Result<Value, String> {
        let output = Command::new("kubectl")
            .args(["--kubeconfig", kubeconfig, "create", "--dry-run=server", "--validate=strict", "-o", "json", "-f"])
            .arg(&self.path)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(serde_json::from_slice(&output.stdout).unwrap()) } else { Err(stderr) }
    }
}

/// Whether the server's error names the field. The server writes some keys of maps in brackets. For an API that it does not
/// have, kubectl names the kind.
fn names_field(refusal: &str, field: &str) -> bool {
    let bare = |text: &str| text.replace(['.', '[', ']'], "");
    match field {
        "apiVersion" => refusal.contains("no matches for kind") || refusal.contains(field),
        _ => bare(refusal).contains(&bare(field)),
    }
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("    {diagnostic}")).collect::<Vec<_>>().join("\n")
}

/// Cases in which the server names an object and pgrender names the field that the rule is about.
const ABOUT: [(&str, &str); 7] = [
    ("spec", "spec.config.parameters.ssl_groups"),
    ("spec.backups.pgbackrest", "spec.backups.pgbackrest."),
    ("spec.instances[0].volumes.additional[0]", "spec.instances[0].volumes.additional[0]."),
    ("spec.instrumentation.config.environmentVariables[0]", "spec.instrumentation.config.environmentVariables[0].name"),
    ("spec.instrumentation.logs.batches", "spec.instrumentation.logs.batches.m"),
    ("spec.proxy.pgBouncer", "spec.proxy.pgBouncer.config.global.logfile"),
    ("spec.proxy.pgBouncer.config.global", "spec.proxy.pgBouncer.config.global.logfile"),
];

/// Whether one of the errors is about this field. For metadata and parameters, the server names a map but not its key, and the
/// reader names a key but not its path.
fn is_about(error: &Diagnostic, field: &str) -> bool {
    match error.field.as_ref().map(ToString::to_string) {
        Some(path) => {
            let of_keys = field.starts_with("metadata.") || field == "spec.config.parameters";
            let about = ABOUT.iter().any(|(theirs, ours)| *theirs == field && path.starts_with(ours));
            path == field || about || (of_keys && path.starts_with(field))
        }
        None => field.rsplit('.').next().is_some_and(|key| error.message.contains(&format!("`{key}`"))),
    }
}

#[test]
fn what_the_server_accepts_is_accepted() {
    let wrong: Vec<String> = Case::all("accepted")
        .iter()
        .filter_map(|case| Some(format!("{}\n{}", case.name(), shown(&case.our_verdict().err()?))))
        .collect();
    assert!(wrong.is_empty(), "refused, though the server accepts them:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_refused_is_refused_where_it_is_wrong() {
    let wrong: Vec<String> = Case::all("refused")
        .into_iter()
        .chain(Case::all("refused-by-us"))
        .map(|case| (case.errors(), case))
        .filter(|(errors, case)| !errors.iter().any(|error| is_about(error, case.field())))
        .map(|(errors, case)| format!("{} ({})\n{}", case.name(), case.field(), shown(&errors)))
        .collect();
    assert!(wrong.is_empty(), "not refused for what is wrong:\n{}", wrong.join("\n"));
}

#[test]
fn every_error_has_a_place_in_the_file() {
    for case in Case::all("refused") {
        for error in case.errors() {
            let place = error.location.expect("an error should have a place").position;
            assert!((2..=case.text.lines().count()).contains(&place.line), "{} {place:?}", case.name());
            assert!(place.column >= 1, "{} {place:?}", case.name());
        }
    }
}

#[test]
fn a_real_server_says_the_same() {
    let Ok(kubeconfig) = env::var("PGRENDER_KUBECONFIG") else {
        println!("skipped: PGRENDER_KUBECONFIG names no cluster");
        return;
    };
    let mut wrong = Vec::new();
    for case in Case::all("accepted") {
        match case.servers_verdict(&kubeconfig) {
            Err(refusal) => wrong.push(format!("{} is refused: {refusal}", case.name())),
            // The server adds metadata of its own, but the spec must be the one that pgrender uses.
            Ok(stored) => {
                let ours = case.our_verdict().unwrap_or_default();
                if stored["spec"] != ours["spec"] {
                    wrong.push(format!("{} is stored as {}, not as {}", case.name(), stored["spec"], ours["spec"]));
                }
            }
        }
    }
    for case in Case::all("refused-by-us") {
        if let Err(refusal) = case.servers_verdict(&kubeconfig) {
            wrong.push(format!("{} is refused: {refusal}", case.name()));
        }
    }
    for case in Case::all("refused") {
        match case.servers_verdict(&kubeconfig) {
            Ok(_) => wrong.push(format!("{} is accepted", case.name())),
            Err(refusal) if !names_field(&refusal, case.field()) => {
                wrong.push(format!("{} is refused, but not for {}: {refusal}", case.name(), case.field()));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "the server disagrees:\n{}", wrong.join("\n"));
}

/// Returns the directory with PGO's CRDs and examples, if it exists.
fn pgo() -> Option<PathBuf> {
    let shared = env::var_os("PGRENDER_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let pgo = shared.join("pgo");
    pgo.is_dir().then_some(pgo)
}

#[test]
fn the_schema_is_what_the_script_makes_of_the_crd() {
    let Some(pgo) = pgo() else {
        println!("skipped: no CRD of PGO here");
        return;
    };
    if !Command::new("python3").args(["-c", "import yaml"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: no python3 with PyYAML here");
        return;
    }
    let output = Command::new("python3")
        .arg("tools/schema/reduce.py")
        .arg(pgo.join("crd/postgres-operator.crunchydata.com_postgresclusters.yaml"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/parse/schema.json")).unwrap();
    assert!(String::from_utf8(output.stdout).unwrap() == committed, "run tools/schema/reduce.py again");
}

#[test]
fn the_clusters_that_pgo_shows_are_accepted() {
    let Some(pgo) = pgo() else {
        println!("skipped: no examples of PGO here");
        return;
    };
    let mut files: Vec<PathBuf> = Vec::new();
    let mut directories = vec![pgo.join("examples"), pgo.join("observed")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    let mut clusters = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
        let text = fs::read_to_string(file).unwrap();
        for document in read::documents(&file.display().to_string(), &text).unwrap() {
            if document.node.get("kind").and_then(|kind| kind.as_str()) == Some(pgrender::postgres_cluster::KIND) {
                let (object, diagnostics) = parse::validate(&document, Settings::default());
                assert!(object.is_some() && diagnostics.is_empty(), "{}", shown(&diagnostics));
                clusters += 1;
            }
        }
    }
    assert!(clusters > 0, "no cluster among {} files", files.len());
}
