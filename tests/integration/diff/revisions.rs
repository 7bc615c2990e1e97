//! Revisions of Git as inputs of `pgrender diff`.

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

/// Creates a repository with one commit, which has `clusters/hippo.yaml`. In the working tree, the file is changed.
fn repository(path: &Path) {
    git(path, &["init", "--quiet"]);
    fs::create_dir_all(path.join("clusters/.hidden")).unwrap();
    fs::write(path.join("clusters/hippo.yaml"), base().to_string()).unwrap();
    fs::write(path.join("clusters/.hidden/broken.yaml"), "a: [").unwrap();
    fs::write(path.join("clusters/notes.txt"), "a: [").unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message=one"]);
    let larger = json!({"spec": {"config": {"parameters": {"work_mem": "8MB"}}}});
    fs::write(path.join("clusters/hippo.yaml"), patched(base(), &larger).to_string()).unwrap();
}

/// Compares, and checks that the parameter changed.
#[track_caller]
fn changes(directory: &Path, old: &str, new: &str) {
    let output = diff(directory, &["--exit-code", old, new]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(3)), "{old}");
    assert!(text(&output.stdout).contains("`work_mem`: 4MB → 8MB"), "{old}: {}", text(&output.stdout));
}

/// Compares, and checks that it is refused. Returns the message.
#[track_caller]
fn refused(directory: &Path, old: &str) -> String {
    let output = diff(directory, &[old, "clusters"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{old}");
    text(&output.stderr)
}

#[test]
fn an_input_can_be_a_revision_or_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    repository(path);
    for old in ["HEAD:clusters", "HEAD:clusters/", "main:./clusters", "HEAD:clusters/hippo.yaml", "HEAD:", "HEAD:."] {
        changes(path, old, "clusters");
    }
    for old in ["HEAD:./hippo.yaml", "HEAD:./", "HEAD:.", "HEAD:clusters", "HEAD:../clusters", "HEAD:", "HEAD^{/one}:"]
    {
        changes(&path.join("clusters"), old, ".");
    }

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
    for (old, name) in [("HEAD:more", "more"), ("HEAD:clusters/hippo.yaml/x", "clusters/hippo.yaml/x")] {
        let output = diff(path, &["--exit-code", old, "clusters"]);
        let said = text(&output.stdout);
        let note = format!("`{name}` is not in the revision `HEAD`");
        assert!(said.contains("the cluster is created") && said.contains(&note), "{said}");
    }
}

#[test]
fn a_file_with_the_name_of_a_revision_does_not_replace_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    repository(path);
    fs::create_dir(path.join("HEAD:clusters")).unwrap();
    fs::copy(path.join("clusters/hippo.yaml"), path.join("HEAD:clusters/hippo.yaml")).unwrap();
    changes(path, "HEAD:clusters", "clusters");
    let output = diff(path, &["--exit-code", "./HEAD:clusters", "clusters"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    // What is no revision can still be a file.
    fs::write(path.join("a:b.yaml"), base().to_string()).unwrap();
    changes(path, "a:b.yaml", "clusters");
}

#[test]
fn what_is_wrong_with_a_revision_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("clusters")).unwrap();
    let message = refused(path, "HEAD:clusters");
    assert!(message.contains("this directory is not in a Git repository"), "{message}");
    repository(path);
    for (old, message) in [
        ("nowhere:clusters", "there is no revision `nowhere` in this Git repository"),
        ("^HEAD:clusters", "there is no revision `^HEAD` in this Git repository"),
        ("absent.yaml", "cannot read `absent.yaml`: No such file"),
        ("HEAD", "write `HEAD:PATH` for a Git revision"),
        ("HEAD:../clusters", "`../clusters` leads out of the Git repository"),
        ("HEAD:/clusters", "write it from the top directory of the repository"),
    ] {
        let said = refused(path, old);
        assert!(said.contains(message), "{old}: {said}");
        assert!(old == "HEAD" || !said.contains(":PATH"), "{old}: {said}");
    }
    let output = diff(path, &["--output=x:clusters", "clusters"]);
    assert!(text(&output.stderr).contains("unexpected argument '--output' found"));
}

