//! Finds the files that earlier runs wrote to an output directory, and decides which to remove.
//!
//! A file is removed only if pgrender can have written it: it is a file, not a link, in the directory of a cluster, and it
//! contains only the object that its name says, with the label of that cluster. If the cluster is in the input, the files that
//! this run did not write are removed.
//!
//! If a cluster is no longer in the input, all its files are removed. But another command with another input may write to the
//! same directory, and to remove the files of its clusters could mean to delete their databases. So a hidden file records which
//! clusters were written together. A run continues the earlier runs that have at least one cluster in common with it, and
//! removes the clusters that only those had. Runs without a common cluster, and clusters that are not in the record, are left
//! alone.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::failed;
use crate::diagnostic::{Diagnostic, ResourceRef};
use crate::naming::label;
use crate::read;
use crate::read::object;
use crate::write::layout;

/// The name of the record. The file is hidden and does not have the suffix of a manifest, so that kubectl and pgrender ignore
/// it.
pub(super) const FILE: &str = ".pgrender";

/// The largest record that is read, in bytes.
const MAX: u64 = 1024 * 1024;

/// The largest object that is read, in bytes. It is larger than what an API server accepts (etcd: 1.5 MiB).
const MAX_OBJECT: u64 = 4 * 1024 * 1024;

/// A cluster whose objects may be in a directory.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Owner {
    namespace: String,
    name: String,
}

impl From<&ResourceRef> for Owner {
    fn from(cluster: &ResourceRef) -> Self {
        Self { namespace: cluster.namespace.clone(), name: cluster.name.clone() }
    }
}

impl Owner {
    fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        };
        (is_name(namespace) && is_name(name)).then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// Removes the files of this cluster below `directory`, except those in `written`.
    pub(super) fn remove_stale(&self, directory: &Path, written: &BTreeSet<PathBuf>) -> Result<(), Diagnostic> {
        let namespace = directory.join(&self.namespace);
        // Without and with a cluster of the same name in the same run.
        for parents in [vec![directory.join(&self.name)], vec![namespace.join(&self.name), namespace]] {
            if parents.iter().all(|parent| is_directory(parent)) {
                self.remove_from(&parents[0], written).map_err(|error| failed(&parents[0], &error))?;
                for parent in parents {
                    // This fails if the directory is not empty, which is intended.
                    let _ = fs::remove_dir(parent);
                }
            }
        }
        Ok(())
    }

    fn remove_from(&self, parent: &Path, written: &BTreeSet<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_file() && !written.contains(&path) && self.has_written(&path) {
                match fs::remove_file(&path) {
                    // Another run has already removed it.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Whether pgrender can have written a file for this cluster. `false` if the file cannot be read.
    #[expect(clippy::disallowed_methods, reason = "looks at the files of an earlier run")]
    fn has_written(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let kind = name.strip_suffix(".yaml").and_then(|name| name.split_once('-')).map_or("", |(kind, _)| kind);
        // Files that others have put there, and files that are too large, are not read.
        if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return false;
        }
        if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_OBJECT) {
            return false;
        }
        let Ok(text) = fs::read_to_string(path) else { return false };
        let documents = read::documents("", &text);
        let Ok([document]) = documents.as_deref() else { return false };
        let reference = object::reference(&document.node);
        object::label(&document.node, label::RENDERED) == Some(&self.name)
            && reference.namespace == self.namespace
            && path.file_name().is_some_and(|file| file == layout::file_name(&reference).as_str())
    }
}

/// Whether the path is a directory and not a link.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The runs that have written to a directory, each with its clusters.
#[derive(Default)]
pub(super) struct Record(Vec<BTreeSet<Owner>>);

impl Record {
    /// Reads the record in `directory`. It is empty if the file does not exist or is not a record.
    #[expect(clippy::disallowed_methods, reason = "looks at the files of an earlier run")]
    pub(super) fn read(directory: &Path) -> Self {
        let path = directory.join(FILE);
        let readable = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX);
        let text = if readable { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let run = |line: &str| line.split(' ').filter_map(Owner::parse).collect();
        Self(text.lines().filter(|line| !line.starts_with('#')).map(run).collect())
    }

    /// Returns the record after a run with `clusters`, and the clusters that are no longer in the input.
    pub(super) fn after(self, clusters: &[&ResourceRef]) -> (Self, BTreeSet<Owner>) {
        let run: BTreeSet<Owner> = clusters.iter().map(|cluster| Owner::from(*cluster)).collect();
        let (continued, mut runs): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|other| !other.is_disjoint(&run));
        let gone = continued.into_iter().flatten().filter(|owner| !run.contains(owner)).collect();
        runs.push(run);
        runs.sort();
        (Self(runs), gone)
    }

    /// Returns the text of the record, with one line per run.
    pub(super) fn text(&self) -> String {
        let line = |run: &BTreeSet<Owner>| {
            let names: Vec<String> = run.iter().map(|owner| format!("{}/{}", owner.namespace, owner.name)).collect();
            names.join(" ") + "\n"
        };
        let lines: Vec<String> = self.0.iter().map(line).collect();
        format!(
            "# Written by pgrender: the clusters of each run, so that the next knows which are gone.\n{}",
            lines.concat()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        Record(text.lines().map(|line| line.split(' ').filter_map(Owner::parse).collect()).collect())
    }

    fn after(before: &str, clusters: &[(&str, &str)]) -> (String, Vec<String>) {
        let resources: Vec<ResourceRef> = clusters
            .iter()
            .map(|(namespace, name)| ResourceRef {
                namespace: (*namespace).to_owned(),
                name: (*name).to_owned(),
                ..ResourceRef::default()
            })
            .collect();
        let (record, gone) = record(before).after(&resources.iter().collect::<Vec<_>>());
        let lines = record.text().lines().skip(1).collect::<Vec<_>>().join("\n");
        (lines, gone.iter().map(|owner| format!("{}/{}", owner.namespace, owner.name)).collect())
    }

    #[test]
    fn a_cluster_is_gone_when_others_of_its_run_are_there_without_it() {
        let (record, gone) = after("a/one a/two\nb/three", &[("a", "one"), ("a", "four")]);
        assert_eq!((record.as_str(), gone), ("a/four a/one\nb/three", vec!["a/two".to_owned()]));
    }

    #[test]
    fn a_run_that_has_nothing_in_common_is_left_alone() {
        let (record, gone) = after("a/one a/two", &[("a", "three")]);
        assert_eq!((record.as_str(), gone.len()), ("a/one a/two\na/three", 0));
    }

    #[test]
    fn a_record_names_nothing_outside() {
        for text in ["../x", "a/..", "/a", "a/", "a/b/c", ".a/b", "a/.b"] {
            assert_eq!(Owner::parse(text), None, "{text}");
        }
        assert!(Owner::parse("shop/hippo").is_some());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test writes its files")]
    fn only_what_pgrender_may_have_written_is_read() {
        let owner = Owner { namespace: "shop".to_owned(), name: "hippo".to_owned() };
        let object = "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop, labels: {pgrender.dev/cluster: hippo}}}\n";
        let directory = tempfile::tempdir().unwrap();
        let has_written = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            owner.has_written(&path)
        };
        assert!(has_written("service-a.yaml", object));
        for name in ["service-b.yaml", "service-a.yml", "Service-a.yaml", "-a.yaml", "service.yaml", "a"] {
            assert!(!has_written(name, object), "{name}");
        }
        let long = format!("{object}#{}", "x".repeat(usize::try_from(MAX_OBJECT).unwrap()));
        assert!(!has_written("service-a.yaml", &long));
    }
}
