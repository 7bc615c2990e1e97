//! Resolves `spec.dataSource`.

use super::model::{DataSource, Source};
use super::options;
use crate::diagnostic::FieldPath;
use crate::naming::STANZA;
use crate::parse::metadata::is_label;
use crate::postgres_cluster::pgbackrest::credentials;
use crate::postgres_cluster::pgbackrest::option;
use crate::postgres_cluster::pgbackrest::resolve::{checked_repository_index, repository};
use crate::postgres_cluster::pgbackrest::{global_options, model::Backups, place};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::files;
use crate::postgres_cluster::spec::{PgBackRestDataSourceSpec, PostgresClusterDataSourceSpec, PostgresClusterSpec};

/// Resolves the data source; `None` if there is none, or if it has an error. `postgresCluster` takes precedence, as in PGO.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    name: &str,
    namespace: Option<&str>,
    backups: Option<&Backups>,
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
    if source.postgres_cluster.is_none() && source.pgbackrest.is_none() && source.volumes.is_none() {
        let message = "names no source, so the cluster would start with an empty database: write `postgresCluster` or `pgbackrest`, \
                       or remove `dataSource`";
        context.error(path.clone(), message);
    }
    if let Some(cluster) = &source.postgres_cluster {
        return of_cluster(cluster, spec, name, namespace, &path.key("postgresCluster"), context);
    }
    let pgbackrest = source.pgbackrest.as_ref()?;
    of_object_storage(pgbackrest, spec, namespace, backups, &path.key("pgbackrest"), context)
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
    if !is_label(other) {
        let message = format!("{other:?} cannot be the name of a cluster: write lower-case letters, digits and `-`");
        context.error(path.key("clusterName"), message);
    }
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
    namespace: Option<&str>,
    backups: Option<&Backups>,
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
    // Stanzas of other names are other archives in the same place.
    if let Some(backups) = backups.filter(|_| spec.stanza == STANZA) {
        let namespace = namespace.unwrap_or_default();
        let settings = place::Settings { global: &spec.global, configuration: &configuration, namespace };
        place::check_source(&repository, settings, backups, &path.key("repo"), context);
    }
    let from =
        Source::ObjectStorage { repository: Box::new(repository.clone()), global: spec.global.clone(), configuration };
    Some(DataSource { from, repository: repository.index, stanza: spec.stanza.clone(), options: options? })
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