/// A failure is not an empty directory, with which a broken repository would look like a new cluster.
#[test]
fn what_git_cannot_read_is_an_error() {
    for (of, object) in [("HEAD:clusters/hippo.yaml", "blob"), ("HEAD:clusters", "tree"), ("HEAD", "commit")] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        repository(path);
        let mut command = Command::new(program("git").unwrap());
        let id = success(command.current_dir(path).args(["rev-parse", of]));
        let file = path.join(".git/objects").join(&id[..2]).join(id[2..].trim());
        fs::remove_file(&file).unwrap();
        let absent = refused(path, "HEAD:clusters");
        assert!(absent.contains("cannot read `HEAD") || absent.contains("no revision"), "{object}: {absent}");
        fs::write(&file, "broken").unwrap();
        let broken = refused(path, "HEAD:clusters");
        assert!(broken.contains("cannot read `HEAD") && broken.contains("`git` failed"), "{object}: {broken}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    repository(path);
    let large = "#".repeat(64 * 1024 * 1024 + 1);
    fs::write(path.join("clusters/large.yaml"), &large).unwrap();
    git(path, &["-c", "core.compression=1", "add", "."]);
    git(path, &["commit", "--quiet", "--message=two"]);
    let said = refused(path, "HEAD:clusters");
    let message = |name: &str| {
        format!("{name}:1:1: error: the text has {} bytes; at most {} are read\n", large.len(), large.len() - 1)
    };
    assert_eq!(said, message("HEAD:clusters/large.yaml") + &message("clusters/large.yaml"));
}

#[cfg(unix)]
#[test]
fn links_and_submodules_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    repository(path);
    std::os::unix::fs::symlink("hippo.yaml", path.join("clusters/x.yaml")).unwrap();
    std::os::unix::fs::symlink("clusters", path.join("linked")).unwrap();
    git(path, &["add", "."]);
    let commit = "1234567890123456789012345678901234567890";
    git(path, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},clusters/module")]);
    git(path, &["commit", "--quiet", "--message=two"]);
    let output = diff(path, &["--exit-code", "HEAD:clusters", "clusters"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    let said = text(&output.stdout);
    assert!(said.contains("`HEAD:clusters/module` is a submodule, so it was not read"), "{said}");
    assert!(said.contains("`HEAD:clusters/x.yaml` is a symbolic link, so it was not read"), "{said}");
    for (old, message) in [
        ("HEAD:linked", "`HEAD:linked` is a symbolic link"),
        ("HEAD:clusters/x.yaml", "is a symbolic link"),
        ("HEAD:clusters/module", "`HEAD:clusters/module` is a submodule"),
    ] {
        let said = refused(path, old);
        assert!(said.contains(message), "{said}");
    }
}

/// The configuration of a repository that somebody else made may name a program.
#[cfg(unix)]
#[test]
fn nothing_is_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (origin, clone) = (path.join("origin"), path.join("clone"));
    fs::create_dir(&origin).unwrap();
    repository(&origin);
    git(&origin, &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", origin.display());
    git(path, &["clone", "--quiet", "--no-checkout", "--filter=blob:none", &url, "clone"]);
    fs::create_dir(clone.join("clusters")).unwrap();
    git(&clone, &["config", "remote.origin.url", "ssh://git@example.invalid/a"]);
    git(&clone, &["config", "protocol.allow", "always"]);
    let written = path.join("written");
    git(&clone, &["config", "core.sshCommand", &format!("touch {} #", written.display())]);
    let said = refused(&clone, "HEAD:clusters");
    assert!(said.contains("cannot read `HEAD:clusters/hippo.yaml`"), "{said}");
    assert!(!written.exists());
    // Git would have run it.
    let mut command = Command::new(program("git").unwrap());
    command.current_dir(&clone).args(["cat-file", "-p", "HEAD:clusters/hippo.yaml"]).output().unwrap();
    assert!(written.exists());
}
