//! Checks the user's files of queries that are in the input.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{QUERIES_DIRECTORY, QUERIES_KEY};
use super::model::Exporter;
use super::mounted::{Mounted, MountedFile, Sources, mounted};
use super::objects::{PGBOUNCER_QUERIES, QUERIES, default_queries};
use super::query_file::{self, Query, QueryFile};
use super::resolve::PATH;
use crate::diagnostic::{Diagnostic, FieldPath, words};
use crate::kind::Work;
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::work::of_queries;
use crate::read::Document;

/// The metrics of the collectors that `postgres_exporter` has itself, of the versions 0.11 to 0.17, without the collector `database`,
/// which is off.
const BUILT_IN: &str = include_str!("built_in_metrics.txt");
/// The first parts of names that the exporter always uses itself.
const RESERVED: [&str; 7] =
    ["go_", "pg_exporter_", "pg_scrape_collector_", "pg_settings_", "postgres_exporter_", "process_", "promhttp_"];

/// The names of the metrics that the default queries measure.
pub(crate) fn default_metrics() -> impl Iterator<Item = String> {
    let read = |text| query_file::read(text, false).queries;
    let queries = [QUERIES, PGBOUNCER_QUERIES].into_iter().flat_map(read);
    queries.flat_map(|query| query.metrics).map(|(name, _)| name)
}

/// Checks the files of all clusters.
pub(crate) struct CustomQueries<'a> {
    pub(crate) sources: Sources<'a>,
    /// What was reported about files. Several clusters may have the same ones.
    reported: BTreeSet<String>,
}

impl<'a> CustomQueries<'a> {
    /// Finds the ConfigMaps and Secrets among `documents`.
    pub(crate) fn of(documents: &[&'a Document], options: &Options) -> Self {
        Self { sources: Sources::of(documents, options), reported: BTreeSet::new() }
    }

    /// Checks the files of `cluster` that are in the input. The cost of reading each file is added to `work` before, because a short
    /// spec can name a long file many times. Messages about the spec have a field, those about a file its position.
    pub(crate) fn check(&mut self, cluster: &Cluster, exporter: &Exporter, work: &mut Work) -> Vec<Diagnostic> {
        let found = mounted(exporter, &cluster.namespace, &self.sources);
        let mut check = Check { known: Known::default(), diagnostics: Vec::new() };
        check.mounts(&found);
        if !found.files.is_empty() && exporter.has_default_queries(&cluster.exporter_queries_config_map()) {
            let ours = default_queries(cluster);
            work.add(of_queries(ours.len()));
            let QueryFile { queries, .. } = query_file::read(&ours, false);
            for query in &queries {
                check.known.add(query, QUERIES_KEY);
            }
        }
        for file in found.files.values() {
            work.add(of_queries(file.size()));
            if !work.is_allowed() {
                break;
            }
            check.file(file, exporter.built_in_collectors);
        }
        self.unreported(check.diagnostics)
    }

    /// Returns the messages that are about the spec, or about a file and new.
    pub(crate) fn unreported(&mut self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let is_new = |found: &Diagnostic| found.field.is_some() || self.reported.insert(found.to_string());
        found.into_iter().filter(is_new).collect()
    }
}

struct Check {
    known: Known,
    diagnostics: Vec<Diagnostic>,
}

impl Check {
    /// Checks that each file is there, and that the script of the container finds it.
    fn mounts(&mut self, mounted: &Mounted) {
        for (field, key, source) in &mounted.absent {
            let message =
                format!("{source} in the input has no key {}: add it, or remove this item", words::quote(key));
            let path = FieldPath::of(PATH).key("configuration").join(field);
            self.diagnostics.push(Diagnostic::error(message).at(path));
        }
        for file in &mounted.replacing {
            let other = mounted.files.get(&file.path).map(MountedFile::source);
            let other = other.map(|other| format!(" of {other}")).unwrap_or_default();
            let message = format!(
                "this file replaces that{other}, because both become `{QUERIES_DIRECTORY}/{}` in the exporter's container: \
                 give it another key, or another path in `items`",
                file.path
            );
            self.add(file, Diagnostic::error(message));
        }
        // The paths of items were checked with the spec.
        for file in mounted.files.values().filter(|file| file.key == file.path && file.path.starts_with('.')) {
            let message = format!("the exporter does not read {}, because its name begins with a dot", file.key);
            self.add(file, Diagnostic::error(message));
        }
    }

    fn file(&mut self, file: &MountedFile, built_in_collectors: bool) {
        let Some(text) = file.text() else { return };
        let QueryFile { queries, faults } = query_file::read(&text, file.is_secret);
        for fault in faults {
            self.fault(file, fault.line, &fault.message, fault.is_error);
        }
        for query in &queries {
            for (line, message) in self.known.add(query, file.key) {
                let message = if file.is_secret { "a metric of it is already served".to_owned() } else { message };
                self.fault(file, line, &message, true);
            }
            if built_in_collectors {
                self.built_in(file, query);
            }
        }
    }

    /// Warns about a metric of a collector that the exporter has itself. Which ones it has depends on its version.
    fn built_in(&mut self, file: &MountedFile, query: &Query) {
        for (name, line) in &query.metrics {
            if name.starts_with("pg_") && BUILT_IN.lines().any(|known| known == name) {
                let message = format!(
                    "newer versions of the exporter have the metric `{name}` themselves, and then serve no metrics at all: \
                     give it another name, or turn the collectors of the exporter off with the annotation \
                     `postgres-operator.crunchydata.com/postgres-exporter-collectors: None` of the cluster"
                );
                self.fault(file, *line, &message, false);
            }
        }
    }

    fn fault(&mut self, file: &MountedFile, line: usize, message: &str, is_error: bool) {
        let message = format!("in the exporter's file of queries `{}`, line {line}: {message}", file.key);
        self.add(file, if is_error { Diagnostic::error(message) } else { Diagnostic::warning(message) });
    }

    fn add(&mut self, file: &MountedFile, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic.of(file.source()).located(&file.document.file, file.position));
    }
}

/// The names so far, each with its file.
#[derive(Default)]
struct Known {
    namespaces: BTreeMap<String, String>,
    metrics: BTreeMap<String, String>,
}

impl Known {
    /// Adds those of a query in `file`. Returns what is already there, with its line: the exporter would then run only one of the
    /// queries, or serve no metrics at all.
    fn add(&mut self, query: &Query, file: &str) -> Vec<(usize, String)> {
        let Query { namespace, line, metrics } = query;
        if let Some(other) = self.namespaces.insert(namespace.clone(), file.to_owned()) {
            let message =
                format!("{} is also in `{other}`: each query may be in one file only", words::quote(namespace));
            return vec![(*line, message)];
        }
        let mut found = Vec::new();
        for (name, line) in metrics {
            if let Some(prefix) = RESERVED.iter().find(|prefix| name.starts_with(**prefix)) {
                found.push((
                    *line,
                    format!("the exporter uses names that begin with `{prefix}` itself: choose another one"),
                ));
            } else if ["pg_up", "pg_static"].contains(&name.as_str()) {
                found.push((*line, format!("the exporter has the metric `{name}` itself: choose another name")));
            } else if let Some(other) = self.metrics.insert(name.clone(), file.to_owned()) {
                let message = format!(
                    "the metric {} is also in `{other}`, and the exporter then serves no metrics at all: choose another name",
                    words::quote(name)
                );
                found.push((*line, message));
            }
        }
        found
    }
}
