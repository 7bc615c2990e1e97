//! PodDisruptionBudgets (PGO's `internal/controller/postgrescluster/pod_disruption_budget.go`).

use super::metadata::{object_meta, selector};
use crate::kubernetes::{IntOrString, PodDisruptionBudget, PodDisruptionBudgetSpec};
use crate::naming::Labels;
use crate::postgres_cluster::cluster::{Cluster, Metadata};

/// The budget of the pods that `labels` select.
pub(crate) fn budget(
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
