//! Resolves and checks PersistentVolumeClaims.

use std::collections::BTreeMap;

use super::context::Context;
use super::quantity;
use crate::diagnostic::FieldPath;
use crate::kubernetes::PersistentVolumeClaimSpec;
use crate::postgres_cluster::spec::{PostgresClusterSpec, VolumeClaimSpec};

const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];

/// Returns a claim as it is rendered: without `autoGrow` and `resources.limits`, which only PGO uses
/// (`internal/controller/postgrescluster/volumes.go`). A request above the limit is lowered to the limit, as in PGO.
pub(crate) fn resolve(spec: &VolumeClaimSpec, path: &FieldPath, context: &mut Context) -> PersistentVolumeClaimSpec {
    let mut claim = spec.clone().into_persistent_volume_claim_spec();
    check(&claim, path, context);
    if let Some(resources) = &mut claim.resources {
        let limit = resources.limits.take().and_then(|mut limits| limits.remove("storage"));
        let request = resources.requests.as_mut().and_then(|requests| requests.get_mut("storage"));
        if let (Some(limit), Some(request)) = (limit, request)
            && quantity::value(&request.0) > quantity::value(&limit.0)
        {
            let message = format!("`{}` is more than the limit, so the claim requests `{}`", request.0, limit.0);
            context.warning(path.key("resources").key("requests").key("storage"), message);
            *request = limit;
        }
    }
    claim
}

/// Reports what the API server would refuse in a claim although the schema of a `PostgresCluster` allows it.
pub(crate) fn check(claim: &PersistentVolumeClaimSpec, path: &FieldPath, context: &mut Context) {
    for (index, mode) in claim.access_modes.iter().flatten().enumerate() {
        if !ACCESS_MODES.contains(&mode.as_str()) {
            let message = format!("`{mode}` is not one of `{}`", ACCESS_MODES.join("`, `"));
            context.error(path.key("accessModes").index(index), message);
        }
    }
    let request = claim.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get("storage"));
    if request.is_some_and(|request| quantity::value(&request.0).is_some_and(|size| size <= 0.0)) {
        context.error(path.key("resources").key("requests").key("storage"), "must be more than 0");
    }
}

/// Reports an error if several claims name the same volume: a PersistentVolume can be bound to only one claim, and the others
/// would wait forever (Kubernetes, "Persistent Volumes").
pub(crate) fn check_volume_names(spec: &PostgresClusterSpec, context: &mut Context) {
    let mut named: Vec<(FieldPath, &str, i32)> = Vec::new();
    for (index, set) in spec.instances.iter().enumerate() {
        let path = FieldPath::of("spec.instances").index(index);
        let wal = set.wal_volume_claim_spec.as_ref().and_then(|claim| claim.volume_name.as_deref());
        let temp = set.volumes.as_ref().and_then(|volumes| volumes.temp.as_ref()?.volume_name.as_deref());
        if temp.is_some() && set.replicas == 1 {
            let message = "Kubernetes creates this claim again with each pod, but does not bind a released volume \
                           again: remove it, and write `storageClassName`";
            context.warning(path.key("volumes").key("temp").key("volumeName"), message);
        }
        let data = set.data_volume_claim_spec.volume_name.as_deref();
        named.extend(data.map(|name| (path.key("dataVolumeClaimSpec"), name, set.replicas)));
        named.extend(wal.map(|name| (path.key("walVolumeClaimSpec"), name, set.replicas)));
        named.extend(temp.map(|name| (path.key("volumes").key("temp"), name, set.replicas)));
    }
    let pgbackrest = spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    for (index, repository) in pgbackrest.into_iter().flat_map(|pgbackrest| &pgbackrest.repos).enumerate() {
        let name = repository.volume.as_ref().and_then(|volume| volume.volume_claim_spec.volume_name.as_deref());
        let path = FieldPath::of("spec.backups.pgbackrest.repos").index(index).key("volume").key("volumeClaimSpec");
        named.extend(name.map(|name| (path, name, 1)));
    }
    let mut first: BTreeMap<&str, FieldPath> = BTreeMap::new();
    for (path, name, replicas) in named.into_iter().filter(|(_, name, _)| !name.is_empty()) {
        let path = path.key("volumeName");
        if replicas > 1 {
            let message = format!(
                "each of the {replicas} instances has its own claim, but a PersistentVolume can be bound to only one \
                 claim: remove it, and write `storageClassName` or `selector`, or write one instance set with one \
                 instance for each volume"
            );
            context.error(path, message);
        } else if let Some(other) = first.get(name) {
            context.error(
                path,
                format!(
                    "`{other}` already uses this volume, and a volume can be bound to only one claim: write the name \
                     of another volume"
                ),
            );
        } else {
            first.insert(name, path);
        }
    }
}
