//! Tests what the program says about itself: the examples of every help text run as they are, a real bash completes commands and
//! options, and the real `man` shows every page without a warning.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::tools::{self, success};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns a command that runs a script in `directory`, which is also the home directory.
fn bash(script: &str, directory: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_pgrender")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [program.to_owned()].into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(directory).env_clear();
    command.env("PATH", std::env::join_paths(path).unwrap()).env("HOME", directory);
    // What the README tells the readers to set.
    command.env("PGRENDER_SEED_FILE", directory.join("the-seed")).env("MANPAGER", "cat");
    command
}

fn pgrender(arguments: &[&str]) -> String {
    success(Command::new(env!("CARGO_BIN_EXE_pgrender")).args(arguments))
}

/// The names of all commands, from the help text. The first one is the program itself, without a command.
fn commands() -> Vec<String> {
    let help = pgrender(&["--help"]);
    let list = help.split_once("\nCommands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help");
    [String::new()].into_iter().chain(names).collect()
}

/// Returns the examples in the help text of a command.
fn examples(command: &str) -> Vec<String> {
    let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
    let help = pgrender(&arguments);
    let Some((_, list)) = help.split_once("\nExamples:\n") else { return Vec::new() };
    let list = list.split("\n\n").next().unwrap();
    list.lines().map(|line| line.trim().to_owned()).collect()
}

/// Creates what an example expects from its reader.
fn prepare(example: &str, directory: &Path) {
    let copy = |from: &str| {
        for entry in fs::read_dir(Path::new(ROOT).join(from)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, directory.join(path.file_name().unwrap())).unwrap();
        }
    };
    let of_kpt = example.contains("kpt ");
    copy(if of_kpt { "functions/kpt" } else { "kustomize/hippo" });
    if !of_kpt && !example.contains("--enable-exec") {
        // A kustomization whose clusters something else renders.
        fs::write(directory.join("kustomization.yaml"), "resources: [cluster.yaml]\n").unwrap();
    }
    let cluster = fs::read_to_string(directory.join("cluster.yaml")).unwrap();
    let cluster = cluster.replace("metadata:\n", "metadata:\n  namespace: postgres\n");
    if !of_kpt {
        fs::create_dir(directory.join("clusters")).unwrap();
        for name in ["cluster.yaml", "a.yaml", "clusters/a.yaml"] {
            fs::write(directory.join(name), &cluster).unwrap();
        }
        fs::write(directory.join("export.yaml"), crate::adopt::export()).unwrap();
        // What the examples of `diff` compare.
        fs::write(directory.join("old.yaml"), &cluster).unwrap();
        fs::write(directory.join("new.yaml"), &cluster).unwrap();
        let repository = "git init -q; git add clusters; git -c user.name=a -c user.email=a@example.com commit -qm a; \
                          git update-ref refs/remotes/origin/main HEAD";
        success(&mut bash(repository, directory));
    }
    for path in [".local/share/bash-completion/completions", ".config/fish/completions", ".zfunc"] {
        fs::create_dir_all(directory.join(path)).unwrap();
    }
    success(&mut bash("umask 077; pgrender seed > the-seed; cp the-seed seed", directory));
    if !of_kpt {
        success(&mut bash("pgrender render --seed-file seed --output-dir manifests clusters", directory));
    }
}

/// Whether an example needs the API of a Kubernetes cluster. Only this part of kubectl does not.
fn needs_a_cluster(example: &str) -> bool {
    example.replace("kubectl kustomize", "").contains("kubectl ")
}

#[test]
fn the_examples_of_every_help_text_run() {
    let (mut count, mut left_out) = (0, 0);
    for command in commands() {
        let examples = examples(&command);
        assert!(!examples.is_empty(), "`pgrender {command} --help` has no examples");
        for example in examples {
            if needs_a_cluster(&example) {
                left_out += 1;
                continue;
            }
            let mut programs = ["kustomize", "kpt", "man"].into_iter().filter(|name| {
                example.split([' ', '|']).any(|word| word == *name)
                    && !example.starts_with(&format!("pgrender {name} >"))
            });
            if programs.any(|name| tools::program(name).is_none()) {
                continue;
            }
            let directory = tempfile::tempdir().unwrap();
            prepare(&example, directory.path());
            let output = tools::run(&mut bash(&example, directory.path()));
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{example}\n{}\n{stderr}", String::from_utf8_lossy(&output.stdout));
            assert!(!stderr.contains("error"), "{example}\n{stderr}");
            count += 1;
        }
    }
    assert!(count >= 15 && left_out <= 4, "{count} examples run, {left_out} are left out");
}

/// Returns what bash offers after the last of `words`.
fn completed(words: &[&str]) -> Vec<String> {
    let script = format!(
        "source <(pgrender completions bash)\nCOMP_WORDS=({})\nCOMP_CWORD={}\n\
         _pgrender pgrender '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    // Bash calls such a function without these options.
    let script = format!("set +eu\n{script}");
    success(&mut bash(&script, Path::new("/"))).lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_commands_and_options() {
    assert_eq!(completed(&["pgrender", "re"]), ["render"]);
    assert_eq!(completed(&["pgrender", "check", "--deny"]), ["--deny-warnings"]);
    assert_eq!(completed(&["pgrender", "check", "--format", "s"]), ["sarif"]);
    assert_eq!(completed(&["pgrender", "schema", "--of", "c"]), ["check"]);
    assert!(!completed(&["pgrender", "check", "--"]).contains(&"--seed-file".to_owned()));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(pgrender(&["completions", shell]).contains("deny-warnings"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let Some(man) = tools::program("man") else { return };
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in &commands {
        let arguments: Vec<&str> = ["man", command].into_iter().filter(|word| !word.is_empty()).collect();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("page.1");
        fs::write(&file, pgrender(&arguments)).unwrap();
        let mut show = Command::new(&man);
        show.args(["--warnings", "--local-file"]).arg(&file);
        show.env("LC_ALL", "C.UTF-8").env("MANPAGER", "cat").env("MANWIDTH", "200");
        let output = tools::run(&mut show);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
        let page = String::from_utf8(output.stdout).unwrap();
        let title = if command.is_empty() { "pgrender(1)".to_owned() } else { format!("pgrender-{command}(1)") };
        assert!(page.contains(&title) && page.contains("\nEXAMPLES\n"), "{page}");
        // The lines of examples are as they are in the help.
        for example in examples(command) {
            assert!(page.lines().any(|line| line.trim() == example), "{example}\n{page}");
        }
    }
    let wrong = tools::run(Command::new(env!("CARGO_BIN_EXE_pgrender")).args(["man", "rendr"]));
    let stderr = String::from_utf8_lossy(&wrong.stderr);
    assert!(wrong.status.code() == Some(2) && stderr.contains("write one of render, check"), "{stderr}");
}
