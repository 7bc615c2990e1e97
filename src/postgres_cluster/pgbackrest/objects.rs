//! The objects of pgBackRest. The repo host and the CronJobs of backups have files of their own.

use super::model::{Backups, Repository, Storage};
use super::{backup_cron_jobs, configuration, repo_host};
use crate::kubernetes::object::Objects;
use crate::kubernetes::{ConfigMap, NetworkPolicy, PersistentVolumeClaim, ServiceAccount};
use crate::naming::{PGBACKREST_PORT, label, labels, pgbackrest_labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::collector;
use crate::postgres_cluster::objects::access::service_account;
use crate::postgres_cluster::objects::claims::claim;
use crate::postgres_cluster::objects::config_maps::files;
use crate::postgres_cluster::objects::metadata::{
    backup_labels, object_meta, repo_host_labels, restore_drill_labels, selector,
};
use crate::postgres_cluster::objects::network_policies::{instances, only, policy};

/// Adds all of them.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, backups: &Backups) {
    objects.add(backup_service_account(cluster, backups));
    objects.add(config_map(cluster, backups));
    if backups.has_repo_host() {
        objects.add(repo_host_service_account(cluster, backups));
        objects.add(repo_host::stateful_set(cluster, backups));
    }
    for repository in &backups.repositories {
        objects.add_all(repository_claim(cluster, backups, repository));
        for schedule in &repository.schedules {
            objects.add(backup_cron_jobs::cron_job(cluster, backups, repository, schedule));
        }
    }
    if cluster.network_policies {
        objects.add_all(backups.has_repo_host().then(|| repo_host_policy(cluster, backups)));
        objects.add_all(backups.has_schedules().then(|| backup_jobs_policy(cluster, backups)));
    }
}

/// The ServiceAccount of backup pods. It has no rights, because these pods run pgBackRest themselves. PGO's pods run it in the
/// repo host with `exec`.
fn backup_service_account(cluster: &Cluster, backups: &Backups) -> ServiceAccount {
    service_account(cluster, cluster.pgbackrest_name(), &backups.metadata, pgbackrest_labels())
}

/// The ServiceAccount of the repo host. It has no rights.
fn repo_host_service_account(cluster: &Cluster, backups: &Backups) -> ServiceAccount {
    service_account(cluster, cluster.repo_host_service_account(), &backups.metadata, pgbackrest_labels())
}

/// `<cluster>-pgbackrest-config`: pgBackRest's configuration files, and that of the collector in the repo host.
fn config_map(cluster: &Cluster, backups: &Backups) -> ConfigMap {
    let mut labels = pgbackrest_labels();
    labels.insert(label::PGBACKREST_CONFIG.to_owned(), String::new());
    let repo_host = backups.has_repo_host();
    let cloud = backups.has_cloud_repository();
    let collector = cluster.collector.as_ref().filter(|_| repo_host);
    let texts = [
        (
            collector::configuration::KEY,
            collector.and_then(|settings| collector::configuration::repo_host(backups, settings)),
        ),
        ("config-hash", Some(configuration::config_hash(backups))),
        (configuration::MANUAL_BACKUP, repo_host.then(|| configuration::manual_backup(cluster, backups))),
        ("pgbackrest-server.conf", Some(configuration::server_conf(cluster, backups))),
        ("pgbackrest_cloud.conf", cloud.then(|| configuration::cloud_conf(cluster, backups))),
        ("pgbackrest_instance.conf", Some(configuration::instance_conf(cluster, backups))),
        ("pgbackrest_repo.conf", repo_host.then(|| configuration::repo_conf(cluster, backups))),
    ];
    files(cluster, cluster.pgbackrest_config_map(), &backups.metadata, labels, texts)
}

/// `<cluster>-<repo>`: the claim of a repository on a volume; `None` if the repository is in object storage.
pub(crate) fn repository_claim(
    cluster: &Cluster,
    backups: &Backups,
    repository: &Repository,
) -> Option<PersistentVolumeClaim> {
    let Storage::Volume(spec) = &repository.storage else { return None };
    let labels = labels([
        (label::PGBACKREST, ""),
        (label::PGBACKREST_REPO, &repository.name()),
        (label::PGBACKREST_VOLUME, ""),
        (label::DATA, "pgbackrest"),
    ]);
    Some(claim(object_meta(cluster, cluster.repository_claim(repository), &backups.metadata, labels), spec))
}

/// `<cluster>-repo-host`: instances archive WAL to it and restore from it, and so does the restore drill.
fn repo_host_policy(cluster: &Cluster, backups: &Backups) -> NetworkPolicy {
    let drill = cluster.restore_drill.as_ref().map(|_| selector(cluster, restore_drill_labels()));
    let rules = vec![only(PGBACKREST_PORT, [instances(cluster)].into_iter().chain(drill).collect())];
    policy(cluster, cluster.repo_host(), &backups.metadata, repo_host_labels(), rules)
}

/// `<cluster>-pgbackrest`: no pod may connect to a pod that makes a backup.
fn backup_jobs_policy(cluster: &Cluster, backups: &Backups) -> NetworkPolicy {
    policy(cluster, cluster.pgbackrest_name(), &backups.metadata, backup_labels(), Vec::new())
}
