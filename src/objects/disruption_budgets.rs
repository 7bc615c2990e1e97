//! PodDisruptionBudgets (PGO's `internal/controller/postgrescluster/pod_disruption_budget.go`).

use super::metadata::{object_meta, selector};
use crate::cluster::{Cluster, InstanceSet, Metadata, PgBouncer};
use crate::kubernetes::{IntOrString, PodDisruptionBudget, PodDisruptionBudgetSpec};
use crate::naming::{Labels, instance_set_labels, pgbouncer_labels};

/// `<cluster>-set-<set>`: the budget of an instance set; `None` if it has no `minAvailable`.
pub(super) fn instance_set(cluster: &Cluster, set: &InstanceSet) -> Option<PodDisruptionBudget> {
    let minimum = set.min_available.clone()?;
    let name = cluster.instance_set_disruption_budget(set);
    Some(budget(cluster, name, &set.metadata, instance_set_labels(&set.name), minimum))
}

/// `<cluster>-pgbouncer`: the budget of pgBouncer; `None` if it has no `minAvailable`.
pub(super) fn pgbouncer(cluster: &Cluster, pgbouncer: &PgBouncer) -> Option<PodDisruptionBudget> {
    let minimum = pgbouncer.min_available.clone()?;
    Some(budget(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), minimum))
}

fn budget(
    cluster: &Cluster,
    name: String,
    metadata: &Metadata,
    labels: Labels,
    minimum: IntOrString,
) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: object_meta(cluster, name, metadata, labels.clone()),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(minimum),
            selector: Some(selector(cluster, labels)),
            // A pod that is not ready does no work, so it must not delay draining a node (kube-linter,
            // `pdb-unhealthy-pod-eviction-policy`).
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
