//! PersistentVolumeClaims. They are objects of their own, with the names that the StatefulSet expects, so that users can resize
//! them: the claim template of a StatefulSet cannot be changed.

use super::metadata::{annotated, object_meta};
use crate::cluster::{Backups, Cluster, InstanceSet, Repository, Storage};
use crate::kubernetes::{
    ObjectMeta, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, Quantity,
    VolumeResourceRequirements,
};
use crate::naming::{delivery, label, labels};

/// The name of the volume and the claim template of the data directory.
pub(super) const POSTGRES_DATA: &str = "postgres-data";
/// The name of the volume and the claim template of the WAL.
pub(super) const POSTGRES_WAL: &str = "postgres-wal";

/// Annotations with which Flux and kpt (`kpt live`, cli-utils) do not delete a claim when it is no longer rendered, for example
/// after scaling down.
const KEEP: [(&str, &str); 2] = [(delivery::FLUX_PRUNE, delivery::DISABLED), (delivery::KPT_ON_REMOVE, "keep")];

/// The options of Argo CD with the same effect. They are in a list with other options.
const KEEP_OPTIONS: [&str; 2] = ["Prune=false", "Delete=false"];

/// The options that a user cannot set on a claim. With other values of the first two, Argo CD would delete the claim; with the
/// last two, it would delete the claim, or every sync would fail.
const NEVER: [&str; 4] = ["Prune", "Delete", "Force", "Replace"];

/// The claims of all instances of a set.
pub(super) fn instance_claims(cluster: &Cluster, set: &InstanceSet) -> Vec<PersistentVolumeClaim> {
    let volumes = [
        (POSTGRES_DATA, "pgdata", Some(&set.data_volume_claim_spec)),
        (POSTGRES_WAL, "pgwal", set.wal_volume_claim_spec.as_ref()),
    ];
    let mut claims = Vec::new();
    for ordinal in 0..set.replicas {
        let instance = cluster.instance(set, ordinal);
        for (volume, role, spec) in volumes.iter().filter_map(|(volume, role, spec)| Some((volume, role, (*spec)?))) {
            let labels = labels([
                (label::INSTANCE_SET, &set.name),
                (label::INSTANCE, &instance),
                (label::ROLE, role),
                (label::DATA, "postgres"),
            ]);
            let meta = object_meta(cluster, format!("{volume}-{instance}"), &set.metadata, labels);
            claims.push(claim(meta, spec));
        }
    }
    claims
}

/// `<cluster>-<repo>`: the claim of a repository on a volume; `None` if the repository is in object storage.
pub(super) fn repository_claim(
    cluster: &Cluster,
    backups: &Backups,
    repository: &Repository,
) -> Option<PersistentVolumeClaim> {
    let Storage::Volume(spec) = &repository.storage else { return None };
    let labels = labels([
        (label::PGBACKREST, ""),
        (label::PGBACKREST_REPO, &repository.name()),
        (label::PGBACKREST_VOLUME, ""),
        (label::DATA, "pgbackrest"),
    ]);
    Some(claim(object_meta(cluster, cluster.repository_claim(repository), &backups.metadata, labels), spec))
}

fn claim(meta: ObjectMeta, spec: &PersistentVolumeClaimSpec) -> PersistentVolumeClaim {
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
pub(super) fn completed(spec: &PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec {
    let volume_mode = spec.volume_mode.clone().or_else(|| Some("Filesystem".to_owned()));
    PersistentVolumeClaimSpec { volume_mode, ..spec.clone() }
}

/// The claim template with which a StatefulSet uses the claims above, by their names. It is the same for every cluster, because
/// the API server refuses to change it. Kubernetes would make a claim from it only for an instance beyond the rendered
/// replicas.
///
/// It contains all fields, even the status, which the API server would fill in. The list of templates is atomic in server-side
/// apply, so a second field manager that applies the same manifests would otherwise cause a conflict.
pub(super) fn template(volume: &str) -> PersistentVolumeClaim {
    let requests = [("storage".to_owned(), Quantity("1Gi".to_owned()))];
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(volume.to_owned()), ..ObjectMeta::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(requests.into()),
                ..VolumeResourceRequirements::default()
            }),
            volume_mode: Some("Filesystem".to_owned()),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: Some(PersistentVolumeClaimStatus {
            phase: Some("Pending".to_owned()),
            ..PersistentVolumeClaimStatus::default()
        }),
    }
}
