//! Volume claims.

use super::{Context, quantity};
use crate::kubernetes::PersistentVolumeClaimSpec;
use crate::report::FieldPath;
use crate::spec::VolumeClaimSpec;

const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];

/// A claim as it is rendered: without `autoGrow` and `resources.limits`, which mean something to PGO only (inventory 4.2).
pub(super) fn resolve(spec: &VolumeClaimSpec, path: &FieldPath, context: &mut Context) -> PersistentVolumeClaimSpec {
    let mut claim = spec.clone().into_persistent_volume_claim_spec();
    check(&claim, path, context);
    if let Some(resources) = &mut claim.resources {
        let limit = resources.limits.take().and_then(|mut limits| limits.remove("storage"));
        let request = resources.requests.as_mut().and_then(|requests| requests.get_mut("storage"));
        if let (Some(limit), Some(request)) = (limit, request)
            && quantity::value(&request.0) > quantity::value(&limit.0)
        {
            let message = format!("`{}` is more than the limit; `{}` is requested", request.0, limit.0);
            context.warning(path.key("resources").key("requests").key("storage"), message);
            *request = limit;
        }
    }
    claim
}

/// What the API server would refuse of a claim although the schema lets it pass.
pub(super) fn check(claim: &PersistentVolumeClaimSpec, path: &FieldPath, context: &mut Context) {
    for (index, mode) in claim.access_modes.iter().flatten().enumerate() {
        if !ACCESS_MODES.contains(&mode.as_str()) {
            let message = format!("`{mode}` is not one of `{}`", ACCESS_MODES.join("`, `"));
            context.error(path.key("accessModes").index(index), message);
        }
    }
    let request = claim.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get("storage"));
    if request.is_some_and(|request| quantity::value(&request.0).is_some_and(|size| size <= 0.0)) {
        context.error(path.key("resources").key("requests").key("storage"), "must be more than nothing");
    }
}
