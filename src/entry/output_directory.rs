//! Writes one file per object. Nothing under its final name changes before everything is written; then the new files take
//! their places, and the files of an earlier run that are wanted no more go.
//!
//! The directory that the caller names may be a link. Below it none is followed: who can put one into a repository shall not
//! choose which file is overwritten, nor where Secrets are written to.

mod earlier;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::render::PlannedCluster;
use crate::report::{Diagnostic, ResourceRef};
use crate::write::{layout, yaml};
use earlier::Record;

/// Writes the objects of `clusters` below `directory`.
pub(super) fn write(directory: &Path, clusters: &[PlannedCluster]) -> Result<(), Diagnostic> {
    let mut drafts = Drafts::default();
    let result = write_all(directory, clusters, &mut drafts);
    if result.is_err() {
        drafts.discard();
    }
    result
}

fn write_all(directory: &Path, clusters: &[PlannedCluster], drafts: &mut Drafts) -> Result<(), Diagnostic> {
    let resources: Vec<&ResourceRef> = clusters.iter().map(|cluster| &cluster.resource).collect();
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for (cluster, name) in clusters.iter().zip(layout::directories(&resources)) {
        let parent = make_directories(directory, &name)?;
        for value in cluster.objects() {
            drafts.add(&parent, &layout::file_name(&value), yaml::to_string(&value).as_bytes())?;
        }
    }
    let record = Record::read(directory);
    let (record, gone) = record.after(&resources);
    drafts.add(directory, earlier::FILE, record.text().as_bytes())?;
    let written = drafts.take_places()?;
    // The directory of a cluster depends on whether it had a namesake in that run.
    let earlier = resources.iter().map(|cluster| earlier::Owner::from(*cluster)).chain(gone);
    for cluster in earlier {
        cluster.remove_stale(directory, &written)?;
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot write `{}`: {error}", path.display()))
}

/// Makes the directories `below` the output directory that are not there yet.
fn make_directories(directory: &Path, below: &str) -> Result<PathBuf, Diagnostic> {
    let mut path = directory.to_owned();
    for part in below.split('/') {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) => {
                let what = if metadata.is_symlink() { "is a link, which is not followed" } else { "is no directory" };
                return Err(Diagnostic::error(format!("`{}` {what}: remove it", path.display())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&path).map_err(|error| failed(&path, &error))?;
            }
            Err(error) => return Err(failed(&path, &error)),
        }
    }
    Ok(path)
}

/// Files that are written and not yet in their places.
#[derive(Default)]
struct Drafts(Vec<Draft>);

struct Draft {
    path: PathBuf,
    target: PathBuf,
}

impl Drafts {
    /// Writes what shall be `file` in the directory `parent`.
    fn add(&mut self, parent: &Path, file: &str, content: &[u8]) -> Result<(), Diagnostic> {
        let target = parent.join(file);
        if fs::symlink_metadata(&target).is_ok_and(|metadata| metadata.is_dir()) {
            return Err(failed(&target, &io::ErrorKind::IsADirectory.into()));
        }
        let path = parent.join(format!(".{file}.pgrender"));
        create(&path)
            .and_then(|mut draft| {
                self.0.push(Draft { path: path.clone(), target });
                draft.write_all(content)
            })
            .map_err(|error| failed(&path, &error))
    }

    /// Gives the files their names; these names.
    fn take_places(&self) -> Result<BTreeSet<PathBuf>, Diagnostic> {
        for Draft { path, target } in &self.0 {
            // A link in the place of the file is replaced, not followed.
            fs::rename(path, target).map_err(|error| failed(target, &error))?;
        }
        Ok(self.0.iter().map(|draft| draft.target.clone()).collect())
    }

    fn discard(&self) {
        for draft in &self.0 {
            // Some may have their places; the error that led here is the one to tell.
            let _ = fs::remove_file(&draft.path);
        }
    }
}

/// A new file for its owner's eyes only: Secrets hold passwords, and what is copied from the spec into other objects may
/// hold one too (`ldapbindpasswd`, `repo1-cipher-pass`, the environment of a sidecar). What a run that was interrupted has
/// left in its place is removed, for its mode may be another and it may be a link; the new file is never one that is there.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
