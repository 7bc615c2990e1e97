//! Runs the shell commands of README.md and docs exactly as they are on the page, if the page says that this test runs them.
//! Also tests `tools/documents.py`, which checks the pages: it accepts them, and it finds each kind of error.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MARKER: &str = "<!-- run by tests/integration/documents.rs -->";
const STATEFUL_SET: &str = "kind: StatefulSet";
/// A marker that is printed between the blocks of a page.
const NEXT: &str = "== next block ==\n";

/// A page: the commands that this test runs, and the files that the page shows.
struct Page {
    name: String,
    script: String,
    files: Vec<(String, String)>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(ROOT).unwrap().display().to_string();
        let mut page = Self { name, script: String::new(), files: Vec::new() };
        let mut above = "";
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if ["```sh", "```yaml"].contains(&line) {
                let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                // The first line of a file is a comment that contains only its name.
                let file = content.first().and_then(|line| line.strip_prefix("# "));
                let file = file.filter(|name| *name == "Kptfile" || has_extension(Path::new(name), "yaml"));
                let text = content.join("\n") + "\n";
                if line == "```sh" && above == MARKER {
                    page.script += &(text + &separator());
                } else if let Some(name) = file.filter(|_| line == "```yaml") {
                    page.files.push((name.to_owned(), text));
                }
            }
            above = line;
        }
        page
    }

    fn file(&self, name: &str) -> &str {
        &self.files.iter().find(|(known, _)| known == name).unwrap().1
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|known| known == extension)
}

/// README.md and every page of docs.
fn pages() -> Vec<Page> {
    let root = Path::new(ROOT);
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| has_extension(path, "md"));
    let mut paths: Vec<PathBuf> = [root.join("README.md")].into_iter().chain(pages).collect();
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

/// The command that prints the marker after each block.
fn separator() -> String {
    format!("printf '{}'\n", NEXT.escape_debug())
}

/// Returns a shell in `directory`, in which the commands of a page find pgrender and the other programs.
fn shell(directory: &Path, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_pgrender")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [program.to_owned()].into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(directory);
    command.env("PATH", std::env::join_paths(path).unwrap());
    command.env("HOME", directory).env("KUSTOMIZE_PLUGIN_HOME", directory.join("plugins")).env("SEED_FILE", "seed");
    for name in ["PGRENDER_SEED", "PGRENDER_SEED_FILE", "SOURCE_DATE_EPOCH"] {
        command.env_remove(name);
    }
    command
}

