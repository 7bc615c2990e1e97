//! Resolves the annotations of the restore drill.

use std::collections::BTreeMap;

use super::model::RestoreDrill;
use crate::diagnostic::FieldPath;
use crate::kubernetes::PersistentVolumeClaimSpec;
use crate::naming::annotation;
use crate::postgres_cluster::cluster::{ConfigMapKey, InstanceSet, Standby};
use crate::postgres_cluster::pgbackrest::model::{Backups, Repository};
use crate::postgres_cluster::pgbackrest::schedule;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::names;

/// Resolves the drill; `None` if there is none, or if it has an error. `first` is the first instance set.
pub(crate) fn resolve(
    annotations: &BTreeMap<String, String>,
    backups: Option<&Backups>,
    standby: Option<&Standby>,
    first: Option<&InstanceSet>,
    context: &mut Context,
) -> Option<RestoreDrill> {
    let Some(schedule) = annotations.get(annotation::RESTORE_DRILL) else {
        for key in [annotation::RESTORE_DRILL_REPOSITORY, annotation::RESTORE_DRILL_SQL] {
            if annotations.contains_key(key) {
                let message = format!(
                    "has no effect without `{}`: write the schedule of the restore drill there",
                    annotation::RESTORE_DRILL
                );
                context.error(path(key), message);
            }
        }
        return None;
    };
    let own = path(annotation::RESTORE_DRILL);
    if context.check(&own, schedule::check(schedule)) {
        if let Some(note) = schedule::note(schedule) {
            context.warning(own.clone(), note);
        }
        if schedule::is_more_often_than_hourly(schedule) {
            let message = "is more often than once in an hour, but each drill restores a whole backup, and none starts while another \
                           one runs: write a schedule such as `0 3 * * 0`";
            context.warning(own.clone(), message);
        }
    }
    let Some(backups) = backups else {
        let message =
            "there is no backup to restore: write `spec.backups.pgbackrest` with `repos`, or remove this annotation";
        context.error(own, message);
        return None;
    };
    if standby.is_some_and(|standby| standby.repository.is_none()) {
        let message =
            "is suspended, because this standby cluster makes no backups: its drills begin when it is promoted";
        context.warning(own, message);
    }
    let repository = repository(annotations, backups, standby, context);
    let sql = sql(annotations, context);
    Some(RestoreDrill { schedule: schedule.clone(), repository: repository?, sql, scratch: scratch(first?) })
}

fn path(key: &str) -> FieldPath {
    FieldPath::of("metadata.annotations").key(key)
}

/// The number of the repository: that of the annotation, otherwise the one that a standby cluster follows, otherwise the first.
fn repository(
    annotations: &BTreeMap<String, String>,
    backups: &Backups,
    standby: Option<&Standby>,
    context: &mut Context,
) -> Option<u8> {
    let Some(name) = annotations.get(annotation::RESTORE_DRILL_REPOSITORY) else {
        let followed = standby.and_then(|standby| standby.repository);
        return followed.or_else(|| backups.repositories.first().map(|repository| repository.index));
    };
    let chosen = backups.repositories.iter().find(|repository| repository.name() == *name);
    if chosen.is_none() {
        let names: Vec<_> = backups.repositories.iter().map(Repository::name).collect();
        let message = format!("there is no repository `{name}`: write one of `{}`", names.join("`, `"));
        context.error(path(annotation::RESTORE_DRILL_REPOSITORY), message);
    }
    chosen.map(|repository| repository.index)
}

/// The key of the ConfigMap with the SQL; `None` if there is none, or if it has an error.
fn sql(annotations: &BTreeMap<String, String>, context: &mut Context) -> Option<ConfigMapKey> {
    let value = annotations.get(annotation::RESTORE_DRILL_SQL)?;
    let path = path(annotation::RESTORE_DRILL_SQL);
    let Some((name, key)) = value.split_once('/') else {
        context.error(path, "write the name of a ConfigMap, a slash and a key in it: `<configmap>/<key>`");
        return None;
    };
    let verdict = names::check_config_map(name).and_then(|()| names::check_key(key));
    context.check(&path, verdict).then(|| ConfigMapKey { name: name.to_owned(), key: key.to_owned() })
}

/// A claim like that of an instance's data, but for a new and empty volume.
fn scratch(set: &InstanceSet) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        data_source: None,
        data_source_ref: None,
        selector: None,
        volume_name: None,
        ..set.data_volume_claim_spec.clone()
    }
}
