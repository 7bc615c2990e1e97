//! The ConfigMap of fingerprints: by it the caretaker hears at once that something mounted has changed, where the kubelet
//! alone would take a minute (design, "Speed without an operator").

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::metadata::{labels, object_meta};
use super::object::Object;
use crate::cluster::Cluster;
use crate::kubernetes::{ConfigMap, ObjectMeta};

/// The fingerprints of all Secrets and ConfigMaps among `objects`, under `<kind>.<name>` in lower case. They are keyed, so
/// that nobody can test a guessed password against them, and short: 64 bits tell a change. A cluster that is to be shut
/// down says so here, where a pod that is stopped can still read it: it then waits for no heir.
pub(super) fn fingerprints<'a>(
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
        // With their lengths, for two texts must not give the fingerprint of one.
        for part in [name, &text] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
    }
    let digest = mac.finalize().into_bytes();
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}
