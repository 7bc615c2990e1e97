//! Reads the input: files, directories, standard input.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::read::node::NodeValue;
use crate::read::{self, Document, template};
use crate::render;

/// The largest number of bytes that is read from one file, so that a device file does not fill the memory. It is more than
/// [`read::documents`] accepts, so that the error comes from there.
const MAX: u64 = 128 * 1024 * 1024;

/// The name of standard input in messages.
pub(super) const STDIN: &str = "<stdin>";

/// Reads every document of `inputs`, or of standard input if there are none. All errors are returned at once.
pub(super) fn documents(inputs: &[PathBuf]) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let stdin = [PathBuf::from("-")];
    let inputs = if inputs.is_empty() { &stdin } else { inputs };
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for input in inputs {
        if let Err(error) = find(input, &mut files) {
            errors.push(unreadable(input, &error));
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    for path in files {
        let read = text(&path).map_err(|error| vec![error]);
        match read.and_then(|text| read::documents(&name(&path), &text)) {
            Ok(read) => documents.extend(read.into_iter().flat_map(flatten)),
            Err(found) => errors.extend(found),
        }
    }
    // All files of a chart have the same problem, so only the first error is kept.
    let mut templates = 0;
    errors.retain(|error| {
        templates += usize::from(error.message == template::NOT_RENDERED);
        templates < 2 || error.message != template::NOT_RENDERED
    });
    if errors.is_empty() { Ok(documents) } else { Err(errors) }
}

/// Reads the files of `--existing`. Standard input can be read only once, so `-` cannot be an input file too.
pub(super) fn existing(inputs: &[PathBuf], existing: &[PathBuf]) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let stdin = Path::new("-");
    let taken = inputs.is_empty() || inputs.iter().any(|input| input == stdin);
    if taken && existing.iter().any(|input| input == stdin) {
        let message = "standard input is used both for the clusters and for `--existing`, but can be read only once: give a \
                       file for one of them";
        return Err(vec![Diagnostic::error(message)]);
    }
    if existing.is_empty() { Ok(Vec::new()) } else { documents(existing) }
}

/// The error for an input without a resource that pgrender renders.
pub(super) fn without_resource() -> Diagnostic {
    Diagnostic::error(format!("no {} in the input: give a file or directory that contains one", render::kinds()))
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

/// Adds the files of `input`: the file itself, or all files below a directory, in the order of their names.
fn find(input: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !input.is_dir() {
        files.push(input.to_owned());
        return Ok(());
    }
    let mut entries = fs::read_dir(input)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let extension = path.extension().and_then(|extension| extension.to_str());
        let manifest = matches!(extension, Some("yaml" | "yml" | "json"));
        // A link to a directory could lead back to a parent.
        let directory = entry.file_type()?.is_dir();
        if !hidden && (directory || (manifest && path.is_file())) {
            find(&path, files)?;
        }
    }
    Ok(())
}

/// Returns the items of a list (`kubectl get -o yaml` prints one), or the document itself.
fn flatten(document: Document) -> Vec<Document> {
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
