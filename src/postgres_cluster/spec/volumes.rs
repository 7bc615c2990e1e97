//! PersistentVolumeClaims and volumes in all sections of the spec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;
use crate::kubernetes::{
    LabelSelector, PersistentVolumeClaimSpec, Quantity, TypedLocalObjectReference, TypedObjectReference,
    VolumeResourceRequirements,
};

/// A claim that PGO can grow: a `PersistentVolumeClaimSpec` with `autoGrow`. The CRD uses it for the data, the WAL and the
/// repositories. Every other claim is a plain `PersistentVolumeClaimSpec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeClaimSpec {
    /// The access modes of the volume.
    pub access_modes: Option<Vec<String>>,
    /// When and how far the volume grows.
    pub auto_grow: Option<AutoGrowSpec>,
    /// A snapshot or claim whose data the new volume gets.
    pub data_source: Option<TypedLocalObjectReference>,
    /// An object of any kind, in any namespace, whose data the new volume gets.
    pub data_source_ref: Option<TypedObjectReference>,
    /// The size, in `requests.storage`.
    pub resources: Option<VolumeResourceRequirements>,
    /// Labels that select the volumes to bind.
    pub selector: Option<LabelSelector>,
    /// The storage class; the default is that of the Kubernetes cluster.
    pub storage_class_name: Option<String>,
    /// The class of the volume's attributes, such as its throughput.
    pub volume_attributes_class_name: Option<String>,
    /// `Filesystem` or `Block`.
    pub volume_mode: Option<String>,
    /// The name of the volume to bind.
    pub volume_name: Option<String>,
}

impl VolumeClaimSpec {
    /// Converts to the type of Kubernetes, without `autoGrow`.
    #[must_use]
    pub fn into_persistent_volume_claim_spec(self) -> PersistentVolumeClaimSpec {
        PersistentVolumeClaimSpec {
            access_modes: self.access_modes,
            data_source: self.data_source,
            data_source_ref: self.data_source_ref,
            resources: self.resources,
            selector: self.selector,
            storage_class_name: self.storage_class_name,
            volume_attributes_class_name: self.volume_attributes_class_name,
            volume_mode: self.volume_mode,
            volume_name: self.volume_name,
        }
    }
}

/// When and how far a claim grows automatically.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoGrowSpec {
    /// The largest increase in one step.
    pub max_grow: Option<Quantity>,
    /// The usage, in percent, at which the volume grows.
    #[schemars(range(min = 50, max = 90))]
    pub trigger: i32,
}

impl Default for AutoGrowSpec {
    fn default() -> Self {
        Self { max_grow: None, trigger: 75 }
    }
}

/// Additional volumes for a pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumesSpec {
    /// Claims and images to mount at `/volumes/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 10),
        extend("x-kubernetes-patch-merge-key" = "name", "x-kubernetes-patch-strategy" = "merge")
    )]
    pub additional: Vec<AdditionalVolume>,
}

/// An existing claim or an image to mount at `/volumes/<name>`. Exactly one of `claimName` and `image` is set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdditionalVolume {
    /// The PersistentVolumeClaim.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::DNS_SUBDOMAIN))]
    pub claim_name: Option<String>,
    /// The containers that mount the volume. If it is absent, all do; if it is empty, none does.
    #[schemars(length(max = 10), inner(length(min = 1, max = 63), regex(pattern = pattern::DNS_LABEL)))]
    pub containers: Option<Vec<String>>,
    /// The image whose files are in the volume.
    pub image: Option<ImageVolumeSpec>,
    /// Name of the volume and of its directory.
    #[schemars(length(min = 1, max = 55), regex(pattern = pattern::DNS_LABEL))]
    pub name: String,
    /// Whether the volume is read-only. A volume of an image always is.
    pub read_only: Option<bool>,
}

/// An image to mount as a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageVolumeSpec {
    /// When to pull the image.
    #[schemars(extend("enum" = ["Always", "Never", "IfNotPresent"]))]
    pub pull_policy: Option<String>,
    /// The image.
    #[schemars(length(min = 1))]
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_loses_nothing_but_auto_grow() {
        let claim = json!({
            "accessModes": ["ReadWriteOnce"],
            "dataSource": { "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "old" },
            "dataSourceRef": { "apiGroup": "example.com", "kind": "Import", "name": "new", "namespace": "zoo" },
            "resources": { "limits": { "storage": "2Gi" }, "requests": { "storage": "1Gi" } },
            "selector": { "matchLabels": { "disk": "fast" } },
            "storageClassName": "class",
            "volumeAttributesClassName": "attributes",
            "volumeMode": "Filesystem",
            "volumeName": "volume",
        });
        let mut growing = claim.clone();
        growing["autoGrow"] = json!({ "maxGrow": "5Gi", "trigger": 80 });
        let growing: VolumeClaimSpec = serde_json::from_value(growing).unwrap();
        assert_eq!(growing.auto_grow.as_ref().map(|grow| grow.trigger), Some(80));
        let plain = serde_json::to_value(growing.into_persistent_volume_claim_spec()).unwrap();
        assert_eq!(plain, claim);
    }

    #[test]
    fn no_containers_is_not_all_containers() {
        let volume = |containers| -> AdditionalVolume { serde_json::from_value(containers).unwrap() };
        assert_eq!(volume(json!({ "name": "a" })).containers, None);
        assert_eq!(volume(json!({ "name": "a", "containers": [] })).containers, Some(Vec::new()));
    }
}
