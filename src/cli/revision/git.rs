//! Runs the program `git`, so that it only reads.
//!
//! The repository may belong to somebody else, and its configuration may name programs. Git runs them when it fetches, and it
//! fetches by itself what a partial clone does not have. So it may not fetch, with any version of Git: the variable for this is
//! new (<https://git-scm.com/docs/git#Documentation/git.txt-GITNOLAZYFETCH>), the list of allowed protocols is not.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use crate::diagnostic::Diagnostic;
use crate::read;

/// The longest line that `git cat-file` prints before an object. The longest identifier has 64 characters.
const LONGEST_HEADER: u64 = 200;

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    File,
    Directory,
    Link,
    Submodule,
}

/// An entry of a tree.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) name: String,
}

/// Returns the identifier of the commit that a revision names, or `None` if there is no such revision.
pub(super) fn commit(revision: &str) -> Result<Option<String>, Diagnostic> {
    let commit = format!("{revision}^{{commit}}");
    let output = run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    // Git says nothing about a name that it does not know, and the reason if it cannot read what the name stands for.
    if output.status.code() == Some(1) && output.stderr.is_empty() {
        return Ok(None);
    }
    let id = String::from_utf8_lossy(&successful(output, revision)?).trim().to_owned();
    Ok(id.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(id))
}

/// Returns the current directory from the top directory of the repository.
pub(super) fn prefix() -> Result<String, Diagnostic> {
    let output = successful(run(&["rev-parse", "--show-prefix"])?, ".")?;
    Ok(String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned())
}

/// Returns the entries that `git ls-tree` lists. `name` is what is read, for messages.
pub(super) fn tree(arguments: &[&str], name: &str) -> Result<Vec<Entry>, Diagnostic> {
    let arguments: Vec<&str> = ["ls-tree"].into_iter().chain(arguments.iter().copied()).collect();
    let listed = successful(run(&arguments)?, name)?;
    let entries = listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let entries = entries.map(|entry| entry_of(&String::from_utf8_lossy(entry)));
    let unknown = || Diagnostic::error(format!("cannot read `{name}`: `git ls-tree` printed something unknown"));
    entries.collect::<Option<_>>().ok_or_else(unknown)
}

/// Reads a line of `git ls-tree`: `100644 blob IDENTIFIER`, a tab and the name.
fn entry_of(line: &str) -> Option<Entry> {
    let (properties, name) = line.split_once('\t')?;
    let mut words = properties.split(' ');
    let (mode, kind, id) = (words.next()?, words.next()?, words.next()?);
    let kind = match kind {
        "blob" if mode == "120000" => Kind::Link,
        "blob" => Kind::File,
        "tree" => Kind::Directory,
        _ => Kind::Submodule,
    };
    Some(Entry { kind, id: id.to_owned(), name: name.to_owned() })
}

/// Reads the contents of files, all with one process.
#[derive(Default)]
pub(super) struct Blobs(Option<Process>);

struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Blobs {
    /// Returns the content of a file. `name` is its name in messages.
    pub(super) fn read(&mut self, id: &str, name: &str) -> Result<Vec<u8>, Diagnostic> {
        let mut process = match self.0.take() {
            Some(process) => process,
            None => Process::start()?,
        };
        let Some(header) = process.ask(id) else { return Err(process.failed(name)) };
        let mut words = header.trim_end().split(' ').skip(1);
        let size = match (words.next(), words.next().map(str::parse::<usize>)) {
            (Some("blob"), Some(Ok(size))) => size,
            // Git says nothing else if it is a partial clone, and the reason if the object is broken.
            (Some("missing"), _) => {
                let said = process.said();
                return Err(if said.is_empty() { missing(name) } else { failure(&said, name) });
            }
            _ => return Err(process.failed(name)),
        };
        read::check_size(size, name)?;
        // A line break follows the content.
        let mut content = vec![0; size + 1];
        if process.stdout.read_exact(&mut content).is_err() {
            return Err(process.failed(name));
        }
        content.truncate(size);
        self.0 = Some(process);
        Ok(content)
    }
}

impl Process {
    fn start() -> Result<Self, Diagnostic> {
        let mut command = command(&["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| not_run(&error))?;
        let stdin = child.stdin.take().expect("it is a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Ok(Self { child, stdin, stdout })
    }

    /// Asks for an object and returns the line before its content: `IDENTIFIER blob SIZE`.
    fn ask(&mut self, id: &str) -> Option<String> {
        writeln!(self.stdin, "{id}").and_then(|()| self.stdin.flush()).ok()?;
        let mut header = Vec::new();
        self.stdout.by_ref().take(LONGEST_HEADER).read_until(b'\n', &mut header).ok()?;
        String::from_utf8(header).ok()
    }

    /// Ends Git and returns its messages.
    fn said(mut self) -> Vec<u8> {
        let _ = self.child.kill();
        let mut said = Vec::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_end(&mut said);
        }
        said
    }

    fn failed(self, name: &str) -> Diagnostic {
        failure(&self.said(), name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may still have to write the rest of a file that is too large.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(arguments).stdin(Stdio::null());
    for (name, value) in [
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_ALLOW_PROTOCOL", ""),
        ("GIT_PROTOCOL_FROM_USER", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        // A path is a path, whatever characters it has.
        ("GIT_LITERAL_PATHSPECS", "1"),
        // One of its messages is recognized.
        ("LC_ALL", "C"),
    ] {
        command.env(name, value);
    }
    command
}

fn run(arguments: &[&str]) -> Result<Output, Diagnostic> {
    command(arguments).output().map_err(|error| not_run(&error))
}

fn not_run(error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot run `git`, which reads revisions: {error}"))
}

/// Returns what Git printed, or why it failed.
fn successful(output: Output, name: &str) -> Result<Vec<u8>, Diagnostic> {
    if output.status.success() { Ok(output.stdout) } else { Err(failure(&output.stderr, name)) }
}

fn missing(name: &str) -> Diagnostic {
    let message = "the repository does not have its content: fetch it, or clone without `--filter`";
    Diagnostic::error(format!("cannot read `{name}`: {message}"))
}

fn failure(said: &[u8], name: &str) -> Diagnostic {
    let said = String::from_utf8_lossy(said);
    if said.contains("not a git repository") {
        let message = format!("cannot read `{name}`: this directory is not in a Git repository");
        return Diagnostic::error(message);
    }
    let said = said.trim();
    let said = if said.is_empty() { "it said nothing" } else { said };
    Diagnostic::error(format!("cannot read `{name}`: `git` failed: {said}"))
}
