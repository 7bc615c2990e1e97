//! Finds the effect of a difference where it depends on the name of the field or on its values.

use serde_json::Value;

use super::effect::EffectKind::{self, *};
use super::fields::Difference;
use super::parameters::{self, Reads};
use crate::postgres_cluster::resolve::quantity;

/// What the effect of a difference depends on besides the difference.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// The major version of Postgres.
    pub version: u64,
}

fn number(value: Option<&Value>) -> Option<u64> {
    value.and_then(Value::as_u64)
}

fn is_set(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

/// The last word of the path.
fn name(difference: &Difference) -> &str {
    difference.path.word(difference.path.0.len().saturating_sub(1)).unwrap_or_default()
}

/// The replicas of a workload. Only `spec.shutdown` makes them 0.
pub(super) fn replicas(difference: &Difference, _: Surroundings) -> EffectKind {
    let (old, new) = (number(difference.old.as_ref()).unwrap_or(1), number(difference.new.as_ref()).unwrap_or(1));
    match (old, new) {
        (_, 0) => Shutdown,
        (0, _) => Startup,
        _ if new > old => InstancesAdded,
        _ => InstancesRemoved,
    }
}

/// The replicas of pgBouncer.
pub(super) fn pgbouncer_replicas(difference: &Difference, surroundings: Surroundings) -> EffectKind {
    match replicas(difference, surroundings) {
        InstancesAdded => PgbouncerAdded,
        InstancesRemoved => PgbouncerRemoved,
        other => other,
    }
}

/// What a client needs to connect. If it is only there on one side, nobody uses it yet, or something else is gone too.
pub(super) fn connection(difference: &Difference, _: Surroundings) -> EffectKind {
    let is_on_both = is_set(difference.old.as_ref()) && is_set(difference.new.as_ref());
    if is_on_both { ConnectionMoves } else { ConnectionChanges }
}

/// A parameter of Postgres.
pub(super) fn parameter(difference: &Difference, surroundings: Surroundings) -> EffectKind {
    match parameters::reads(name(difference), surroundings.version) {
        Reads::AnyTime => PostgresReloads,
        Reads::AtStart => PostgresRestarts,
        Reads::Unknown => PostgresMayRestart,
    }
}

/// `standby_cluster` of Patroni's configuration.
pub(super) fn standby(difference: &Difference, _: Surroundings) -> EffectKind {
    let is_whole = name(difference) == "standby_cluster";
    match (is_set(difference.old.as_ref()), is_set(difference.new.as_ref())) {
        (false, true) if is_whole => StandbyBegins,
        (true, false) if is_whole => StandbyEnds,
        _ => StandbyFollows,
    }
}

/// `slots` of Patroni's configuration.
pub(super) fn slots(difference: &Difference, _: Surroundings) -> EffectKind {
    if is_set(difference.new.as_ref()) { SlotsCreated } else { SlotsDropped }
}

/// A request for a backup: its trigger is new.
pub(super) fn backup_now(difference: &Difference, _: Surroundings) -> EffectKind {
    triggered(difference, BackupNow)
}

/// A request for a switchover.
pub(super) fn switchover(difference: &Difference, _: Surroundings) -> EffectKind {
    triggered(difference, Switchover)
}

/// A request for a restore in place.
pub(super) fn restore_in_place(difference: &Difference, _: Surroundings) -> EffectKind {
    triggered(difference, RestoreInPlace)
}

fn triggered(difference: &Difference, kind: EffectKind) -> EffectKind {
    let is_trigger =
        ["trigger", "manual-backup", "manualBackup", "switchover", "restoreInPlace"].contains(&name(difference));
    if is_trigger && is_set(difference.new.as_ref()) { kind } else { Derived }
}

/// An option of pgBackRest.
pub(super) fn repository(difference: &Difference, _: Surroundings) -> EffectKind {
    /// The options that say where a repository is, and how it is encrypted, without `repo1-`.
    const PLACE: [&str; 12] = [
        "path",
        "type",
        "s3-bucket",
        "s3-endpoint",
        "s3-region",
        "gcs-bucket",
        "gcs-endpoint",
        "azure-account",
        "azure-container",
        "azure-endpoint",
        "cipher-type",
        "sftp-host",
    ];
    let option = name(difference);
    let Some(option) = option.strip_prefix("repo").and_then(|rest| rest.split_once('-')).map(|(_, option)| option)
    else {
        return BackupSettings;
    };
    let (was_set, is_set) = (is_set(difference.old.as_ref()), is_set(difference.new.as_ref()));
    if option == "path" && was_set && !is_set {
        return RepositoryRemoved;
    }
    if PLACE.contains(&option) && was_set && is_set {
        return RepositoryMoves;
    }
    if ["retention-full", "retention-diff"].contains(&option) {
        let kept = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok());
        // Without a number, all are kept.
        let (old, new) = (kept(&difference.old).unwrap_or(u64::MAX), kept(&difference.new).unwrap_or(u64::MAX));
        if new < old {
            return RetentionShrinks;
        }
    }
    BackupSettings
}

/// A setting of pgBouncer.
pub(super) fn pgbouncer(difference: &Difference, _: Surroundings) -> EffectKind {
    if parameters::PGBOUNCER_RESTART.contains(&name(difference)) { PgbouncerWaits } else { PgbouncerReloads }
}

/// A user of `roles.json`, as a whole.
pub(super) fn user(difference: &Difference, _: Surroundings) -> EffectKind {
    if is_set(difference.new.as_ref()) { SqlRuns } else { UserAbandoned }
}

/// The size of a volume.
pub(super) fn storage(difference: &Difference, _: Surroundings) -> EffectKind {
    let size = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).and_then(quantity::value);
    match (size(&difference.old), size(&difference.new)) {
        (Some(old), Some(new)) if new < old => Refused,
        (Some(_), None) => Refused,
        _ => VolumeGrows,
    }
}
