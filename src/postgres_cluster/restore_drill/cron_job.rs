//! The CronJob of the restore drill.

use super::model::RestoreDrill;
use super::program::{PROGRAM, SETTINGS};
use crate::kubernetes::{
    Container, CronJob, CronJobSpec, EnvVar, JobSpec, JobTemplateSpec, ObjectMeta, PodSpec, PodTemplateSpec, Volume,
};
use crate::naming::{CONTAINER_DRILL, CONTAINER_PGBACKREST, annotation};
use crate::postgres_cluster::caretaker;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::directories::data_directory;
use crate::postgres_cluster::instances::claims::POSTGRES_DATA;
use crate::postgres_cluster::objects::metadata::{annotated, object_meta, pod_meta, restore_drill_labels};
use crate::postgres_cluster::objects::pod::{
    POSTGRES_GROUP, add_additional_volumes, add_tmp, container, mount, mount_read_only, nss_wrapper_env,
    nss_wrapper_init, pod_spec, variable, words,
};
use crate::postgres_cluster::objects::volumes::{
    config_map, ephemeral, item, pgbackrest_config, projected, users_config_map,
};
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::postgres::configuration::SCRIPT_DIRECTORY;

/// After how long a drill has failed.
const DEADLINE_SECONDS: i64 = 24 * 60 * 60;

/// How long the log of a drill can be read, unless the spec says something else. The scratch volume exists as long.
const KEPT_SECONDS: i32 = 24 * 60 * 60;

/// The name of the volume with the program.
const PROGRAM_VOLUME: &str = "restore-drill";

/// `<cluster>-restore-drill`.
pub(crate) fn cron_job(cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) -> CronJob {
    let described = |meta: ObjectMeta| annotated(meta, annotation::DEFAULT_CONTAINER, CONTAINER_DRILL);
    let inner = described(pod_meta(cluster, &backups.metadata, restore_drill_labels()));
    let standby = cluster.standby.as_ref();
    CronJob {
        metadata: described(object_meta(
            cluster,
            cluster.restore_drill_name(),
            &backups.metadata,
            restore_drill_labels(),
        )),
        spec: Some(CronJobSpec {
            concurrency_policy: Some("Forbid".to_owned()),
            failed_jobs_history_limit: Some(1),
            job_template: JobTemplateSpec {
                metadata: Some(inner.clone()),
                spec: Some(JobSpec {
                    active_deadline_seconds: Some(DEADLINE_SECONDS),
                    // A second attempt would hide why the first one failed.
                    backoff_limit: Some(0),
                    template: PodTemplateSpec { metadata: Some(inner), spec: Some(pod(cluster, backups, drill)) },
                    ttl_seconds_after_finished: backups.jobs.ttl_seconds_after_finished.or(Some(KEPT_SECONDS)),
                    ..JobSpec::default()
                }),
            },
            schedule: drill.schedule.clone(),
            successful_jobs_history_limit: Some(1),
            // A standby cluster has backups only in the repository that it follows.
            suspend: (cluster.shutdown || standby.is_some_and(|standby| standby.repository.is_none())).then_some(true),
            ..CronJobSpec::default()
        }),
        ..CronJob::default()
    }
}

/// The first container restores the backup, with the key of pgBackRest's clients. SQL runs in the second one, which gets neither
/// the key nor the user's additional volumes.
fn pod(cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) -> PodSpec {
    let labelled = pod_meta(cluster, &backups.metadata, restore_drill_labels());
    let jobs = &backups.jobs;
    let files = vec![item("pgbackrest_instance.conf", "pgbackrest_instance.conf")];
    let volumes = vec![
        ephemeral(POSTGRES_DATA, &drill.scratch, &labelled),
        program(cluster, drill),
        pgbackrest_config(cluster, backups, files),
    ];
    let mut restore = part(cluster, backups, CONTAINER_PGBACKREST, "restore");
    restore.volume_mounts.get_or_insert_default().push(mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d"));
    let mut pod = PodSpec {
        init_containers: Some(vec![restore]),
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some(cluster.restore_drill_name()),
        share_process_namespace: None,
        volumes: Some(volumes),
        ..pod_spec(cluster, POSTGRES_GROUP, &jobs.scheduling)
    };
    add_additional_volumes(&mut pod, &jobs.additional_volumes);
    pod.containers = vec![part(cluster, backups, CONTAINER_DRILL, "check")];
    let names = nss_wrapper_init(cluster, &cluster.image, jobs.resources.as_ref());
    pod.init_containers.get_or_insert_default().insert(0, names);
    add_tmp(&mut pod);
    pod
}

/// A container that runs one part of the program.
fn part(cluster: &Cluster, backups: &Backups, name: &str, part: &str) -> Container {
    let mut env: Vec<EnvVar> = vec![variable("PGDATA", data_directory(cluster))];
    env.extend(nss_wrapper_env());
    Container {
        command: Some(words(["python3", &format!("{SCRIPT_DIRECTORY}/restore_drill.py"), part])),
        env: Some(env),
        resources: backups.jobs.resources.clone(),
        volume_mounts: Some(vec![mount(POSTGRES_DATA, "/pgdata"), mount_read_only(PROGRAM_VOLUME, SCRIPT_DIRECTORY)]),
        ..container(cluster, name, &cluster.image)
    }
}

/// The program, beside the files of the caretaker that it imports, and the user's SQL.
fn program(cluster: &Cluster, drill: &RestoreDrill) -> Volume {
    let imported = caretaker::PROGRAM.iter().map(|(name, _)| *name);
    let own = PROGRAM.iter().map(|(name, _)| *name).chain([SETTINGS]);
    let mut sources = vec![
        config_map(cluster.caretaker_name(), imported.map(|name| item(name, name)).collect()),
        config_map(cluster.restore_drill_name(), own.map(|name| item(name, name)).collect()),
    ];
    sources.extend(drill.sql.as_ref().map(|sql| users_config_map(sql, "restore-drill.sql")));
    projected(PROGRAM_VOLUME, sources)
}
