//! The ConfigMap of fingerprints. The caretaker watches it, so it learns at once when a mounted Secret or ConfigMap has
//! changed. The kubelet alone can take more than a minute to update the mounted files (Kubernetes, "ConfigMaps", "Mounted
//! ConfigMaps are updated automatically").

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::metadata::{labels, object_meta};
use crate::cluster::Cluster;
use crate::kubernetes::ConfigMap;

/// The fingerprints of all Secrets and ConfigMaps in `objects`, with the keys `<kind>.<name>` in lower case. A fingerprint is a
/// keyed hash (HMAC), so that nobody can use it to test a guessed password. It has 64 bits, which is enough to detect a change.
/// If `spec.shutdown` is set, the ConfigMap says so too: a pod that is stopping can still read it, and then does not wait for
/// another instance to become the leader.
pub(super) fn fingerprints(cluster: &Cluster, key: &[u8; 32], objects: &[Value]) -> ConfigMap {
    let mounted = objects.iter().filter(|object| object["kind"] == "Secret" || object["kind"] == "ConfigMap");
    let data = mounted.map(|object| {
        let name = format!(
            "{}.{}",
            object["kind"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default()
        );
        (name.to_lowercase(), fingerprint(key, &object["data"]))
    });
    let shutdown = cluster.shutdown.then(|| ("shutdown".to_owned(), "true".to_owned()));
    ConfigMap {
        metadata: object_meta(cluster, cluster.fingerprints_config_map(), &cluster.metadata, labels([])),
        data: Some(data.chain(shutdown).collect::<BTreeMap<_, _>>()),
        ..ConfigMap::default()
    }
}

fn fingerprint(key: &[u8; 32], data: &Value) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for (name, text) in data.as_object().into_iter().flatten() {
        // The lengths are hashed too, so that two different lists of texts never give the same input.
        for part in [name.as_str(), text.as_str().unwrap_or_default()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
    }
    let digest = mac.finalize().into_bytes();
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}
