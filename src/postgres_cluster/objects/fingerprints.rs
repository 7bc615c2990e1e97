//! The ConfigMap of fingerprints. The caretaker watches it, so it learns at once when a mounted Secret or ConfigMap has
//! changed. The kubelet alone can take more than a minute to update the mounted files (Kubernetes, "ConfigMaps", "Mounted
//! ConfigMaps are updated automatically").

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::metadata::object_meta;
use crate::kubernetes::object::Object;
use crate::kubernetes::{ConfigMap, ObjectMeta};
use crate::naming::labels;
use crate::postgres_cluster::cluster::Cluster;

/// The fingerprints of all Secrets and ConfigMaps in `objects`, with the keys `<kind>.<name>` in lower case. A fingerprint is a
/// keyed hash (HMAC), so that nobody can use it to test a guessed password. It has 64 bits, which is enough to detect a change.
/// If `spec.shutdown` is set, the ConfigMap says so too: a pod that is stopping can still read it, and then does not wait for
/// another instance to become the leader.
pub(crate) fn fingerprints<'a>(
    cluster: &Cluster,
    key: &[u8; 32],
    objects: impl Iterator<Item = &'a Object>,
) -> ConfigMap {
    let data = objects.filter_map(|object| match object {
        Object::ConfigMap(object) => {
            let data = object.data.iter().flatten().map(|(name, text)| (name.as_str(), text.clone()));
            Some((name("configmap", &object.metadata), fingerprint(key, data)))
        }
        Object::Secret(object) => {
            let data = object.data.iter().flatten().map(|(name, bytes)| (name.as_str(), STANDARD.encode(&bytes.0)));
            Some((name("secret", &object.metadata), fingerprint(key, data)))
        }
        _ => None,
    });
    let shutdown = cluster.shutdown.then(|| ("shutdown".to_owned(), "true".to_owned()));
    ConfigMap {
        metadata: object_meta(cluster, cluster.fingerprints_config_map(), &cluster.metadata, labels([])),
        data: Some(data.chain(shutdown).collect::<BTreeMap<_, _>>()),
        ..ConfigMap::default()
    }
}

fn name(kind: &str, metadata: &ObjectMeta) -> String {
    format!("{kind}.{}", metadata.name.as_deref().unwrap_or_default())
}

fn fingerprint<'a>(key: &[u8; 32], data: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for (name, text) in data {
        // The lengths are hashed too, so that two different lists of texts never give the same input.
        for part in [name, &text] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
    }
    let digest = mac.finalize().into_bytes();
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}
