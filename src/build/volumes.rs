//! Volumes of pods: small constructors for the sources that they are projected from.

use crate::cluster::{Backups, Cluster};
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

/// The key of a part of a certificate in its Secret: PGO's, or cert-manager's where that makes the Secret.
pub(super) fn certificate_key<'a>(cluster: &Cluster, ours: &'a str, cert_manager: &'a str) -> &'a str {
    if cluster.cert_manager.is_some() { cert_manager } else { ours }
}

/// `pgbackrest-config`, mounted at `/etc/pgbackrest/conf.d`: the user's files, our configuration from these keys of the
/// ConfigMap, and the client certificate (inventory 4.1, volume 9).
pub(super) fn pgbackrest_config(cluster: &Cluster, backups: &Backups, items: Vec<KeyToPath>) -> Volume {
    let mut sources = backups.configuration.clone();
    sources.push(config_map(cluster.pgbackrest_config_map(), items));
    sources.push(secret(
        cluster.pgbackrest_name(),
        vec![
            item(certificate_key(cluster, "pgbackrest.ca-roots", "ca.crt"), "~postgres-operator/tls-ca.crt"),
            item(certificate_key(cluster, "pgbackrest-client.crt", "tls.crt"), "~postgres-operator/client-tls.crt"),
            key_item(certificate_key(cluster, "pgbackrest-client.key", "tls.key"), "~postgres-operator/client-tls.key"),
        ],
    ));
    projected("pgbackrest-config", sources)
}

/// `pgbackrest-server`, mounted at `/etc/pgbackrest/server`: the certificate of pgBackRest's TLS server, from the keys
/// `<prefix>.crt` and `<prefix>.key` of a Secret.
pub(super) fn pgbackrest_server(cluster: &Cluster, secret_name: String, prefix: &str) -> Volume {
    let prefix = certificate_key(cluster, prefix, "tls");
    let items =
        vec![item(&format!("{prefix}.crt"), "server-tls.crt"), key_item(&format!("{prefix}.key"), "server-tls.key")];
    projected("pgbackrest-server", vec![secret(secret_name, items)])
}
