//! Writes one file per object. Nothing under its final name changes before everything is written; then the new files take
//! their places, and the files of an earlier run that are wanted no more go.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::naming::label;
use crate::object;
use crate::read;
use crate::render::RenderedCluster;
use crate::report::{Diagnostic, ResourceRef};
use crate::write::{layout, yaml};

/// Writes the objects of `clusters` below `directory`.
pub(super) fn write(directory: &Path, clusters: &[RenderedCluster]) -> Result<(), Diagnostic> {
    let mut temporary = Vec::new();
    let result = write_all(directory, clusters, &mut temporary);
    if result.is_err() {
        for path in &temporary {
            // What could not be written may not be there; the error above is the one to tell.
            let _ = fs::remove_file(path);
        }
    }
    result
}

fn write_all(directory: &Path, clusters: &[RenderedCluster], temporary: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    let names = layout::directories(&clusters.iter().map(|cluster| &cluster.resource).collect::<Vec<_>>());
    let mut moves = Vec::new();
    for (cluster, name) in clusters.iter().zip(&names) {
        let parent = directory.join(name);
        fs::create_dir_all(&parent).map_err(|error| failed(&parent, &error))?;
        for value in &cluster.objects {
            let file = layout::file_name(value);
            let (target, draft) = (parent.join(&file), parent.join(format!(".{file}.pgrender")));
            if target.is_dir() {
                return Err(failed(&target, &io::ErrorKind::IsADirectory.into()));
            }
            temporary.push(draft.clone());
            let secret = object::rendered_reference(value).kind == "Secret";
            create(&draft, secret)
                .and_then(|mut file| file.write_all(yaml::to_string(value).as_bytes()))
                .map_err(|error| failed(&draft, &error))?;
            moves.push((draft, target));
        }
    }
    for (draft, target) in &moves {
        fs::rename(draft, target).map_err(|error| failed(target, &error))?;
    }
    let written: BTreeSet<&PathBuf> = moves.iter().map(|(_, target)| target).collect();
    for cluster in clusters.iter().map(|cluster| &cluster.resource) {
        // The directory depends on whether the cluster had a namesake in that run.
        for parent in [directory.join(&cluster.name), directory.join(&cluster.namespace).join(&cluster.name)] {
            remove_stale(&parent, cluster, &written).map_err(|error| failed(&parent, &error))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot write `{}`: {error}", path.display()))
}

/// A new file; for its owner's eyes only when it is `secret`.
fn create(path: &Path, secret: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    options.open(path)
}

/// Removes the files in `directory` that hold nothing but objects which an earlier run made for `cluster`.
fn remove_stale(directory: &Path, cluster: &ResourceRef, written: &BTreeSet<&PathBuf>) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let manifest = path.extension().is_some_and(|extension| extension == "yaml");
        if manifest && path.is_file() && !written.contains(&path) && is_ours(&path, cluster) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A file that cannot be read is not ours.
#[expect(clippy::disallowed_methods, reason = "looks at the files of an earlier run")]
fn is_ours(path: &Path, cluster: &ResourceRef) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return false };
    let Ok(documents) = read::documents("", &text) else { return false };
    !documents.is_empty()
        && documents.iter().all(|document| {
            object::label(&document.node, label::RENDERED) == Some(&cluster.name)
                && object::reference(&document.node).namespace == cluster.namespace
        })
}
