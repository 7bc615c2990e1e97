//! Running the real tools that judge an identity.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether a tool is on this machine. One that is not is named in the output; with `CI=true` that is a failure.
pub(crate) fn available(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !found {
        println!("skipped: no `{program}` on this machine");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no `{program}`, and CI=true");
    }
    found
}

/// Runs a program to its end and gives what it wrote, or panics with it.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let output = attempt(Command::new(program).args(arguments), input);
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{program} {arguments:?}\n{stdout}{stderr}");
    stdout
}

/// Runs a command to its end, whatever that is.
pub(crate) fn attempt(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Writes a file and gives its path.
pub(crate) fn file(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// `openssl verify -x509_strict` of a certificate against a bundle, with more arguments: whether it is content.
pub(crate) fn verifies(directory: &Path, bundle: &str, certificate: &str, more: &[&str]) -> bool {
    let bundle = file(directory, "bundle.crt", bundle);
    let certificate = file(directory, "leaf.crt", certificate);
    let mut command = Command::new("openssl");
    // The moment that the certificates of these tests are for.
    command
        .args(["verify", "-x509_strict", "-attime", "1767225600", "-CAfile"])
        .arg(bundle)
        .args(more)
        .arg(certificate);
    attempt(&mut command, "").status.success()
}
