//! What earlier runs have written into an output directory, and which of it goes.
//!
//! A file goes only if it is what pgrender writes: a file, not a link, in the directory of a cluster, with the one object that
//! its name says, which has that cluster's label. Of a cluster that is in the input, those go that this run has not written.
//!
//! Of a cluster that has left the input, all go. But it may be there because another command, with another input, writes into
//! the same directory; to remove its files could mean to delete its database. So a hidden file records which clusters were
//! written together. A run continues those runs with which it has a cluster in common, and what these had and it has not
//! is gone; a run that has none in common is another's business, and so is a cluster that no record names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::failed;
use crate::naming::label;
use crate::object;
use crate::read;
use crate::report::{Diagnostic, ResourceRef};
use crate::write::layout;

/// The record: hidden, and by its name no manifest, so that neither kubectl nor pgrender takes it for one.
pub(super) const FILE: &str = ".pgrender";

/// The longest record that is read.
const MAX: u64 = 1024 * 1024;

/// The longest object that is read: longer than what an API server takes (etcd: 1.5 MiB).
const MAX_OBJECT: u64 = 4 * 1024 * 1024;

/// A cluster whose objects a directory may hold.
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

    /// Removes the files of this cluster below `directory`, but for those that were `written` now.
    pub(super) fn remove_stale(&self, directory: &Path, written: &BTreeSet<PathBuf>) -> Result<(), Diagnostic> {
        let namespace = directory.join(&self.namespace);
        // Where it had a namesake in the same run, and where not.
        for parents in [vec![directory.join(&self.name)], vec![namespace.join(&self.name), namespace]] {
            if parents.iter().all(|parent| is_directory(parent)) {
                self.remove_from(&parents[0], written).map_err(|error| failed(&parents[0], &error))?;
                for parent in parents {
                    // Only where nothing is left in it.
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
                    // Another run was faster.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Whether a file is what pgrender writes for this cluster. One that cannot be read is not.
    #[expect(clippy::disallowed_methods, reason = "looks at the files of an earlier run")]
    fn has_written(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let kind = name.strip_suffix(".yaml").and_then(|name| name.split_once('-')).map_or("", |(kind, _)| kind);
        // What somebody else has put there is not read, nor what is too long.
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
            && path.file_name().is_some_and(|file| file == layout::file_of(&reference).as_str())
    }
}

/// Whether there is a directory that is no link.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The runs that have written into a directory, each with its clusters.
#[derive(Default)]
pub(super) struct Record(Vec<BTreeSet<Owner>>);

impl Record {
    /// The record in `directory`; an empty one where there is none, or something else in its place.
    #[expect(clippy::disallowed_methods, reason = "looks at the files of an earlier run")]
    pub(super) fn read(directory: &Path) -> Self {
        let path = directory.join(FILE);
        let readable = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX);
        let text = if readable { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let run = |line: &str| line.split(' ').filter_map(Owner::parse).collect();
        Self(text.lines().filter(|line| !line.starts_with('#')).map(run).collect())
    }

    /// The record after a run with `clusters`, and the clusters that have left the input.
    pub(super) fn after(self, clusters: &[&ResourceRef]) -> (Self, BTreeSet<Owner>) {
        let run: BTreeSet<Owner> = clusters.iter().map(|cluster| Owner::from(*cluster)).collect();
        let (continued, mut runs): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|other| !other.is_disjoint(&run));
        let gone = continued.into_iter().flatten().filter(|owner| !run.contains(owner)).collect();
        runs.push(run);
        runs.sort();
        (Self(runs), gone)
    }

    /// As it is written: a line for each run.
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
