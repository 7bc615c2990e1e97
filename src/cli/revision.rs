//! Reads files of a Git revision, through the program `git`.
//!
//! Only what Git proves to be absent is absent. Everything else that goes wrong is an error, because whoever reads the comparison
//! would otherwise take a failure for an empty directory.

mod git;

use std::path::Path;

use crate::cli::input;
use crate::diagnostic::{Diagnostic, line};
use crate::read::{self, Document};

/// `REVISION:PATH`.
pub(super) struct Revision<'a> {
    /// The name of the revision as the user wrote it.
    name: &'a str,
    /// The path as the user wrote it.
    path: &'a str,
    /// The identifier of the commit.
    commit: String,
}

/// What is at a path of a revision.
pub(super) struct Found {
    /// The documents of its files.
    pub(super) documents: Vec<Document>,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

/// Returns the revision and the path, if `text` has the form `REVISION:PATH`. A file with a colon in its name does not replace a
/// revision, because anybody who proposes a change could add one. Such a file is written `./a:b`.
pub(super) fn parse(text: &str) -> Result<Option<Revision<'_>>, Diagnostic> {
    let Some((revision, path)) = split(text) else { return Ok(None) };
    let exists = Path::new(text).exists();
    match git::commit(revision) {
        Ok(Some(commit)) => Ok(Some(Revision { name: revision, path, commit })),
        Ok(None) | Err(_) if exists => Ok(None),
        Ok(None) => Err(Diagnostic::error(format!(
            "there is no revision `{revision}` in this Git repository: correct it, or fetch it (a shallow clone has only \
             one revision)"
        ))),
        Err(error) => Err(error),
    }
}

/// Whether a text is a revision without a path.
pub(super) fn is_revision(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['.', '/']) && matches!(git::commit(text), Ok(Some(_)))
}

/// Splits at the first colon that is not in braces, as Git does: `HEAD^{/fix: this}:clusters`.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let colon = text.find(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ':' && depth == 0
    })?;
    let (revision, path) = (&text[..colon], &text[colon + 1..]);
    (!revision.is_empty() && !revision.starts_with(['.', '/'])).then_some((revision, path))
}

impl Revision<'_> {
    /// Says that the path is not in the revision.
    pub(super) fn absent(&self) -> String {
        let (revision, path) = (line::shown(self.name), line::shown(self.path));
        format!("`{path}` is not in the revision `{revision}`, so nothing was compared there")
    }

    /// Reads the file at the path, or all files below that directory which [`input::documents`] would read. As in Git, the path
    /// is relative to the top directory of the repository, unless it begins with `./` or `../`. Returns `None` if the revision
    /// does not have it.
    pub(super) fn documents(&self) -> Result<Option<Found>, Vec<Diagnostic>> {
        let path = self.path_from_top().map_err(only)?;
        // A name for messages, which Git understands too.
        let name = format!("{}:{path}", self.name);
        if path.is_empty() {
            return tree(&self.commit, &name).map(Some);
        }
        let entries = git::tree(&["-z", "--full-tree", &self.commit, "--", &path], &name).map_err(only)?;
        let Some(entry) = entries.into_iter().next() else { return Ok(None) };
        let refused = |what: &str| {
            let message = format!("`{name}` is {what}, which is not followed in a revision: name what it leads to");
            Err(vec![Diagnostic::error(message)])
        };
        match entry.kind {
            git::Kind::Directory => tree(&entry.id, &name).map(Some),
            git::Kind::Link => refused("a symbolic link"),
            git::Kind::Submodule => refused("a submodule"),
            git::Kind::File => {
                let documents = parsed(&mut git::Blobs::default(), &entry.id, &name)?;
                Ok(Some(Found { documents, notes: Vec::new() }))
            }
        }
    }

    /// Returns the path from the top directory of the repository, which is empty for that directory.
    fn path_from_top(&self) -> Result<String, Diagnostic> {
        let first = self.path.split('/').next().unwrap_or_default();
        if first.is_empty() && !self.path.is_empty() {
            let message = format!(
                "`{}` is not a path in a Git revision: write it from the top directory of the repository, without the \
                 first `/`",
                self.path
            );
            return Err(Diagnostic::error(message));
        }
        let start = if matches!(first, "." | "..") { git::prefix()? } else { String::new() };
        let mut parts: Vec<&str> = Vec::new();
        for part in start.split('/').chain(self.path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        let message =
                            format!("`{}` leads out of the Git repository: write a path inside it", self.path);
                        return Err(Diagnostic::error(message));
                    }
                }
                _ => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }
}

/// Reads a directory.
fn tree(id: &str, name: &str) -> Result<Found, Vec<Diagnostic>> {
    let mut blobs = git::Blobs::default();
    let mut found = Found { documents: Vec::new(), notes: Vec::new() };
    let mut errors = Vec::new();
    let separator = if name.ends_with(':') { "" } else { "/" };
    for entry in git::tree(&["-r", "-z", "--full-tree", id], name).map_err(only)? {
        let is_hidden = entry.name.split('/').any(|part| part.starts_with('.'));
        if is_hidden {
            continue;
        }
        let file = format!("{name}{separator}{}", entry.name);
        match entry.kind {
            git::Kind::File if input::is_manifest(Path::new(&entry.name)) => {
                match parsed(&mut blobs, &entry.id, &file) {
                    Ok(documents) => found.documents.extend(documents),
                    Err(more) => errors.extend(more),
                }
            }
            git::Kind::Link if input::is_manifest(Path::new(&entry.name)) => {
                found.notes.push(format!("`{}` is a symbolic link, so it was not read", line::shown(&file)));
            }
            git::Kind::Submodule => {
                found.notes.push(format!("`{}` is a submodule, so it was not read", line::shown(&file)));
            }
            _ => {}
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn parsed(blobs: &mut git::Blobs, id: &str, name: &str) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let text = read::text(blobs.read(id, name).map_err(only)?, name).map_err(only)?;
    Ok(read::documents(name, &text)?.into_iter().flat_map(input::flatten).collect())
}

fn only(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_revision_ends_at_a_colon_outside_of_braces() {
        assert_eq!(split("HEAD:a:b"), Some(("HEAD", "a:b")));
        assert_eq!(split("HEAD:"), Some(("HEAD", "")));
        assert_eq!(split("HEAD^{/fix: this}:a"), Some(("HEAD^{/fix: this}", "a")));
        for text in ["./a:b", "/a:b", "../a:b", ":a", "a", "", "HEAD^{/fix: this}"] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
