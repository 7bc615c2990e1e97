//! Resolves `spec.backups.pgbackrest.restore`: each new value of the annotation `pgbackrest-restore` requests one restore.

use std::collections::BTreeMap;

use super::model::RestoreInPlace;
use super::resolve::{checked, warn_about_job};
use crate::diagnostic::FieldPath;
use crate::naming::annotation::PGBACKREST_RESTORE;
use crate::postgres_cluster::pgbackrest::resolve::repository_index;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::trigger;
use crate::postgres_cluster::spec::{PostgresClusterSpec, RestoreSpec};

/// Returns the requested restore. There is none without the annotation, or if `enabled` is false.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    name: &str,
    namespace: Option<&str>,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Option<RestoreInPlace> {
    let trigger = trigger::resolve(annotations, PGBACKREST_RESTORE, "a restore", context);
    let pgbackrest = spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    let restore = pgbackrest.and_then(|pgbackrest| pgbackrest.restore.as_ref());
    let Some(restore) = restore.filter(|restore| restore.enabled) else {
        if trigger.is_some() {
            let why = match (pgbackrest, restore) {
                (None, _) => "this cluster has no backups",
                (_, None) => {
                    "also write `spec.backups.pgbackrest.restore` with `enabled: true` and the repository in `repoName`"
                }
                _ => "`spec.backups.pgbackrest.restore.enabled` is `false`",
            };
            context.warning(trigger::path(PGBACKREST_RESTORE), format!("does not start a restore: {why}"));
        }
        return None;
    };
    let path = FieldPath::of("spec.backups.pgbackrest.restore");
    check_cluster(restore, name, namespace, &path, context);
    let of_job = [
        restore.affinity.is_some(),
        restore.priority_class_name.is_some(),
        restore.resources.is_some(),
        !restore.tolerations.is_empty(),
        restore.volumes.is_some(),
    ];
    warn_about_job(of_job, &path, context);
    let options = checked(&restore.options, &path, context)?;
    // An unknown repository is an error of its own.
    let repository = repository_index(&restore.repo_name)?;
    let Some(trigger) = trigger else {
        if !annotations.contains_key(PGBACKREST_RESTORE) {
            let message = format!(
                "does not start a restore: also annotate the cluster with `{PGBACKREST_RESTORE}`, and each new value of the \
                 annotation starts one"
            );
            context.warning(path.key("enabled"), message);
        }
        return None;
    };
    if spec.standby.as_ref().is_some_and(|standby| standby.enabled) {
        let message = "a standby cluster gets its data from `spec.standby`, and would be restored as soon as it is \
                       promoted: write `false`";
        context.error(path.key("enabled"), message);
        return None;
    }
    Some(RestoreInPlace { trigger, repository, options })
}

/// Reports the name of another cluster. PGO restores the backup of that cluster, which is another database, in place.
fn check_cluster(restore: &RestoreSpec, name: &str, namespace: Option<&str>, path: &FieldPath, context: &mut Context) {
    let others = [
        ("clusterName", restore.cluster_name.as_deref().filter(|other| *other != name)),
        ("clusterNamespace", restore.cluster_namespace.as_deref().filter(|other| Some(*other) != namespace)),
    ];
    for (field, _) in others.iter().filter(|(_, other)| other.is_some()) {
        let message = "a cluster is restored only from its own backups: remove this field or, to use the backups of \
                       another cluster, start a new cluster with `spec.dataSource`";
        context.error(path.key(*field), message);
    }
}
