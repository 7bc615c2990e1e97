//! The container of the exporter and its volumes (PGO's `internal/controller/postgrescluster/pgmonitor.go`).

use super::files::{
    CERTIFICATE_DIRECTORY, PASSWORD_DIRECTORY, PASSWORD_FILE, PASSWORD_KEY, QUERIES_DIRECTORY, QUERIES_KEY,
    WEB_DIRECTORY, WEB_KEY,
};
use super::model::Exporter;
use super::resolve::optional;
use crate::kubernetes::{Container, ContainerPort, PodSpec, Volume, VolumeProjection};
use crate::naming::{CONTAINER_EXPORTER, EXPORTER_PORT, MONITORING_USER, PORT_EXPORTER};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::pod::{container, mount, mount_read_only, variable};
use crate::postgres_cluster::objects::volumes::{
    KEY_MODE, config_map, item, key_item, projected, projected_with_mode, secret, temporary,
};
use crate::postgres_cluster::scripts;
use crate::postgres_cluster::secrets::credentials::{CredentialHolder, ServiceRole};

/// Adds the container and its volumes to the pod of an instance.
///
/// The files of the user are optional, so that Postgres starts whatever is missing. Its `/tmp` is not that of the other containers,
/// in which the socket of Postgres is: the exporter answers everybody who can reach its port.
pub(crate) fn add(pod: &mut PodSpec, cluster: &Cluster, exporter: &Exporter) {
    pod.containers.push(sidecar(cluster, exporter));
    pod.volumes.get_or_insert_default().extend(volumes(cluster, exporter));
}

fn sidecar(cluster: &Cluster, exporter: &Exporter) -> Container {
    let mut mounts = vec![
        mount_read_only("exporter-config", QUERIES_DIRECTORY),
        mount_read_only("monitoring-secret", PASSWORD_DIRECTORY),
    ];
    if exporter.custom_tls_secret.is_some() {
        mounts.push(mount_read_only("exporter-certs", CERTIFICATE_DIRECTORY));
        mounts.push(mount_read_only("web-config", WEB_DIRECTORY));
    }
    mounts.push(mount("exporter-tmp", "/tmp"));
    Container {
        command: Some(scripts::exporter(cluster, exporter)),
        env: Some(vec![
            variable("DATA_SOURCE_URI", format!("localhost:{}/postgres", cluster.port)),
            variable("DATA_SOURCE_USER", MONITORING_USER),
            variable("DATA_SOURCE_PASS_FILE", PASSWORD_FILE),
        ]),
        ports: Some(vec![ContainerPort {
            container_port: EXPORTER_PORT.into(),
            name: Some(PORT_EXPORTER.to_owned()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: exporter.resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, CONTAINER_EXPORTER, &exporter.image)
    }
}

/// The password. Postgres does not wait for a Secret of the user.
fn password(cluster: &Cluster) -> Volume {
    let credential = cluster.credential(CredentialHolder::Service(ServiceRole::Monitoring));
    let source = secret(credential.secret.clone(), vec![key_item(credential.keys.password, PASSWORD_KEY)]);
    let source = if credential.is_brought { optional(source) } else { source };
    projected_with_mode("monitoring-secret", KEY_MODE, vec![source])
}

fn volumes(cluster: &Cluster, exporter: &Exporter) -> Vec<Volume> {
    let defaults = || vec![config_map(cluster.exporter_queries_config_map(), vec![item(QUERIES_KEY, QUERIES_KEY)])];
    let queries = exporter.configuration.clone().unwrap_or_else(defaults);
    let mut volumes = vec![projected("exporter-config", queries), password(cluster)];
    if let Some(certificate) = &exporter.custom_tls_secret {
        let certificate = VolumeProjection { secret: Some(certificate.clone()), ..VolumeProjection::default() };
        let web = config_map(cluster.exporter_web_config_map(), vec![item(WEB_KEY, WEB_KEY)]);
        volumes.push(projected_with_mode("exporter-certs", KEY_MODE, vec![certificate]));
        volumes.push(projected("web-config", vec![web]));
    }
    volumes.push(temporary("exporter-tmp", "64Mi"));
    volumes
}
