//! The ConfigMap of fingerprints: by it the caretaker hears at once that something mounted has changed, where the kubelet
//! alone would take a minute (design, "Speed without an operator").

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::metadata::{labels, object_meta};
use crate::cluster::Cluster;
use crate::kubernetes::ConfigMap;

/// The fingerprints of all Secrets and ConfigMaps among `objects`, under `<kind>.<name>` in lower case. They are keyed, so
/// that nobody can test a guessed password against them, and short: 64 bits tell a change. A cluster that is to be shut
/// down says so here, where a pod that is stopped can still read it: it then waits for no heir.
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
        // With their lengths, for two texts must not give the fingerprint of one.
        for part in [name.as_str(), text.as_str().unwrap_or_default()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
    }
    let digest = mac.finalize().into_bytes();
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}
