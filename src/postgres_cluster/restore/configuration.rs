//! What the caretaker needs for a restore, and pgBackRest's configuration for a repository in object storage.

use super::model::{DataSource, RestoreInPlace, Source};
use super::options::stops_early;
use crate::naming::STANZA;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::configuration_file::{file, options};
use crate::postgres_cluster::directories::data_directory;
use crate::postgres_cluster::pgbackrest::configuration::repository_options;

/// The directory in the container of Postgres with pgBackRest's configuration for the data source (`caretaker/source_files.py`).
pub const DIRECTORY: &str = "/etc/pgbackrest/source";

/// Returns the configuration for a repository in object storage; `None` for a repository of a cluster, which has its own.
pub fn source_conf(source: &DataSource) -> Option<String> {
    let Source::ObjectStorage { repository, global, .. } = &source.from else { return None };
    // A restore removes files of an earlier `archive-get` from the spool directory, and the default one may not be readable.
    let mut all = options([("log-level-file", "off"), ("spool-path", "/pgdata/pgbackrest-spool")]);
    all.extend(repository_options(repository));
    all.extend(global.clone());
    Some(file(&[("global", &all)]))
}

/// Returns the arguments of `pgbackrest` and of its command `restore`, without those that depend on the instance set.
pub fn arguments(cluster: &Cluster, source: &DataSource) -> Vec<String> {
    let number = source.repository;
    let mut arguments = vec![
        format!("--stanza={}", source.stanza),
        format!("--repo={number}"),
        format!("--pg1-path={}", data_directory(cluster)),
    ];
    arguments.extend(log_levels(&source.options));
    if let Source::Cluster { .. } = source.from {
        // The configuration of the other cluster names the files of its own certificate, at the paths in its own pods.
        for (option, name) in [("ca", "tls-ca.crt"), ("cert", "client-tls.crt"), ("key", "client-tls.key")] {
            arguments.push(format!("--repo{number}-host-{option}-file={DIRECTORY}/~postgres-operator/{name}"));
        }
    }
    arguments.extend(with_defaults(&source.options));
    arguments
}

/// Returns the arguments of `pgbackrest` and of its command `restore` for a restore in place, without those that depend on the
/// instance set.
pub fn in_place_arguments(cluster: &Cluster, restore: &RestoreInPlace) -> Vec<String> {
    let mut arguments = vec![
        format!("--stanza={STANZA}"),
        format!("--repo={}", restore.repository),
        format!("--pg1-path={}", data_directory(cluster)),
    ];
    arguments.extend(log_levels(&restore.options));
    arguments.extend(with_defaults(&restore.options));
    arguments
}

/// Returns the levels of the log that the user's options do not set. pgBackRest does not accept an option twice.
fn log_levels(given: &[String]) -> impl Iterator<Item = String> {
    let console = !given.iter().any(|option| option.starts_with("--log-level-console="));
    let console = console.then(|| "--log-level-console=info".to_owned());
    console.into_iter().chain(["--log-level-file=off".to_owned()])
}

/// Returns the user's options, with those that PGO adds.
fn with_defaults(given: &[String]) -> Vec<String> {
    let mut options = given.to_vec();
    if !given.iter().any(|option| option.starts_with("--delta") || option == "--no-delta") {
        options.push("--delta".to_owned());
    }
    if stops_early(given) {
        options.push("--target-action=promote".to_owned());
    }
    options
}

/// A description for messages: `repo1 of the cluster hippo`.
pub fn described(source: &DataSource) -> String {
    let number = source.repository;
    match &source.from {
        Source::Cluster { name, .. } => format!("repo{number} of the cluster {name}"),
        Source::ObjectStorage { .. } if source.stanza == STANZA => format!("repo{number} of spec.dataSource"),
        Source::ObjectStorage { .. } => format!("stanza {} in repo{number} of spec.dataSource", source.stanza),
    }
}
