//! The Deployment of pgBouncer (PGO's `internal/controller/postgrescluster/pgbouncer.go` and
//! `internal/pgbouncer/reconcile.go`).

use super::model::PgBouncer;
use super::{configuration, resolve};
use crate::kubernetes::{
    Container, ContainerPort, Deployment, DeploymentSpec, DeploymentStrategy, IntOrString, KeyToPath, PodSpec,
    PodTemplateSpec, Quantity, ResourceRequirements, RollingUpdateDeployment, SecretProjection, Volume, VolumeMount,
    VolumeProjection,
};
use crate::naming::{CONTAINER_PGBOUNCER, CONTAINER_PGBOUNCER_CONFIG, annotation, pgbouncer_labels};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::collector;
use crate::postgres_cluster::collector::container::Place;
use crate::postgres_cluster::objects::metadata::{annotated, object_meta, pod_meta, selector};
use crate::postgres_cluster::objects::pod::{
    PGBOUNCER_GROUP, add_additional_volumes, add_tmp, container, mount, mount_read_only, pod_spec, topology_spread,
    with_log_directory, words,
};
use crate::postgres_cluster::objects::volumes::{KEY_MODE, config_map, item, key_item, projected, secret, temporary};
use crate::postgres_cluster::scripts;
use crate::postgres_cluster::secrets::certificates::CertificateRole;

/// The volume of pgBouncer's log, if there is a collector. The log is rotated long before it is full.
const LOG_VOLUME: &str = "pgbouncer-logs";

