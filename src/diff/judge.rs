//! Finds the effect of a difference where it depends on the name of the field or on its values.

use serde_json::Value;

#[allow(clippy::enum_glob_use, reason = "the names of effects read better alone, and are unique")]
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
        InstancesAdded | Startup => PgbouncerAdded,
        _ => PgbouncerRemoved,
    }
}

/// What a client needs to connect. If it is only there on one side, nobody uses it yet, or something else is gone too.
pub(super) fn connection(difference: &Difference, _: Surroundings) -> EffectKind {
    match (is_set(difference.old.as_ref()), is_set(difference.new.as_ref())) {
        (true, true) => ConnectionMoves,
        (true, false) => ConnectionLost,
        _ => ConnectionChanges,
    }
}

/// The type of a Service: each type in this order can be reached from more places.
pub(super) fn service_type(difference: &Difference, _: Surroundings) -> EffectKind {
    const TYPES: [&str; 3] = ["ClusterIP", "NodePort", "LoadBalancer"];
    let rank = |value: Option<&Value>| {
        let name = value.and_then(Value::as_str).unwrap_or("ClusterIP");
        TYPES.iter().position(|known| *known == name)
    };
    match (rank(difference.old.as_ref()), rank(difference.new.as_ref())) {
        (Some(old), Some(new)) if old <= new => ConnectionChanges,
        _ => ConnectionLost,
    }
}

/// The families of the addresses of a Service. The first one cannot change (Kubernetes, "IPv4/IPv6 dual-stack").
pub(super) fn ip_families(difference: &Difference, _: Surroundings) -> EffectKind {
    let first = |value: Option<&Value>| value.and_then(|value| value.get(0)).cloned();
    let (old, new) = (first(difference.old.as_ref()), first(difference.new.as_ref()));
    if old.is_some() && new.is_some() && old != new { Refused } else { ConnectionChanges }
}

/// The options of a user.
pub(super) fn user_options(difference: &Difference, _: Surroundings) -> EffectKind {
    let limits = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).unwrap_or_default().to_uppercase();
        ["NOLOGIN", "CONNECTION LIMIT", "VALID UNTIL"].iter().any(|option| text.contains(option))
    };
    if limits(difference.new.as_ref()) { LoginsChange } else { SqlRuns }
}

/// What becomes of the volumes of a StatefulSet that is deleted or scaled down. pgrender keeps them.
pub(super) fn claims_policy(difference: &Difference, _: Surroundings) -> EffectKind {
    let deletes = difference.new.as_ref().is_some_and(|new| new.to_string().contains("Delete"));
    if deletes { VolumeDeleted } else { ObjectChanges }
}

/// A parameter of Postgres.
pub(super) fn parameter(difference: &Difference, surroundings: Surroundings) -> EffectKind {
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    if let (Some(old), Some(new)) = (text(&difference.old), text(&difference.new)) {
        if parameters::is_same(&old, &new) {
            return Derived;
        }
        // What pgrender renders for a cluster without backups.
        if name(difference) == "archive_command" && new == "true" {
            return ArchivingStops;
        }
    }
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

/// A repository, as a whole.
pub(super) fn whole_repository(difference: &Difference, _: Surroundings) -> EffectKind {
    if is_set(difference.new.as_ref()) { BackupSettings } else { RepositoryRemoved }
}

/// An option of a repository.
pub(super) fn repository(difference: &Difference, _: Surroundings) -> EffectKind {
    /// The options that say where a repository is.
    const PLACE: [&str; 13] = [
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
        "sftp-host",
        "storage-host",
        "storage-port",
    ];
    let option = name(difference);
    let (was_set, is_set) = (is_set(difference.old.as_ref()), is_set(difference.new.as_ref()));
    if ["cipher-type", "cipher-pass"].contains(&option) {
        return EncryptionChanges;
    }
    if option == "path" && was_set != is_set {
        return if is_set { BackupSettings } else { RepositoryRemoved };
    }
    if PLACE.contains(&option) {
        return RepositoryMoves;
    }
    if option.starts_with("retention-") && option != "retention-history" {
        let kept = |value: Option<&Value>| -> Option<(u64, String)> {
            let text = value?.as_str()?;
            let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
            Some((number.parse().ok()?, unit.to_owned()))
        };
        return match (kept(difference.old.as_ref()), kept(difference.new.as_ref())) {
            (Some((old, unit)), Some((new, other))) if unit == other && new >= old => BackupSettings,
            // Without retention, everything is kept.
            (Some(_), None) if !is_set && option == "retention-full" => BackupSettings,
            _ => RetentionShrinks,
        };
    }
    BackupSettings
}

/// Another option of pgBackRest.
pub(super) fn pgbackrest(difference: &Difference, _: Surroundings) -> EffectKind {
    // Beyond this size, the archive has gaps (pgBackRest, "Maximum Archive Push Queue Size").
    if name(difference) == "archive-push-queue-max" { RetentionShrinks } else { BackupSettings }
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
