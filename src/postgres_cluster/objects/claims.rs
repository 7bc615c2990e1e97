//! PersistentVolumeClaims. They are objects of their own, with the names that the StatefulSet expects, so that users can resize
//! them: the claim template of a StatefulSet cannot be changed.

use super::metadata::annotated;
use crate::kubernetes::{ObjectMeta, PersistentVolumeClaim, PersistentVolumeClaimSpec};
use crate::naming::delivery;

/// Annotations with which Flux and kpt (`kpt live`, cli-utils) do not delete a claim when it is no longer rendered, for example
/// after scaling down.
const KEEP: [(&str, &str); 2] = [(delivery::FLUX_PRUNE, delivery::DISABLED), (delivery::KPT_ON_REMOVE, "keep")];

/// The options of Argo CD with the same effect. They are in a list with other options.
const KEEP_OPTIONS: [&str; 2] = ["Prune=false", "Delete=false"];

/// The options that a user cannot set on a claim. With other values of the first two, Argo CD would delete the claim; with the
/// last two, it would delete the claim, or every sync would fail.
const NEVER: [&str; 4] = ["Prune", "Delete", "Force", "Replace"];

/// A claim that tools do not delete together with the objects around it.
pub(crate) fn claim(meta: ObjectMeta, spec: &PersistentVolumeClaimSpec) -> PersistentVolumeClaim {
    let annotations = meta.annotations.as_ref();
    let options = sync_options(annotations.and_then(|annotations| annotations.get(delivery::ARGO_CD_SYNC_OPTIONS)));
    let meta = annotated(meta, delivery::ARGO_CD_SYNC_OPTIONS, &options);
    let metadata = KEEP.iter().fold(meta, |meta, (key, value)| annotated(meta, key, value));
    PersistentVolumeClaim { metadata, spec: Some(completed(spec)), ..PersistentVolumeClaim::default() }
}

/// The options of Argo CD for a claim: first those that prevent its deletion, then the user's.
fn sync_options(given: Option<&String>) -> String {
    let given = given.into_iter().flat_map(|given| delivery::options(given));
    let others = given.filter(|option| !NEVER.contains(&delivery::option_name(option)));
    KEEP_OPTIONS.into_iter().chain(others).collect::<Vec<_>>().join(",")
}

/// The claim with the defaults of the API server (Kubernetes' `SetDefaults_PersistentVolumeClaimSpec`).
pub(crate) fn completed(spec: &PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec {
    let volume_mode = spec.volume_mode.clone().or_else(|| Some("Filesystem".to_owned()));
    PersistentVolumeClaimSpec { volume_mode, ..spec.clone() }
}
