//! Resolves `spec.dataSource`.

use std::collections::BTreeMap;

use super::model::{DataSource, Source};
use super::options;
use crate::diagnostic::FieldPath;
use crate::naming::STANZA;
use crate::postgres_cluster::pgbackrest::credentials;
use crate::postgres_cluster::pgbackrest::model::Storage;
use crate::postgres_cluster::pgbackrest::option;
use crate::postgres_cluster::pgbackrest::resolve::{checked_repository_index, repository};
use crate::postgres_cluster::pgbackrest::{global_options, model::Repository};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::files;
use crate::postgres_cluster::spec::{
    PgBackRestDataSourceSpec, PgBackRestSpec, PostgresClusterDataSourceSpec, PostgresClusterSpec, RepositorySpec,
};

/// Resolves the data source; `None` if there is none, or if it has an error. `postgresCluster` takes precedence, as in PGO.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    name: &str,
    namespace: Option<&str>,
    context: &mut Context,
) -> Option<DataSource> {
    let source = spec.data_source.as_ref()?;
    let path = FieldPath::of("spec.dataSource");
    if spec.standby.as_ref().is_some_and(|standby| standby.enabled) {
        let message = "a standby cluster gets its data from `spec.standby`: remove one of them";
        context.error(path.clone(), message);
    }
    if let (Some(_), Some(_)) = (&source.postgres_cluster, &source.pgbackrest) {
        let message = "has no effect, because `spec.dataSource.postgresCluster` takes precedence: remove one of them";
        context.warning(path.key("pgbackrest"), message);
    }
    if let Some(cluster) = &source.postgres_cluster {
        return of_cluster(cluster, spec, name, namespace, &path.key("postgresCluster"), context);
    }
    let pgbackrest = source.pgbackrest.as_ref()?;
    of_object_storage(pgbackrest, spec, &path.key("pgbackrest"), context)
}

fn of_cluster(
    spec: &PostgresClusterDataSourceSpec,
    cluster: &PostgresClusterSpec,
    name: &str,
    namespace: Option<&str>,
    path: &FieldPath,
    context: &mut Context,
) -> Option<DataSource> {
    let other = spec.cluster_name.as_deref().unwrap_or(name);
    let elsewhere = spec.cluster_namespace.as_deref().filter(|other| Some(*other) != namespace);
    if let Some(elsewhere) = elsewhere {
        let message = format!(
            "a pod cannot use the Secrets of the namespace `{elsewhere}`: restore from a repository in object storage with \
             `spec.dataSource.pgbackrest`"
        );
        context.error(path.key("clusterNamespace"), message);
    } else if other == name {
        let message =
            "a cluster cannot start from its own backups: write the name of another cluster, or restore in place";
        context.error(path.key("clusterName"), message);
    }
    let of_job = [
        spec.affinity.is_some(),
        spec.priority_class_name.is_some(),
        spec.resources.is_some(),
        !spec.tolerations.is_empty(),
        spec.volumes.is_some(),
    ];
    warn_about_job(of_job, path, context);
    let repository = checked_repository_index(&spec.repo_name, &path.key("repoName"), context);
    let options = checked(&spec.options, path, context);
    // As in PGO, its own files. If the other cluster is in the input, `source_cluster` replaces them.
    let own = cluster.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    let configuration = own.map(|own| own.configuration.clone()).unwrap_or_default();
    let from = Source::Cluster { name: other.to_owned(), configuration };
    Some(DataSource { from, repository: repository?, stanza: STANZA.to_owned(), options: options? })
}

fn of_object_storage(
    spec: &PgBackRestDataSourceSpec,
    cluster: &PostgresClusterSpec,
    path: &FieldPath,
    context: &mut Context,
) -> Option<DataSource> {
    let of_job = [
        spec.affinity.is_some(),
        spec.priority_class_name.is_some(),
        spec.resources.is_some(),
        !spec.tolerations.is_empty(),
        spec.volumes.is_some(),
    ];
    warn_about_job(of_job, path, context);
    context.check(&path.key("stanza"), option::check_value(&spec.stanza));
    if spec.repo.schedules.is_some() {
        let message = "has no effect: backups are made in the repositories of `spec.backups.pgbackrest`";
        context.warning(path.key("repo").key("schedules"), message);
    }
    let resolved = repository(&spec.repo, &path.key("repo"), context);
    let options = checked(&spec.options, path, context);
    let configuration =
        files::checked(spec.configuration.clone(), &path.key("configuration"), &["pgbackrest_source.conf"], context);
    let repository = resolved?;
    global_options::check(&spec.global, std::slice::from_ref(&repository), &path.key("global"), context);
    let given =
        credentials::Given { global: &spec.global, global_path: path.key("global"), files: !configuration.is_empty() };
    credentials::check(&repository, &path.key("repo"), &given, cluster, context);
    let pgbackrest = cluster.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    if let Some(index) = pgbackrest.and_then(|own| same_place(spec, &repository, own)) {
        let message = format!(
            "`spec.backups.pgbackrest.repos[{index}]` is the same place, and two clusters must not archive to it: give this \
             cluster another `repoN-path` in `spec.backups.pgbackrest.global`"
        );
        context.error(path.key("repo"), message);
    }
    let from =
        Source::ObjectStorage { repository: Box::new(repository.clone()), global: spec.global.clone(), configuration };
    Some(DataSource { from, repository: repository.index, stanza: spec.stanza.clone(), options: options? })
}

/// The position of the cluster's own repository that is in the same bucket and has the same path, if there is one.
fn same_place(spec: &PgBackRestDataSourceSpec, repository: &Repository, own: &PgBackRestSpec) -> Option<usize> {
    let path = |name: &str, global: &BTreeMap<String, String>| {
        global.get(&format!("{name}-path")).cloned().unwrap_or_else(|| format!("/pgbackrest/{name}"))
    };
    let there = path(&spec.repo.name, &spec.global);
    let same = |other: &RepositorySpec| match &repository.storage {
        Storage::S3 { bucket, endpoint, .. } => {
            other.s3.as_ref().is_some_and(|s3| s3.bucket == *bucket && s3.endpoint == *endpoint)
        }
        Storage::Gcs { bucket } => other.gcs.as_ref().is_some_and(|gcs| gcs.bucket == *bucket),
        Storage::Azure { container } => other.azure.as_ref().is_some_and(|azure| azure.container == *container),
        Storage::Volume(_) => false,
    };
    own.repos.iter().position(|other| same(other) && path(&other.name, &own.global) == there)
}

/// Reports the fields of PGO's restore Job that are given: `affinity`, `priorityClassName`, `resources`, `tolerations` and
/// `volumes`. Here the instance restores, in its own pod.
pub(super) fn warn_about_job(given: [bool; 5], path: &FieldPath, context: &mut Context) {
    let fields = ["affinity", "priorityClassName", "resources", "tolerations", "volumes"];
    for (field, _) in fields.into_iter().zip(given).filter(|(_, given)| *given) {
        context.warning(path.key(field), "has no effect: the instance restores in its own pod, not in a Job");
    }
}

/// Returns the options as words, or reports what is wrong with one of them.
pub(super) fn checked(given: &[String], path: &FieldPath, context: &mut Context) -> Option<Vec<String>> {
    match options::checked(given) {
        Ok(words) => Some(words),
        Err((position, why)) => {
            context.error(path.key("options").index(position), why);
            None
        }
    }
}
