//! Volumes of pods, and the sources from which they are projected.

use crate::kubernetes::{
    ConfigMapProjection, EmptyDirVolumeSource, EphemeralVolumeSource, KeyToPath, ObjectMeta, PersistentVolumeClaimSpec,
    PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, Quantity,
    SecretProjection, Volume, VolumeProjection,
};
use crate::postgres_cluster::cluster::{Cluster, ConfigMapKey};
use crate::postgres_cluster::objects::claims::completed;
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::secrets::certificates::CertificateRole;
use crate::postgres_cluster::secrets::certificates::PlannedCertificate;

/// The mode of projected files by default (`defaultMode` in the Kubernetes API).
const FILE_MODE: i32 = 0o644;
/// The mode of private keys and verifiers. The kubelet also makes them readable for the pod's `fsGroup` (Kubernetes'
/// `SetVolumeOwnership`).
pub(crate) const KEY_MODE: i32 = 0o600;

/// A volume that is projected from several sources.
pub(crate) fn projected(name: &str, sources: Vec<VolumeProjection>) -> Volume {
    projected_with_mode(name, FILE_MODE, sources)
}

/// The same as [`projected`], with a mode for the files.
pub(crate) fn projected_with_mode(name: &str, mode: i32, sources: Vec<VolumeProjection>) -> Volume {
    Volume {
        name: name.to_owned(),
        projected: Some(ProjectedVolumeSource { default_mode: Some(mode), sources: Some(sources) }),
        ..Volume::default()
    }
}

/// An empty volume of at most `size`, for `/tmp`.
pub(crate) fn temporary(name: &str, size: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource { medium: None, size_limit: Some(Quantity(size.to_owned())) }),
        ..Volume::default()
    }
}

/// A volume that is a PersistentVolumeClaim.
pub(crate) fn claim(name: &str, claim_name: String) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..Volume::default()
    }
}

/// An ephemeral volume, whose claim is deleted with the pod. The claim has the labels and annotations of the pod, as in PGO.
pub(crate) fn ephemeral(name: &str, spec: &PersistentVolumeClaimSpec, labelled: &ObjectMeta) -> Volume {
    let template = PersistentVolumeClaimTemplate { metadata: Some(labelled.clone()), spec: completed(spec) };
    Volume {
        name: name.to_owned(),
        ephemeral: Some(EphemeralVolumeSource { volume_claim_template: Some(template) }),
        ..Volume::default()
    }
}

/// A source that projects a key of a ConfigMap that the user provides. A pod starts without it.
pub(crate) fn users_config_map(key: &ConfigMapKey, path: &str) -> VolumeProjection {
    VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: key.name.clone(),
            items: Some(vec![item(&key.key, path)]),
            optional: Some(true),
        }),
        ..VolumeProjection::default()
    }
}

/// A source that projects keys of a Secret as files.
pub(crate) fn secret(name: String, items: Vec<KeyToPath>) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection { name, items: Some(items), optional: None }),
        ..VolumeProjection::default()
    }
}

/// A source that projects keys of a ConfigMap as files.
pub(crate) fn config_map(name: String, items: Vec<KeyToPath>) -> VolumeProjection {
    VolumeProjection {
        config_map: Some(ConfigMapProjection { name, items: Some(items), optional: None }),
        ..VolumeProjection::default()
    }
}

/// A key that is projected as the file `path`.
pub(crate) fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None }
}

/// A key that is projected as the file `path`, for a private key or a verifier.
pub(crate) fn key_item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { mode: Some(KEY_MODE), ..item(key, path) }
}

/// `pgbackrest-config`, which is mounted at `/etc/pgbackrest/conf.d`: the user's files, the given keys of the ConfigMap with
/// pgBackRest's configuration, and the client certificate, in the order of PGO.
pub(crate) fn pgbackrest_config(cluster: &Cluster, backups: &Backups, items: Vec<KeyToPath>) -> Volume {
    let mut sources = backups.configuration.clone();
    sources.push(config_map(cluster.pgbackrest_config_map(), items));
    let client = cluster.certificate(CertificateRole::PgBackRestClient, "");
    let items = pgbackrest_client(&client);
    sources.push(secret(client.secret, items));
    projected("pgbackrest-config", sources)
}

/// The files of the client certificate that pgBackRest's configuration names, below the directory of the configuration.
pub(crate) fn pgbackrest_client(client: &PlannedCertificate) -> Vec<KeyToPath> {
    let authority = client.keys.authority.map(|key| item(key, "~postgres-operator/tls-ca.crt"));
    let pair = [
        item(client.keys.certificate, "~postgres-operator/client-tls.crt"),
        key_item(client.keys.private_key, "~postgres-operator/client-tls.key"),
    ];
    authority.into_iter().chain(pair).collect()
}

/// `pgbackrest-server`, which is mounted at `/etc/pgbackrest/server`: the certificate of pgBackRest's TLS server.
pub(crate) fn pgbackrest_server(server: PlannedCertificate) -> Volume {
    let items =
        vec![item(server.keys.certificate, "server-tls.crt"), key_item(server.keys.private_key, "server-tls.key")];
    projected("pgbackrest-server", vec![secret(server.secret, items)])
}
