//! Tests the real program with every caller: a shell, kustomize, kubectl and kpt.

mod bad_input;
mod command_line;
mod examples;
mod function;
mod kpt;
mod kustomize;
mod limits;
mod output_directory;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgrender::naming::label;
use pgrender::read::object;
use pgrender::read::{self, Document};

/// A seed that is not secret.
const SEED: &str = "dGhpcyBzZWVkIGlzIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==";

/// The time to render for, in seconds since 1970. It is in October 2025.
const TIME: &str = "1760000000";

/// A tool that rewrites the text could lose the comment after the name and the quotes.
pub(crate) const HIPPO: &str = "\
# The database of the shop.
apiVersion: postgres-operator.crunchydata.com/v1
kind: PostgresCluster
metadata:
  name: hippo # short
spec:
  postgresVersion: 17
  instances:
  # One set is enough.
  - name: 'instance1'
    dataVolumeClaimSpec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

/// Returns the cluster above with another name and a namespace.
fn cluster(namespace: &str, name: &str) -> String {
    HIPPO.replace("name: hippo # short", &format!("name: {name}\n  namespace: {namespace}"))
}

/// The result of a program.
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Returns the standard output of a run, which must have succeeded.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }
}

/// Returns a command that runs `pgrender` without any of its environment variables.
pub(crate) fn pgrender() -> Command {
    clean(Path::new(env!("CARGO_BIN_EXE_pgrender")))
}

/// Returns a command that runs `program` with `pgrender` on its PATH and the seed of the tests in its environment.
fn caller(program: &Path) -> Command {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_pgrender"));
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        binary.parent().into_iter().map(Path::to_owned).chain(std::env::split_paths(&directories)),
    );
    let mut command = clean(program);
    command.env("PATH", path.unwrap()).env("PGRENDER_SEED", SEED).env("SOURCE_DATE_EPOCH", TIME);
    command
}

fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let ours = ["PGRENDER_", "RELATED_IMAGE_", "SOURCE_DATE_EPOCH", "KUSTOMIZE_PLUGIN_"];
        if ours.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program with `stdin` as its input until it exits.
pub(crate) fn run(command: &mut Command, stdin: impl AsRef<[u8]>) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // A program that does not read its input closes it, which is not an error here.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_ref());
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Returns the objects of a stream of documents.
fn documents(text: &str) -> Vec<Document> {
    read::documents("output", text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

/// Returns `namespace/cluster` of each object with the label of pgrender, sorted and without duplicates.
fn owners(documents: &[Document]) -> Vec<String> {
    let owner = |document: &Document| {
        let cluster = object::label(&document.node, label::RENDERED)?;
        Some(format!("{}/{cluster}", object::reference(&document.node).namespace))
    };
    let mut owners: Vec<String> = documents.iter().filter_map(owner).collect();
    owners.sort();
    owners.dedup();
    owners
}

/// Returns the content of every file below `directory` by path, without hidden files.
fn files(directory: &Path) -> std::collections::BTreeMap<String, String> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}
