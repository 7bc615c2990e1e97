//! Resolves `spec.patroni`.

use std::collections::BTreeMap;

use super::{dynamic_configuration, known_settings, switchover};
use crate::diagnostic::FieldPath;
use crate::postgres_cluster::cluster::{Patroni, PatroniLog};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::quantity;
use crate::postgres_cluster::spec::{PatroniSpec, PostgresClusterSpec};

/// Resolves `spec.patroni`.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    version: u16,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Patroni {
    let patroni = spec.patroni.clone().unwrap_or_default();
    dynamic_configuration::check(&patroni.dynamic_configuration, version, context);
    let standby = spec.standby.as_ref().filter(|standby| standby.enabled);
    known_settings::check(&patroni, standby, context);
    if patroni.sync_period_seconds * 2 > patroni.leader_lease_duration_seconds {
        // Patroni itself raises `ttl` or lowers `loop_wait` so that loop_wait + 2 * retry_timeout <= ttl.
        let message = "is shorter than two sync periods, so a healthy leader could lose its lease: write at least \
                       twice `syncPeriodSeconds`";
        context.warning(FieldPath::of("spec.patroni.leaderLeaseDurationSeconds"), message);
    }
    Patroni {
        log: log(&patroni, spec.instrumentation.is_some(), context),
        port: context.port(patroni.port, "spec.patroni.port"),
        switchover: switchover::resolve(&patroni, annotations, context),
        leader_lease_duration_seconds: patroni.leader_lease_duration_seconds,
        sync_period_seconds: patroni.sync_period_seconds,
        dynamic_configuration: patroni.dynamic_configuration,
    }
}

/// The least size of all log files in bytes, and what they may have if the spec does not say it, as in PGO
/// (`internal/patroni/config.go`).
const LEAST_SIZE: f64 = 25_000_000.0;

/// Returns the log files. The collector reads them, so it brings some.
fn log(patroni: &PatroniSpec, collected: bool, context: &mut Context) -> Option<PatroniLog> {
    let limit = patroni.logging.as_ref().and_then(|logging| quantity::value(&logging.storage_limit.0));
    if limit.is_some_and(|limit| limit < LEAST_SIZE) {
        let message = "is too little to find a fault in the logs: 25M are used, as in PGO";
        context.warning(FieldPath::of("spec.patroni.logging.storageLimit"), message);
    }
    (collected || patroni.logging.is_some()).then(|| PatroniLog {
        level: patroni.logging.as_ref().map_or_else(|| "INFO".to_owned(), |logging| logging.level.clone()),
        file_size: bytes(limit.unwrap_or_default().max(LEAST_SIZE)) / 2,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is too large becomes the largest number"
)]
fn bytes(number: f64) -> u64 {
    number as u64
}