/// Runs a script until it exits, and returns its output.
fn output(page: &str, directory: &Path, script: &str) -> String {
    let output = shell(directory, script).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{page}:\n{script}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Creates what the commands of a page expect from the reader, but nothing else, because kpt reads every file of its package.
fn prepare(page: &Page, cluster: &str, directory: &Path) {
    fs::write(directory.join("cluster.yaml"), cluster).unwrap();
    for (name, content) in &page.files {
        fs::write(directory.join(name), content).unwrap();
    }
    if !page.script.contains("pgrender seed > seed") {
        output(&page.name, directory, "(umask 077; pgrender seed > seed)");
    }
    for (word, script) in [
        ("clusters/", "mkdir clusters; cp cluster.yaml clusters/"),
        // Secrets with another seed, but with the names of the rendered ones.
        ("existing.yaml", "pgrender render --random cluster.yaml > existing.yaml"),
        ("git ", "git init -q; git add clusters; git -c user.name=a -c user.email=a@b commit -qm clusters"),
    ] {
        if page.script.contains(word) {
            output(&page.name, directory, script);
        }
    }
    for examples in ["functions", "kustomize"] {
        if page.script.contains(&format!("{examples}/")) {
            symlink(Path::new(ROOT).join(examples), directory.join(examples)).unwrap();
        }
    }
}

/// Whether a file below `directory` contains a StatefulSet. Links are ignored.
fn has_stateful_set(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().map(Result::unwrap).any(|entry| {
        let kind = entry.file_type().unwrap();
        (kind.is_dir() && has_stateful_set(&entry.path()))
            || (kind.is_file()
                && fs::read(entry.path()).unwrap().starts_with(b"apiVersion: apps/v1\nkind: StatefulSet"))
    })
}

#[test]
fn the_commands_of_every_page_run() {
    let pages = pages();
    let quickstart = pages.iter().find(|page| page.name == "docs/quickstart.md").unwrap();
    let cluster = quickstart.file("cluster.yaml");
    let mut count = 0;
    for page in pages.iter().filter(|page| !page.script.is_empty()) {
        count += 1;
        let mut programs = ["kustomize build", "kubectl kustomize", "kpt fn", "git "].into_iter();
        let missing = programs.any(|words| {
            page.script.contains(words)
                && crate::common::tools::program(words.split_whitespace().next().unwrap()).is_none()
        });
        if missing {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        prepare(page, cluster, directory.path());
        let printed = output(&page.name, directory.path(), &page.script);
        let seed = fs::read(directory.path().join("seed")).unwrap();
        assert!(seed.len() > 32, "{}", page.name);
        // kustomize silently skips a function that it does not run, so the exit code is not enough.
        for (block, printed) in page.script.split(&separator()).zip(printed.split(NEXT)) {
            let renders = ["pgrender render", "kustomize ", "kpt "].iter().any(|word| block.contains(word));
            let rendered = printed.contains(STATEFUL_SET) || has_stateful_set(directory.path());
            assert!(!renders || rendered, "{}: nothing is rendered by\n{block}", page.name);
        }
    }
    assert!(count >= 8, "only {count} pages have commands that are run");
}

/// Runs the check on the repository in `root`, and returns whether it passed and its output.
fn check(python: &Path, root: &Path) -> (bool, String) {
    let output = Command::new(python).arg(Path::new(ROOT).join("tools/documents.py")).arg(root).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_check_of_the_documentation_finds_each_kind_of_fault() {
    let (Some(python), Some(_)) = (crate::common::tools::program("python3"), crate::common::tools::program("git"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let good = "# A page\n\n[a](#a-page), [b](docs/other.md#b-c), `[c](nowhere)`, [d](docs)\n\n\
                <!-- not run by a test: it is an example -->\n```sh\necho [e](nowhere)\n```\n";
    let write = |readme: &str, source: &str| {
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::write(root.join("README.md"), readme).unwrap();
        fs::write(root.join("docs/other.md"), "# B `c`\n\n[up](../README.md)\n").unwrap();
        fs::write(root.join("source.rs"), source).unwrap();
        output("git", root, "git init -q; mkdir -p .ci; touch .ci/run; git add README.md docs source.rs");
        check(&python, root)
    };
    assert_eq!(write(good, "// See docs/other.md, B c\n"), (true, String::new()));
    let marker = "<!-- not run by a test: it is an example -->";
    for (readme, source, fault) in [
        (good.replace("docs/other.md#", "docs/otter.md#"), "", "`docs/otter.md#b-c` leads to no file"),
        (good.replace("#b-c", "#b-d"), "", "`docs/other.md#b-d` leads to no heading"),
        (good.replace("(#a-page)", "(#page)"), "", "`#page` leads to no heading"),
        (good.replace("(docs)", "(../docs)"), "", "`../docs` leads to no file"),
        (good.replace("(docs/other.md#b-c)", "(docs)"), "", "has no link to docs/other.md"),
        (good.replace(marker, ""), "", "say above these commands"),
        (good.replace(marker, "<!-- not run by a test: -->"), "", "say above these commands"),
        (good.replace(marker, "<!-- run by tests/other.rs -->"), "", "`tests/other.rs` runs no commands"),
        (
            good.replace(marker, "<!-- run by tests/e2e/scenarios/a.py -->"),
            "",
            "`tests/e2e/scenarios/a.py` runs no commands",
        ),
        (good.replace(marker, &format!("  {MARKER}")), "", "not indented"),
        (good.replace(marker, &format!("{MARKER}\n")), "", "say above these commands"),
        (good.replace(marker, "<!-- run by .ci/run -->"), "", "runs only what"),
        (good.replace("```sh", "```bash"), "", "write `sh` instead"),
        (good.replace("A page", &"A page ".repeat(30)), "", "at most 130"),
        (good.replace("\n\n[", &"\n".repeat(160)), "", "more than 160 lines"),
        (good.to_owned(), "// docs/otter.md\n", "no page `docs/otter.md`"),
        (good.to_owned(), "\"(docs/other.md, Restoring)\"\n", "no heading `Restoring`"),
    ] {
        let (success, said) = write(&readme, source);
        assert!(!success && said.contains(fault), "{fault}\n{readme}\n{said}");
    }
}

#[test]
fn the_documentation_has_no_fault() {
    let (Some(python), Some(_)) = (crate::common::tools::program("python3"), crate::common::tools::program("git"))
    else {
        return;
    };
    assert_eq!(check(&python, Path::new(ROOT)), (true, String::new()));
}
