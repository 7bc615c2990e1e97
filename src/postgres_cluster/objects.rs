//! Builds every Kubernetes object of a cluster, and contains what the builders of several components have in common. Building
//! cannot fail: everything that can be wrong was refused when the `PostgresCluster` was parsed and resolved.

pub(crate) mod access;
pub(crate) mod claims;
pub(crate) mod config_maps;
pub(crate) mod disruption_budgets;
mod fingerprints;
pub(crate) mod metadata;
pub(crate) mod network_policies;
pub(crate) mod pod;
pub(crate) mod services;
pub(crate) mod volumes;

use super::cluster::Cluster;
use super::secrets::identity::Identity;
use super::{exporter, instances, pgbackrest, pgbouncer, restore_drill, secrets};
use crate::kubernetes::Object;
use crate::kubernetes::object::Objects;

/// Builds the objects of `cluster`. Objects come after those that they refer to: ServiceAccounts and RBAC, Services,
/// configuration, Secrets, claims, then workloads. The order is always the same.
pub fn build(cluster: &Cluster, identity: &Identity) -> Vec<Object> {
    let mut objects = Objects::default();
    instances::objects::add(&mut objects, cluster);
    secrets::objects::add(&mut objects, cluster, identity);
    if let Some(backups) = &cluster.backups {
        pgbackrest::objects::add(&mut objects, cluster, backups);
        if let Some(drill) = &cluster.restore_drill {
            restore_drill::objects::add(&mut objects, cluster, backups, drill);
        }
    }
    if let Some(settings) = &cluster.exporter {
        exporter::objects::add(&mut objects, cluster, settings);
    }
    if let Some(settings) = &cluster.pgbouncer {
        pgbouncer::objects::add(&mut objects, cluster, settings);
    }
    if let Some(settings) = &cluster.cert_manager {
        secrets::cert_manager::add(&mut objects, cluster, settings);
    }
    let fingerprints = fingerprints::fingerprints(cluster, &identity.fingerprint_key, objects.iter());
    objects.add(fingerprints);
    // They have no fingerprint, because the caretaker does not have to know about them.
    if let Some(settings) = &cluster.exporter {
        exporter::objects::add_found(&mut objects, cluster, settings);
    }
    objects.in_order()
}
