//! The container of the collector and its volumes (PGO's `internal/collector/instance.go`).

use super::configuration::{DIRECTORY, FILES_DIRECTORY, KEY, STATE_DIRECTORY};
use super::model::Collector;
use super::queries::{self, File};
use crate::kubernetes::{
    Container, ContainerPort, EnvVar, EnvVarSource, ObjectFieldSelector, ObjectMeta, PodSpec, VolumeMount,
};
use crate::naming::{COLLECTOR_PORT, CONTAINER_COLLECTOR, PORT_COLLECTOR, label};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::exporter::files::{PASSWORD_DIRECTORY, PASSWORD_FILE};
use crate::postgres_cluster::exporter::resolve::optional;
use crate::postgres_cluster::objects::pod::{container, mount, mount_read_only};
use crate::postgres_cluster::objects::volumes::{config_map, item, projected, temporary};
use crate::postgres_cluster::scripts;

/// What the collector needs of a kind of pod.
pub(crate) struct Place<'a> {
    /// The ConfigMap with the configuration.
    pub(crate) config_map: String,
    /// The volumes with logs, and where they are mounted in the containers that write them.
    pub(crate) logs: Vec<(&'a str, &'a str)>,
    /// The volume in which the collector remembers what it has read, in a directory of its own. It must outlive what is read.
    pub(crate) state: &'a str,
    /// The files of the queries that it runs, which are also in the ConfigMap.
    pub(crate) queries: Vec<File>,
}

/// Adds the container and its volumes to a pod. The files of the user are optional, so that the pod starts without them.
/// The collector cannot write to the logs, and `/tmp` is its own: in that of the others is the socket of Postgres.
pub(crate) fn add(pod: &mut PodSpec, cluster: &Cluster, collector: &Collector, place: Place) {
    let mut mounts: Vec<_> = place.logs.iter().map(|(volume, path)| mount_read_only(volume, path)).collect();
    mounts.extend([
        VolumeMount { sub_path: Some("collector".to_owned()), ..mount(place.state, STATE_DIRECTORY) },
        mount_read_only("collector-config", DIRECTORY),
        mount("collector-tmp", "/tmp"),
    ]);
    if !collector.files.is_empty() {
        mounts.push(mount_read_only("collector-files", FILES_DIRECTORY));
    }
    let runs_queries = !place.queries.is_empty();
    if runs_queries {
        mounts.push(mount_read_only("monitoring-secret", PASSWORD_DIRECTORY));
    }
    let mut env = vec![field("K8S_POD_NAMESPACE", "metadata.namespace"), field("K8S_POD_NAME", "metadata.name")];
    env.extend(collector.environment.iter().cloned());
    pod.containers.push(Container {
        command: Some(scripts::collector(DIRECTORY, FILES_DIRECTORY, runs_queries.then_some(PASSWORD_FILE))),
        env: Some(env),
        ports: runs_queries.then(|| {
            vec![ContainerPort {
                container_port: COLLECTOR_PORT.into(),
                name: Some(PORT_COLLECTOR.to_owned()),
                protocol: Some("TCP".to_owned()),
                ..ContainerPort::default()
            }]
        }),
        resources: collector.resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, CONTAINER_COLLECTOR, &collector.image)
    });
    let mut items = vec![item(KEY, "config.yaml")];
    items.extend(place.queries.iter().map(|file| item(&file.key, &file.path)));
    let mut sources = vec![config_map(place.config_map, items)];
    if runs_queries {
        sources.extend(collector.queries.custom.iter().map(|custom| {
            let path = format!("{}/{}/{}", queries::QUERIES, custom.name, custom.key);
            optional(config_map(custom.config_map.clone(), vec![item(&custom.key, &path)]))
        }));
    }
    let volumes = pod.volumes.get_or_insert_default();
    volumes.extend([projected("collector-config", sources), temporary("collector-tmp", "16Mi")]);
    if !collector.files.is_empty() {
        volumes.push(projected("collector-files", collector.files.clone()));
    }
}

/// Adds the label by which PGO's users find these pods.
pub(crate) fn labelled(mut meta: ObjectMeta, cluster: &Cluster) -> ObjectMeta {
    if cluster.collector.is_some() {
        meta.labels.get_or_insert_default().insert(label::COLLECTOR.to_owned(), "true".to_owned());
    }
    meta
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}