/// `<cluster>-pgbouncer`: the Deployment.
pub(crate) fn deployment(cluster: &Cluster, pgbouncer: &PgBouncer) -> Deployment {
    let metadata = &pgbouncer.metadata;
    let template = collector::container::labelled(pod_meta(cluster, metadata, pgbouncer_labels()), cluster);
    Deployment {
        metadata: object_meta(cluster, cluster.pgbouncer_name(), metadata, pgbouncer_labels()),
        spec: Some(DeploymentSpec {
            progress_deadline_seconds: Some(600),
            replicas: Some(if cluster.shutdown { 0 } else { pgbouncer.replicas.into() }),
            revision_history_limit: Some(0),
            selector: selector(cluster, pgbouncer_labels()),
            // There are always at least as many ready pods as `replicas`, because stopping a pod closes the connections of its
            // clients.
            strategy: Some(DeploymentStrategy {
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
                type_: Some("RollingUpdate".to_owned()),
            }),
            template: PodTemplateSpec {
                metadata: Some(annotated(template, annotation::DEFAULT_CONTAINER, CONTAINER_PGBOUNCER)),
                spec: Some(pod(cluster, pgbouncer)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(cluster: &Cluster, pgbouncer: &PgBouncer) -> PodSpec {
    let mut containers = vec![server(cluster, pgbouncer), reloader(cluster, pgbouncer)];
    containers.extend(pgbouncer.containers.iter().cloned());
    let spread = selector(cluster, pgbouncer_labels());
    let mut pod = PodSpec {
        containers,
        topology_spread_constraints: topology_spread(cluster, &pgbouncer.scheduling, &spread),
        volumes: Some(vec![configuration_volume(cluster, pgbouncer)]),
        ..pod_spec(cluster, PGBOUNCER_GROUP, &pgbouncer.scheduling)
    };
    add_tmp(&mut pod);
    if let Some(settings) = &cluster.collector {
        let logs = vec![(LOG_VOLUME, configuration::LOG_DIRECTORY)];
        let place = Place { config_map: cluster.pgbouncer_name(), logs, state: LOG_VOLUME, queries: Vec::new() };
        collector::container::add(&mut pod, cluster, settings, place);
        pod.volumes.get_or_insert_default().push(temporary(LOG_VOLUME, "256Mi"));
    }
    add_additional_volumes(&mut pod, &pgbouncer.additional_volumes);
    pod
}

/// The files of both containers: the configuration, and the log that the collector reads.
fn mounts(cluster: &Cluster) -> Vec<VolumeMount> {
    let logs = cluster.collector.as_ref().map(|_| mount(LOG_VOLUME, configuration::LOG_DIRECTORY));
    [mount_read_only("pgbouncer-config", "/etc/pgbouncer")].into_iter().chain(logs).collect()
}

fn server(cluster: &Cluster, pgbouncer: &PgBouncer) -> Container {
    let command = words(["pgbouncer", configuration::INI_FILE]);
    Container {
        command: Some(with_log_directory(configuration::log_directory(pgbouncer), command)),
        ports: Some(vec![ContainerPort {
            container_port: pgbouncer.port.into(),
            name: Some(cluster.pgbouncer_container_port()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: pgbouncer.resources.clone(),
        volume_mounts: Some(mounts(cluster)),
        ..container(cluster, CONTAINER_PGBOUNCER, &pgbouncer.image)
    }
}

/// The sidecar `pgbouncer-config`, which reloads pgBouncer when its files change.
fn reloader(cluster: &Cluster, pgbouncer: &PgBouncer) -> Container {
    // If the `pgbouncer` container has resources, this container gets small limits, as in PGO: without them, the pod could not
    // have the quality-of-service class `Guaranteed`.
    let small = || ResourceRequirements {
        limits: Some(
            [("cpu", "5m"), ("memory", "16Mi")].map(|(name, size)| (name.to_owned(), Quantity(size.to_owned()))).into(),
        ),
        ..ResourceRequirements::default()
    };
    let mut command = scripts::pgbouncer_config();
    if let Some(collector) = &cluster.collector {
        let directory = configuration::log_file(pgbouncer).rsplit_once('/').map_or("", |(directory, _)| directory);
        command = scripts::with_rotation(collector, directory, command);
    }
    let limited = pgbouncer.resources.as_ref().is_some_and(|r| r.limits.is_some() || r.requests.is_some());
    Container {
        command: Some(command),
        resources: pgbouncer.config_resources.clone().or_else(|| limited.then(small)),
        volume_mounts: Some(mounts(cluster)),
        ..container(cluster, CONTAINER_PGBOUNCER_CONFIG, &pgbouncer.image)
    }
}

/// `pgbouncer-config`: an empty `pgbouncer.ini`, which a file of the user may replace, then the rendered files.
fn configuration_volume(cluster: &Cluster, pgbouncer: &PgBouncer) -> Volume {
    let name = cluster.pgbouncer_name();
    let mut sources = Vec::new();
    // The API server does not accept two sources with the same path in their `items`.
    if !pgbouncer.files.iter().any(resolve::names_main_file) {
        sources.push(config_map(name.clone(), vec![item("pgbouncer-empty", "pgbouncer.ini")]));
    }
    sources.extend(pgbouncer.files.iter().cloned());
    sources.push(config_map(name.clone(), vec![item("pgbouncer.ini", "~postgres-operator.ini")]));
    sources.push(secret(name, vec![key_item(configuration::USERS_KEY, "~postgres-operator/users.txt")]));
    sources.push(frontend(cluster, pgbouncer));
    sources.push(backend(cluster));
    projected("pgbouncer-config", sources)
}

/// The certificate that pgBouncer shows to clients. If the user provides it, its keys get the paths that pgBouncer's
/// configuration contains. If none of its items has the path `ca.crt`, `tls.crt` or `tls.key`, the keys with these names are
/// used, as in PGO (`internal/pgbouncer/certificates.go`).
fn frontend(cluster: &Cluster, pgbouncer: &PgBouncer) -> VolumeProjection {
    let planned = cluster.certificate(CertificateRole::PgBouncer, "");
    let files = [
        ("ca.crt", planned.keys.authority, "~postgres-operator/frontend-ca.crt", None),
        ("tls.key", Some(planned.keys.private_key), "~postgres-operator/frontend-tls.key", Some(KEY_MODE)),
        ("tls.crt", Some(planned.keys.certificate), "~postgres-operator/frontend-tls.crt", None),
    ];
    let ours = files.iter().filter_map(|(_, key, path, mode)| Some(KeyToPath { mode: *mode, ..item((*key)?, path) }));
    let ours: Vec<KeyToPath> = ours.collect();
    let Some(custom) = &pgbouncer.custom_tls_secret else { return secret(planned.secret, ours) };
    let theirs = custom.items.iter().flatten();
    let mut items: Vec<KeyToPath> = theirs
        .filter_map(|theirs| {
            let (_, _, path, mode) = files.iter().find(|(file, _, _, _)| *file == theirs.path)?;
            Some(KeyToPath { path: (*path).to_owned(), mode: theirs.mode.or(*mode), ..theirs.clone() })
        })
        .collect();
    if items.is_empty() {
        items = ours;
    }
    VolumeProjection {
        secret: Some(SecretProjection { items: Some(items), ..custom.clone() }),
        ..VolumeProjection::default()
    }
}

/// The CA with which pgBouncer verifies Postgres. If the user provides the certificate of Postgres, the item with the path
/// `ca.crt` is used, or else the key `ca.crt`, as in PGO (`internal/pgbouncer/certificates.go`).
fn backend(cluster: &Cluster) -> VolumeProjection {
    let path = "~postgres-operator/backend-ca.crt";
    let Some(custom) = &cluster.custom_tls_secret else {
        let planned = cluster.certificate(CertificateRole::Postgres, "");
        return secret(planned.secret, planned.keys.authority.map(|key| item(key, path)).into_iter().collect());
    };
    let theirs = custom.items.iter().flatten().find(|theirs| theirs.path == "ca.crt").cloned();
    let authority = KeyToPath { path: path.to_owned(), ..theirs.unwrap_or_else(|| item("ca.crt", path)) };
    VolumeProjection {
        secret: Some(SecretProjection { items: Some(vec![authority]), ..custom.clone() }),
        ..VolumeProjection::default()
    }
}
