//! Volumes of pods: small constructors for the sources that they are projected from.

use crate::cluster::{Backups, CertificateRole, Cluster, PlannedCertificate};
use crate::kubernetes::{
    ConfigMapProjection, KeyToPath, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, SecretProjection, Volume,
    VolumeProjection,
};

/// The mode of projected files unless said otherwise (`DefaultMode` of the API).
const FILE_MODE: i32 = 0o644;
/// The mode of private keys and verifiers. The kubelet adds that the pod's group may read them (`SetVolumeOwnership`).
pub(super) const KEY_MODE: i32 = 0o600;

/// A volume projected from several sources.
pub(super) fn projected(name: &str, sources: Vec<VolumeProjection>) -> Volume {
    projected_with_mode(name, FILE_MODE, sources)
}

/// As [`projected`], with the mode of its files.
pub(super) fn projected_with_mode(name: &str, mode: i32, sources: Vec<VolumeProjection>) -> Volume {
    Volume {
        name: name.to_owned(),
        projected: Some(ProjectedVolumeSource { default_mode: Some(mode), sources: Some(sources) }),
        ..Volume::default()
    }
}

/// A claim as a volume.
pub(super) fn claim(name: &str, claim_name: String) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..Volume::default()
    }
}

/// Keys of a Secret as files.
pub(super) fn secret(name: String, items: Vec<KeyToPath>) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection { name, items: Some(items), optional: None }),
        ..VolumeProjection::default()
    }
}

/// Keys of a ConfigMap as files.
pub(super) fn config_map(name: String, items: Vec<KeyToPath>) -> VolumeProjection {
    VolumeProjection {
        config_map: Some(ConfigMapProjection { name, items: Some(items), optional: None }),
        ..VolumeProjection::default()
    }
}

/// A key as a file.
pub(super) fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None }
}

/// A private key as a file.
pub(super) fn key_item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { mode: Some(KEY_MODE), ..item(key, path) }
}

/// `pgbackrest-config`, mounted at `/etc/pgbackrest/conf.d`: the user's files, our configuration from these keys of the
/// ConfigMap, and the client certificate (inventory 4.1, volume 9).
pub(super) fn pgbackrest_config(cluster: &Cluster, backups: &Backups, items: Vec<KeyToPath>) -> Volume {
    let mut sources = backups.configuration.clone();
    sources.push(config_map(cluster.pgbackrest_config_map(), items));
    let client = cluster.certificate(CertificateRole::PgBackRestClient, "");
    let authority = client.keys.authority.map(|key| item(key, "~postgres-operator/tls-ca.crt"));
    let pair = [
        item(client.keys.certificate, "~postgres-operator/client-tls.crt"),
        key_item(client.keys.private_key, "~postgres-operator/client-tls.key"),
    ];
    sources.push(secret(client.secret, authority.into_iter().chain(pair).collect()));
    projected("pgbackrest-config", sources)
}

/// `pgbackrest-server`, mounted at `/etc/pgbackrest/server`: the certificate of pgBackRest's TLS server.
pub(super) fn pgbackrest_server(server: PlannedCertificate) -> Volume {
    let items =
        vec![item(server.keys.certificate, "server-tls.crt"), key_item(server.keys.private_key, "server-tls.key")];
    projected("pgbackrest-server", vec![secret(server.secret, items)])
}
