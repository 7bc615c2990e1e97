//! Runs the real tools that check an identity.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether a tool is installed. A missing tool is named in the output; with `CI=true`, the test fails.
pub(crate) fn available(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !found {
        println!("skipped: no `{program}` on this machine");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no `{program}`, and CI=true");
    }
    found
}

/// Runs a program until it exits and returns its output. Panics with the output if it fails.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let output = attempt(Command::new(program).args(arguments), input);
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{program} {arguments:?}\n{stdout}{stderr}");
    stdout
}

/// Runs a command until it exits, even if it fails.
pub(crate) fn attempt(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Writes a file and returns its path.
pub(crate) fn file(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Runs `openssl verify -x509_strict` for a certificate and a bundle, with additional arguments, and returns whether it
/// succeeded.
pub(crate) fn verifies(directory: &Path, bundle: &str, certificate: &str, more: &[&str]) -> bool {
    let bundle = file(directory, "bundle.crt", bundle);
    let certificate = file(directory, "leaf.crt", certificate);
    let mut command = Command::new("openssl");
    // The time for which the certificates of these tests are created.
    command
        .args(["verify", "-x509_strict", "-attime", "1767225600", "-CAfile"])
        .arg(bundle)
        .args(more)
        .arg(certificate);
    attempt(&mut command, "").status.success()
}
