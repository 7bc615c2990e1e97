//! Finds the programs and files that tests need. If one is missing, the test is skipped with a message. If `CI` is `true`, the
//! test fails instead.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Finds the program `name` on the PATH.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian installs servers in a directory that is only on root's PATH.
    let directories = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = directories.map(|directory| directory.join(name)).find(|file| file.is_file());
    found_or_skipped(name, found)
}

/// Finds a pgBouncer that has `auth_dbname`, which is 1.19 or later. `tools/install.sh` installs one.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    let found = program("pgbouncer").filter(|program| {
        let version = success(Command::new(program).arg("--version"));
        let minor = version.strip_prefix("PgBouncer 1.").and_then(|rest| rest.split('.').next()?.parse::<u16>().ok());
        minor.is_none_or(|minor| minor >= 19)
    });
    found_or_skipped("pgbouncer 1.19 or newer", found)
}

/// Returns the newest directory with Postgres' server programs, and the version.
pub(crate) fn postgres_server() -> Option<(PathBuf, u16)> {
    let versions = (13..=18).rev().flat_map(|version| {
        [format!("/usr/lib/postgresql/{version}/bin"), format!("/usr/pgsql-{version}/bin")]
            .map(|directory| (PathBuf::from(directory), version))
    });
    found_or_skipped("initdb", versions.into_iter().find(|(directory, _)| directory.join("initdb").is_file()))
}

/// Finds a Python that has these modules.
pub(crate) fn python(modules: &str) -> Option<PathBuf> {
    let has_them = |python: &PathBuf| {
        Command::new(python).args(["-c", &format!("import {modules}")]).output().is_ok_and(|done| done.status.success())
    };
    let found = program("python3").filter(has_them);
    found_or_skipped(&format!("python3 with {modules}"), found)
}

/// Returns a file of the reference material that is beside the repository.
pub(crate) fn shared(path: &str) -> Option<String> {
    let root = env::var_os("PGRENDER_SHARED").unwrap_or_else(|| OsString::from("../shared"));
    let text = std::fs::read_to_string(Path::new(&root).join(path)).ok();
    if text.is_none() {
        println!("skipped: there is no {path} in PGRENDER_SHARED");
    }
    text
}

/// Whether `tools/install.sh` has fetched a file.
pub(crate) fn is_there(name: &str, file: &Path) -> bool {
    found_or_skipped(name, file.is_file().then_some(())).is_some()
}

fn found_or_skipped<T>(name: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "`{name}` is not installed");
        println!("skipped: `{name}` is not installed");
    }
    found
}

/// Returns a command that runs `program`. If the test runs as root, the command runs as another user, because servers refuse
/// root.
pub(crate) fn unprivileged(program: impl AsRef<Path>) -> Command {
    if !is_root() {
        return Command::new(program.as_ref());
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program.as_ref());
    command
}

/// Makes that user the owner of `directory`.
pub(crate) fn give_to_unprivileged(directory: &Path) {
    if is_root() {
        success(Command::new("chown").args(["--recursive", "65534:65534"]).arg(directory));
    }
}

fn is_root() -> bool {
    success(Command::new("id").arg("-u")).trim() == "0"
}

/// Runs `command`, which must succeed, and returns its standard output.
pub(crate) fn success(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Runs `command` until it exits.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
