//! Reads the input: files, directories, standard input.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::read::node::NodeValue;
use crate::read::{self, Document, template};

/// The largest number of bytes that is read from one file, so that a device file does not fill the memory. It is more than
/// [`read::documents`] accepts, so that the error comes from there.
const MAX: u64 = 128 * 1024 * 1024;

/// The name of standard input in messages.
pub(super) const STDIN: &str = "<stdin>";

/// Reads every document of `inputs`, or of standard input if there are none. All errors are returned at once. Gives the name and
/// the text of each file to `keep`.
pub(super) fn documents(
    inputs: &[PathBuf],
    mut keep: impl FnMut(String, String),
) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let stdin = [PathBuf::from("-")];
    let inputs = if inputs.is_empty() { &stdin } else { inputs };
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for input in inputs {
        if let Err(error) = find(input, input, &mut files, &mut errors) {
            errors.push(unreadable(input, &error));
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    for path in files {
        let text = match text(&path) {
            Ok(text) => text,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        match read::documents(&name(&path), &text) {
            Ok(read) => documents.extend(read.into_iter().flat_map(flatten)),
            Err(found) => errors.extend(found),
        }
        keep(name(&path), text);
    }
    // All files of a chart have the same problem, so only the first error is kept.
    let mut templates = 0;
    errors.retain(|error| {
        templates += usize::from(error.message == template::NOT_RENDERED);
        templates < 2 || error.message != template::NOT_RENDERED
    });
    if errors.is_empty() { Ok(documents) } else { Err(errors) }
}

/// Returns the whole text of standard input.
pub(super) fn stdin() -> Result<String, Diagnostic> {
    text(Path::new("-"))
}

/// Returns the text of a file, or of standard input for `-`.
pub(super) fn text(path: &Path) -> Result<String, Diagnostic> {
    let read = || {
        let source: Box<dyn Read> =
            if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
        let mut bytes = Vec::new();
        source.take(MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read::text(read().map_err(|error| unreadable(path, &error))?, &name(path))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { STDIN.to_owned() } else { path.display().to_string() }
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot read `{}`: {error}", name(path)))
}

/// Adds the files of `input`: the file itself, or all files below a directory, in the order of their names. `root` is the
/// directory that the user named.
fn find(root: &Path, input: &Path, files: &mut Vec<PathBuf>, errors: &mut Vec<Diagnostic>) -> io::Result<()> {
    if !input.is_dir() {
        files.push(input.to_owned());
        return Ok(());
    }
    let mut entries = fs::read_dir(input)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type()?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_symlink() && is_manifest(&path) && !path.is_dir() {
            match is_inside(root, &path) {
                Ok(true) => files.push(path),
                Ok(false) => errors.push(leads_outside(&path)),
                Err(error) => errors.push(unreadable(&path, &error)),
            }
        } else if kind.is_dir() || (kind.is_file() && is_manifest(&path)) {
            // A link to a directory could lead back to a parent, so it is no directory here.
            find(root, &path, files, errors)?;
        }
    }
    Ok(())
}

/// Whether a link leads to a file below `root`, as each file of a mounted ConfigMap does (the kubelet's `AtomicWriter`).
fn is_inside(root: &Path, link: &Path) -> io::Result<bool> {
    Ok(fs::canonicalize(link)?.starts_with(fs::canonicalize(root)?))
}

/// A link in a change that somebody proposes could show the lines of any file of the machine that checks it.
fn leads_outside(link: &Path) -> Diagnostic {
    let link = link.display();
    Diagnostic::error(format!(
        "`{link}` is a symbolic link to a file outside of the directory, which is not read: put a copy of the file there, or \
         remove the link and name the file itself on the command line"
    ))
}

/// Whether a file below a directory is read: by its name.
pub(super) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Returns the items of a list (`kubectl get -o yaml` prints one), or the document itself.
pub(super) fn flatten(document: Document) -> Vec<Document> {
    let kind = document.node.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default();
    if !kind.ends_with("List") || document.node.get("items").is_none() {
        return vec![document];
    }
    let Document { file, node } = document;
    let NodeValue::Mapping(entries) = node.value else { return Vec::new() };
    let items = entries.into_iter().find(|entry| entry.key == "items").map(|entry| entry.value.value);
    let Some(NodeValue::Sequence(items)) = items else { return Vec::new() };
    items.into_iter().map(|node| Document { file: file.clone(), node }).collect()
}
