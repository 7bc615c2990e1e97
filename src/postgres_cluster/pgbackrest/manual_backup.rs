//! Backups on demand (PGO's `manual`): each new value of the annotation `pgbackrest-backup` requests one backup.

use std::collections::BTreeMap;

use super::manual_options;
use super::model::{ManualBackup, Repository};
use crate::diagnostic::FieldPath;
use crate::naming::annotation;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::trigger;
use crate::postgres_cluster::spec::{PgBackRestSpec, PostgresClusterSpec};

/// Returns the requested backup. There is none without the annotation, without `manual`, or in a standby cluster.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    pgbackrest: &PgBackRestSpec,
    repositories: &[Repository],
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Option<ManualBackup> {
    let trigger = trigger::resolve(annotations, annotation::PGBACKREST_BACKUP, "a backup", context);
    let Some(manual) = &pgbackrest.manual else {
        if trigger.is_some() {
            let message = "does not start a backup: also write the repository in \
                           `spec.backups.pgbackrest.manual.repoName`";
            context.warning(annotation_path(), message);
        }
        return None;
    };
    let path = FieldPath::of("spec.backups.pgbackrest.manual");
    // An unknown repository is an error of its own.
    let repository = repositories.iter().find(|repository| repository.name() == manual.repo_name)?;
    let options = manual_options::check(&manual.options, &pgbackrest.global, repository, &path.key("options"), context);
    let Some(trigger) = trigger else {
        if !annotations.contains_key(annotation::PGBACKREST_BACKUP) {
            let message = format!(
                "does not start a backup: also annotate the cluster with `{}`, and each new value of the annotation \
                 starts one",
                annotation::PGBACKREST_BACKUP
            );
            context.warning(path, message);
        }
        return None;
    };
    if spec.standby.as_ref().is_some_and(|standby| standby.enabled) {
        let message = "does not start a backup now, because this is a standby cluster: it starts one when the cluster \
                       is promoted";
        context.warning(annotation_path(), message);
        return None;
    }
    Some(ManualBackup { trigger, repository: repository.index, options })
}

/// Reports the annotation on a cluster without backups.
pub(crate) fn warn_without_backups(annotations: &BTreeMap<String, String>, context: &mut Context) {
    if annotations.contains_key(annotation::PGBACKREST_BACKUP) {
        let message = "does not start a backup: this cluster has no backups; write `spec.backups.pgbackrest` with \
                       `repos` and `manual`";
        context.warning(annotation_path(), message);
    }
}

fn annotation_path() -> FieldPath {
    trigger::path(annotation::PGBACKREST_BACKUP)
}
