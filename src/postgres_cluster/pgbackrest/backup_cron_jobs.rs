//! CronJobs of scheduled backups (PGO's `internal/controller/postgrescluster/pgbackrest.go`).

use std::slice;

use super::configuration::{cloud_log_directory, repo_host_log_directory};
use super::model::{Backups, Repository, Schedule};
use super::repo_host::{configuration_files, repository_mounts, repository_volumes};
use crate::kubernetes::{
    Affinity, Container, CronJob, CronJobSpec, JobSpec, JobTemplateSpec, ObjectMeta, PodAffinity, PodAffinityTerm,
    PodSpec, PodTemplateSpec,
};
use crate::naming::{CONTAINER_PGBACKREST, Labels, STANZA, annotation, label, labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::metadata::{
    annotated, backup_labels, object_meta, pod_meta, repo_host_labels, selector,
};
use crate::postgres_cluster::objects::pod::{
    POSTGRES_GROUP, add_additional_volumes, add_tmp, container, mount_read_only, pod_spec, with_log_directory, words,
};
use crate::postgres_cluster::objects::volumes::{item, pgbackrest_config};
use crate::postgres_cluster::spec::AdditionalVolume;

/// `<cluster>-<repo>-<type>`. PGO's pods run pgBackRest in the repo host with `exec`. These pods run pgBackRest themselves, so
/// no ServiceAccount needs the right to `exec`.
pub(crate) fn cron_job(cluster: &Cluster, backups: &Backups, repository: &Repository, schedule: &Schedule) -> CronJob {
    let name = cluster.backup_cron_job(repository, schedule.backup_type);
    let labels = job_labels(repository, schedule);
    // The controllers choose the names of Jobs and pods. CronJobs, Jobs and pods have the same labels.
    let described = |meta: ObjectMeta| annotated(meta, annotation::DEFAULT_CONTAINER, CONTAINER_PGBACKREST);
    let inner = described(pod_meta(cluster, &backups.metadata, labels.clone()));
    CronJob {
        metadata: described(object_meta(cluster, name, &backups.metadata, labels)),
        spec: Some(CronJobSpec {
            concurrency_policy: Some("Forbid".to_owned()),
            failed_jobs_history_limit: Some(1),
            job_template: JobTemplateSpec {
                metadata: Some(inner.clone()),
                spec: Some(JobSpec {
                    template: PodTemplateSpec {
                        metadata: Some(inner),
                        spec: Some(pod(cluster, backups, repository, schedule)),
                    },
                    ttl_seconds_after_finished: backups.jobs.ttl_seconds_after_finished,
                    ..JobSpec::default()
                }),
            },
            schedule: schedule.schedule.clone(),
            successful_jobs_history_limit: Some(3),
            // The cluster that a standby cluster follows writes the repository, so the standby cluster makes no backups. Otherwise, the
            // field is left to people, who suspend backups before a restore.
            suspend: (cluster.shutdown || cluster.standby.is_some()).then_some(true),
            ..CronJobSpec::default()
        }),
        ..CronJob::default()
    }
}

fn job_labels(repository: &Repository, schedule: &Schedule) -> Labels {
    let mut all = backup_labels();
    all.extend(labels([
        (label::PGBACKREST_CRONJOB, schedule.backup_type.as_str()),
        (label::PGBACKREST_REPO, &repository.name()),
    ]));
    all
}

fn pod(cluster: &Cluster, backups: &Backups, repository: &Repository, schedule: &Schedule) -> PodSpec {
    let jobs = &backups.jobs;
    let on_volume = repository.is_on_volume();
    let mut mounts = vec![mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d")];
    let mut volumes = Vec::new();
    // The repo host creates the log directory on its volume.
    let mut log_directory = None;
    if on_volume {
        mounts.extend(repository_mounts(backups));
        volumes.extend(repository_volumes(cluster, backups));
        volumes.push(pgbackrest_config(cluster, backups, configuration_files()));
    } else {
        let files = vec![item("pgbackrest_cloud.conf", "pgbackrest_cloud.conf")];
        volumes.push(pgbackrest_config(cluster, backups, files));
        log_directory = cloud_log_directory(backups);
    }
    let command = words([
        "pgbackrest",
        "backup",
        &format!("--stanza={STANZA}"),
        &format!("--repo={}", repository.index),
        &format!("--type={}", schedule.backup_type.as_str()),
    ]);
    let container = Container {
        // If the log directory does not exist, pgBackRest only logs a warning, and the log is lost.
        command: Some(with_log_directory(log_directory.as_deref(), command)),
        resources: jobs.resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, CONTAINER_PGBACKREST, &backups.image)
    };
    let mut pod = PodSpec {
        containers: vec![container],
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some(cluster.pgbackrest_name()),
        share_process_namespace: None,
        volumes: Some(volumes),
        ..pod_spec(cluster, POSTGRES_GROUP, &jobs.scheduling)
    };
    if on_volume {
        pod.affinity = Some(beside_repo_host(cluster, jobs.scheduling.affinity.clone().unwrap_or_default()));
    }
    add_tmp(&mut pod);
    add_additional_volumes(&mut pod, &jobs.additional_volumes);
    if let (true, Some(volume)) = (on_volume, log_volume(backups)) {
        add_additional_volumes(&mut pod, slice::from_ref(volume));
    }
    pod
}

/// The repo host's additional volume that contains its log directory. A backup to a volume uses the configuration of the repo
/// host, so it writes its log to the same directory.
fn log_volume(backups: &Backups) -> Option<&AdditionalVolume> {
    let directory = format!("{}/", repo_host_log_directory(backups)?);
    let of_jobs = |name: &str| backups.jobs.additional_volumes.iter().any(|volume| volume.name == name);
    let mut volumes = backups.repo_host.additional_volumes.iter().filter(|volume| !of_jobs(&volume.name));
    volumes.find(|volume| directory.starts_with(&format!("/volumes/{}/", volume.name)))
}

/// The user's affinity, and the node of the repo host: its volume may allow only one node to mount it (`ReadWriteOnce`).
fn beside_repo_host(cluster: &Cluster, affinity: Affinity) -> Affinity {
    let mut pod_affinity: PodAffinity = affinity.pod_affinity.unwrap_or_default();
    pod_affinity.required_during_scheduling_ignored_during_execution.get_or_insert_default().push(PodAffinityTerm {
        label_selector: Some(selector(cluster, repo_host_labels())),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    });
    Affinity { pod_affinity: Some(pod_affinity), ..affinity }
}
