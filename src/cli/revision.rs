//! Reads files of a Git revision, through the program `git`.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::input;
use crate::diagnostic::Diagnostic;
use crate::read::{self, Document};

/// What is at a path of a revision.
pub(super) enum Found {
    /// The documents of its files.
    Documents(Vec<Document>),
    /// The revision does not have the path.
    Absent,
}

/// Splits `REVISION:PATH`. A file of that name takes precedence.
pub(super) fn parse(text: &str) -> Option<(&str, &str)> {
    if Path::new(text).exists() { None } else { text.split_once(':').filter(|(revision, _)| !revision.is_empty()) }
}

/// Reads the file at `path` of a revision, or all files below that directory which [`input::documents`] would read. As in Git, the
/// path is relative to the root of the repository, unless it begins with `./`.
pub(super) fn documents(revision: &str, path: &str) -> Result<Found, Vec<Diagnostic>> {
    let commit = format!("{revision}^{{commit}}");
    if git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).map_err(only)?.is_none() {
        let message = format!(
            "there is no revision `{revision}` in this Git repository: correct it, or fetch it (a shallow clone has only \
             one revision)"
        );
        return Err(vec![Diagnostic::error(message)]);
    }
    let object = format!("{revision}:{}", path.trim_end_matches('/'));
    let Some(kind) = git(&["cat-file", "-t", "--end-of-options", &object]).map_err(only)? else {
        return Ok(Found::Absent);
    };
    if kind.trim_ascii() == b"blob" {
        let content = git(&["cat-file", "blob", "--end-of-options", &object]).map_err(only)?.unwrap_or_default();
        return parsed(&object, content).map(Found::Documents);
    }
    let listed = git(&["ls-tree", "-r", "-z", "--end-of-options", &object]).map_err(only)?.unwrap_or_default();
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    for (id, name) in files(&listed) {
        let content = git(&["cat-file", "blob", id]).map_err(only)?.unwrap_or_default();
        match parsed(&format!("{object}/{name}"), content) {
            Ok(found) => documents.extend(found),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(Found::Documents(documents)) } else { Err(errors) }
}

/// The identifiers and names of files that are read: no hidden ones, and no links.
fn files(listed: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let entries = listed.split(|byte| *byte == 0).filter_map(|entry| str::from_utf8(entry).ok());
    entries.filter_map(|entry| {
        let (properties, name) = entry.split_once('\t')?;
        let mut words = properties.split(' ');
        let (mode, kind, id) = (words.next()?, words.next()?, words.next()?);
        let is_hidden = name.split('/').any(|part| part.starts_with('.'));
        let is_file = kind == "blob" && mode != "120000";
        (is_file && !is_hidden && input::is_manifest(Path::new(name))).then_some((id, name))
    })
}

fn parsed(name: &str, content: Vec<u8>) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let text = read::text(content, name).map_err(only)?;
    Ok(read::documents(name, &text)?.into_iter().flat_map(input::flatten).collect())
}

fn only(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}

/// Runs Git and returns what it printed; `None` if it failed.
fn git(arguments: &[&str]) -> Result<Option<Vec<u8>>, Diagnostic> {
    let output = Command::new("git").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output =
        output.map_err(|error| Diagnostic::error(format!("cannot run `git`, which reads revisions: {error}")))?;
    Ok(output.status.success().then_some(output.stdout))
}
