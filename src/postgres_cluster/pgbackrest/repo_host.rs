//! The repo host: the StatefulSet whose pod stores pgBackRest's repositories on volumes (PGO's `generateRepoHostIntent` in
//! `internal/controller/postgrescluster/pgbackrest.go`).

use super::model::Backups;
use crate::kubernetes::{
    Container, ExecAction, KeyToPath, Lifecycle, LifecycleHandler, ObjectMeta, PodSpec, PodTemplateSpec,
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy, VolumeMount,
};
use crate::naming::{CONTAINER_PGBACKREST, CONTAINER_PGBACKREST_CONFIG, annotation, label};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::collector;
use crate::postgres_cluster::collector::container::{Place, labelled};
use crate::postgres_cluster::instances::containers::pgbackrest_server_container;
use crate::postgres_cluster::objects::metadata::{annotated, object_meta, pod_meta, repo_host_labels, selector};
use crate::postgres_cluster::objects::pod::{
    POSTGRES_GROUP, add_additional_volumes, add_tmp, container, data_pods, mount, mount_read_only, nss_wrapper_env,
    nss_wrapper_init, pod_spec, topology_spread,
};
use crate::postgres_cluster::objects::volumes::{claim, item, pgbackrest_config, pgbackrest_server};
use crate::postgres_cluster::pgbackrest;
use crate::postgres_cluster::scripts;
use crate::postgres_cluster::secrets::certificates::CertificateRole;

/// `<cluster>-repo-host`, with one pod.
pub(crate) fn stateful_set(cluster: &Cluster, backups: &Backups) -> StatefulSet {
    let mut labels = repo_host_labels();
    labels.insert(label::DATA.to_owned(), "pgbackrest".to_owned());
    let described = |meta: ObjectMeta| annotated(meta, annotation::DEFAULT_CONTAINER, CONTAINER_PGBACKREST);
    StatefulSet {
        metadata: described(object_meta(cluster, cluster.repo_host(), &backups.metadata, labels.clone())),
        spec: Some(StatefulSetSpec {
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            pod_management_policy: Some("Parallel".to_owned()),
            replicas: Some(i32::from(!cluster.shutdown)),
            revision_history_limit: Some(10),
            selector: selector(cluster, repo_host_labels()),
            service_name: Some(cluster.pods_service()),
            template: PodTemplateSpec {
                metadata: Some(labelled(described(pod_meta(cluster, &backups.metadata, labels)), cluster)),
                spec: Some(pod(cluster, backups)),
            },
            update_strategy: Some(StatefulSetUpdateStrategy {
                rolling_update: Some(RollingUpdateStatefulSetStrategy { partition: Some(0), ..Default::default() }),
                type_: Some("RollingUpdate".to_owned()),
            }),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn pod(cluster: &Cluster, backups: &Backups) -> PodSpec {
    let host = &backups.repo_host;
    let mut volumes = vec![pgbackrest_server(cluster.certificate(CertificateRole::PgBackRestRepoHost, ""))];
    volumes.extend(repository_volumes(cluster, backups));
    let mut files = configuration_files();
    files.push(item(pgbackrest::configuration::MANUAL_BACKUP, pgbackrest::configuration::MANUAL_BACKUP));
    volumes.push(pgbackrest_config(cluster, backups, files));
    let directory = pgbackrest::configuration::repo_host_log_directory(backups);
    let mut init_containers: Vec<_> =
        directory.iter().map(|directory| log_directory(cluster, backups, directory)).collect();
    init_containers.push(nss_wrapper_init(cluster, &backups.image, host.resources.as_ref()));
    let mut pod = PodSpec {
        containers: vec![server(cluster, backups), configuration(cluster, backups)],
        init_containers: Some(init_containers),
        service_account_name: Some(cluster.repo_host_service_account()),
        topology_spread_constraints: topology_spread(cluster, &host.scheduling, &data_pods(cluster)),
        volumes: Some(volumes),
        ..pod_spec(cluster, POSTGRES_GROUP, &host.scheduling)
    };
    add_tmp(&mut pod);
    if let (Some(settings), Some(first)) = (&cluster.collector, backups.volume_repositories().next()) {
        let (volume, path) = (first.name(), format!("/pgbackrest/{}", first.name()));
        let logs = vec![(volume.as_str(), path.as_str())];
        let config_map = cluster.pgbackrest_config_map();
        collector::container::add(
            &mut pod,
            cluster,
            settings,
            Place { config_map, logs, state: &volume, queries: Vec::new() },
        );
    }
    add_additional_volumes(&mut pod, &host.additional_volumes);
    pod
}

/// The keys of the ConfigMap with pgBackRest's configuration for a pod that mounts the repositories.
pub(crate) fn configuration_files() -> Vec<KeyToPath> {
    vec![
        item("pgbackrest_repo.conf", "pgbackrest_repo.conf"),
        item("config-hash", "config-hash"),
        item("pgbackrest-server.conf", "~postgres-operator_server.conf"),
    ]
}

/// One volume for each repository on a volume. Its name is the name of the repository.
pub(crate) fn repository_volumes(cluster: &Cluster, backups: &Backups) -> Vec<crate::kubernetes::Volume> {
    let claims = backups.volume_repositories();
    claims.map(|repository| claim(&repository.name(), cluster.repository_claim(repository))).collect()
}

/// The mounts of the repositories, at `/pgbackrest/<name>`.
pub(crate) fn repository_mounts(backups: &Backups) -> Vec<VolumeMount> {
    let names = backups.volume_repositories().map(super::model::Repository::name);
    names.map(|name| mount(&name, &format!("/pgbackrest/{name}"))).collect()
}

fn server(cluster: &Cluster, backups: &Backups) -> Container {
    let mut mounts = vec![mount_read_only("pgbackrest-server", "/etc/pgbackrest/server")];
    mounts.extend(repository_mounts(backups));
    mounts.push(mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d"));
    Container {
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: Some(ExecAction { command: Some(scripts::repo_host_pre_stop()) }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        resources: backups.repo_host.resources.clone(),
        volume_mounts: Some(mounts),
        ..pgbackrest_server_container(cluster, backups, pgbackrest::configuration::repo_host_log_directory(backups))
    }
}

/// The sidecar `pgbackrest-config`. It reloads the server when its files change, and takes the first backup of each repository
/// and backups on demand.
fn configuration(cluster: &Cluster, backups: &Backups) -> Container {
    let mut mounts = vec![mount_read_only("pgbackrest-server", "/etc/pgbackrest/server")];
    mounts.extend(repository_mounts(backups));
    mounts.push(mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d"));
    Container {
        command: Some(scripts::pgbackrest_config(backups)),
        env: Some(nss_wrapper_env()),
        resources: backups.config_resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, CONTAINER_PGBACKREST_CONFIG, &backups.image)
    }
}

fn log_directory(cluster: &Cluster, backups: &Backups, directory: &str) -> Container {
    Container {
        command: Some(scripts::repo_log_directory(directory)),
        resources: backups.repo_host.resources.clone(),
        volume_mounts: Some(repository_mounts(backups)),
        ..container(cluster, "pgbackrest-log-dir", &backups.image)
    }
}
