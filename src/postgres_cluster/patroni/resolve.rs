//! Resolves `spec.patroni`.

use std::collections::BTreeMap;

use super::{dynamic_configuration, known_settings, switchover};
use crate::diagnostic::FieldPath;
use crate::postgres_cluster::cluster::Patroni;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::PostgresClusterSpec;

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
        port: context.port(patroni.port, "spec.patroni.port"),
        switchover: switchover::resolve(&patroni, annotations, context),
        leader_lease_duration_seconds: patroni.leader_lease_duration_seconds,
        sync_period_seconds: patroni.sync_period_seconds,
        dynamic_configuration: patroni.dynamic_configuration,
    }
}
