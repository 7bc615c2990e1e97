//! The objects of the restore drill. The CronJob has a file of its own.

use super::model::RestoreDrill;
use super::{cron_job, program};
use crate::kubernetes::object::Objects;
use crate::kubernetes::{NetworkPolicy, ServiceAccount};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::access;
use crate::postgres_cluster::objects::metadata::restore_drill_labels;
use crate::postgres_cluster::objects::network_policies::{policy, to_repo_host};
use crate::postgres_cluster::pgbackrest::model::Backups;

/// Adds all of them.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) {
    objects.add(service_account(cluster, backups));
    objects.add_all(cluster.network_policies.then(|| network_policy(cluster, backups, drill)));
    objects.add(program::config_map(cluster, backups, drill));
    objects.add(cron_job::cron_job(cluster, backups, drill));
}

/// The ServiceAccount of the drill's pods. It has no rights, and its token is not mounted.
fn service_account(cluster: &Cluster, backups: &Backups) -> ServiceAccount {
    access::service_account(cluster, cluster.restore_drill_name(), &backups.metadata, restore_drill_labels())
}

/// No pod may connect to a pod of the drill. If the repository is on a volume, such a pod may only connect to the repo host: SQL
/// runs in it as superuser, and reads what others have stored in the database.
fn network_policy(cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) -> NetworkPolicy {
    let mut policy =
        policy(cluster, cluster.restore_drill_name(), &backups.metadata, restore_drill_labels(), Vec::new());
    if let (Some(spec), true) = (&mut policy.spec, is_on_volume(backups, drill)) {
        spec.egress = Some(to_repo_host(cluster));
        spec.policy_types.get_or_insert_default().push("Egress".to_owned());
    }
    policy
}

fn is_on_volume(backups: &Backups, drill: &RestoreDrill) -> bool {
    backups.volume_repositories().any(|repository| repository.index == drill.repository)
}
