//! Writes one file per object. All files are first written under temporary names. Then they are renamed to their final names,
//! and the files of an earlier run that are no longer needed are removed.
//!
//! The output directory itself may be a link, but links below it are not followed. Otherwise, anybody who can add a link to a
//! repository could choose which file is overwritten and where Secrets are written to.

mod earlier;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::{Diagnostic, ResourceRef};
use crate::render::PlannedResource;
use crate::write::{layout, yaml};
use earlier::Record;

/// Writes the objects of `resources` below `directory`.
pub(super) fn write(directory: &Path, resources: &[PlannedResource]) -> Result<(), Diagnostic> {
    let mut drafts = Drafts::default();
    let result = write_all(directory, resources, &mut drafts);
    if result.is_err() {
        drafts.discard();
    }
    result
}

fn write_all(directory: &Path, resources: &[PlannedResource], drafts: &mut Drafts) -> Result<(), Diagnostic> {
    let clusters: Vec<&ResourceRef> = resources.iter().map(|resource| &resource.reference).collect();
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    remove_leftovers(directory);
    for (resource, name) in resources.iter().zip(layout::directories(&clusters)) {
        let parent = make_directories(directory, &name)?;
        remove_leftovers(&parent);
        for object in resource.objects() {
            let file = layout::file_name(&object.reference());
            drafts.add(&parent, &file, yaml::to_string(&object.to_value()).as_bytes())?;
        }
    }
    let record = Record::read(directory);
    let (record, gone) = record.after(&clusters);
    drafts.add(directory, earlier::FILE, record.text().as_bytes())?;
    let written = drafts.take_places()?;
    // The directory of a cluster depends on whether another cluster in the same run had the same name.
    let earlier = clusters.iter().map(|cluster| earlier::Owner::from(*cluster)).chain(gone);
    for cluster in earlier {
        cluster.remove_stale(directory, &written)?;
    }
    Ok(())
}

/// Writes files with these names and texts to `directory`.
pub(super) fn write_files<'a>(
    directory: &Path,
    files: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), Diagnostic> {
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let mut drafts = Drafts::default();
    let added = files.map(|(name, text)| drafts.add(directory, name, text.as_bytes())).collect::<Result<Vec<_>, _>>();
    let result = added.and_then(|_| drafts.take_places());
    if result.is_err() {
        drafts.discard();
    }
    result.map(|_| ())
}

fn failed(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot write `{}`: {error}", path.display()))
}

/// Creates the missing directories of the path `below`, in the output directory.
fn make_directories(directory: &Path, below: &str) -> Result<PathBuf, Diagnostic> {
    let mut path = directory.to_owned();
    for part in below.split('/') {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) => {
                let what = if metadata.is_symlink() {
                    "is a symbolic link, which pgrender does not follow"
                } else {
                    "is not a directory"
                };
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

/// Files that are written but not yet renamed.
#[derive(Default)]
struct Drafts(Vec<Draft>);

struct Draft {
    path: PathBuf,
    target: PathBuf,
}

impl Drafts {
    /// Writes the draft of `file` in the directory `parent`.
    fn add(&mut self, parent: &Path, file: &str, content: &[u8]) -> Result<(), Diagnostic> {
        let target = parent.join(file);
        if fs::symlink_metadata(&target).is_ok_and(|metadata| metadata.is_dir()) {
            return Err(failed(&target, &io::ErrorKind::IsADirectory.into()));
        }
        let (path, mut draft) = create(parent, file).map_err(|error| failed(&target, &error))?;
        self.0.push(Draft { path: path.clone(), target });
        draft.write_all(content).map_err(|error| failed(&path, &error))
    }

    /// Renames the drafts to their final names, and returns these.
    fn take_places(&self) -> Result<BTreeSet<PathBuf>, Diagnostic> {
        for Draft { path, target } in &self.0 {
            // A link with this name is replaced, not followed.
            fs::rename(path, target).map_err(|error| failed(target, &error))?;
        }
        Ok(self.0.iter().map(|draft| draft.target.clone()).collect())
    }

    fn discard(&self) {
        for draft in &self.0 {
            // Some drafts may already be renamed. The first error is the one to report.
            let _ = fs::remove_file(&draft.path);
        }
    }
}

/// The suffix of a draft. It is not that of a manifest, so that no tool reads a draft.
const DRAFT: &str = ".pgrender";

/// The age after which a draft must come from a run that was interrupted.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// Creates the draft of `file` in the directory `parent`, and returns its path and the open file. Another run may write to the
/// same directory at the same time, and a run in another container may have the same process id, so an existing draft is never
/// replaced.
fn create(parent: &Path, file: &str) -> io::Result<(PathBuf, File)> {
    let mut attempts = (0..100).map(|attempt| {
        let path = parent.join(format!(".{file}.{}-{attempt}{DRAFT}", std::process::id()));
        create_new(&path).map(|file| (path, file))
    });
    let taken = |result: &io::Result<_>| matches!(result, Err(error) if error.kind() == io::ErrorKind::AlreadyExists);
    attempts.find(|result| !taken(result)).unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))
}

/// Creates a file that only its owner can read: Secrets contain passwords, and values that are copied from the spec into other
/// objects may contain passwords too (`ldapbindpasswd`, `repo1-cipher-pass`, environment variables of a sidecar). An existing
/// file is never opened, because it may have another mode and may be a link.
fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes the drafts in `directory` that an interrupted run has left, because they may contain Secrets. Drafts that cannot be
/// removed are ignored.
fn remove_leftovers(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // The draft of the record begins with two dots.
        let file = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(DRAFT));
        let is_draft = file.is_some_and(|file| file.contains(".yaml") || file.starts_with(earlier::FILE));
        // For a link, this is the metadata of the link itself.
        let is_old = entry.metadata().is_ok_and(|metadata| {
            !metadata.is_dir()
                && metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > LEFT_BEHIND))
        });
        if is_draft && is_old {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_never_one_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let draft = |attempt: u8| directory.path().join(format!(".a.yaml.{}-{attempt}.pgrender", std::process::id()));
        std::os::unix::fs::symlink(directory.path().join("outside"), draft(0)).unwrap();
        File::create(draft(1)).unwrap();
        let (path, _) = create(directory.path(), "a.yaml").unwrap();
        assert_eq!(path, draft(2));
        assert!(!directory.path().join("outside").exists());
        for attempt in 3..100 {
            File::create(draft(attempt)).unwrap();
        }
        assert_eq!(create(directory.path(), "a.yaml").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
