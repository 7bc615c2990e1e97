//! PersistentVolumeClaims (inventory 4.2). They are objects of their own, under the names that the StatefulSet expects, so
//! that resizing is an edit: the template inside a StatefulSet cannot be changed.

use super::metadata::{annotated, labels, object_meta};
use crate::cluster::{Backups, Cluster, InstanceSet, Repository, Storage};
use crate::kubernetes::{
    ObjectMeta, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, Quantity,
    VolumeResourceRequirements,
};
use crate::naming::{delivery, label};

/// The volume, and the claim template, of the data directory.
pub(super) const POSTGRES_DATA: &str = "postgres-data";
/// The volume, and the claim template, of the WAL.
pub(super) const POSTGRES_WAL: &str = "postgres-wal";

/// What keeps GitOps tools from deleting data when a claim leaves the rendering, for example on scaling down: Argo CD,
/// Flux and kpt (`kpt live`, cli-utils).
const KEEP: [(&str, &str); 2] = [(delivery::FLUX_PRUNE, delivery::DISABLED), (delivery::KPT_ON_REMOVE, "keep")];

/// The same for Argo CD, in a list with other options.
const KEEP_OPTIONS: [&str; 2] = ["Prune=false", "Delete=false"];

/// Options that never are on a claim but as above: Argo CD would delete it, or fail on each.
const NEVER: [&str; 4] = ["Prune", "Delete", "Force", "Replace"];

/// The claims of every instance of a set.
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

/// `<cluster>-<repo>`: the claim of a volume repository; none for one in object storage.
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

/// The options of a claim: those that keep it, then the user's.
fn sync_options(given: Option<&String>) -> String {
    let given = given.into_iter().flat_map(|given| delivery::options(given));
    let others = given.filter(|option| !NEVER.contains(&delivery::option_name(option)));
    KEEP_OPTIONS.into_iter().chain(others).collect::<Vec<_>>().join(",")
}

/// The claim with what the API server would fill in (`SetDefaults_PersistentVolumeClaimSpec`).
pub(super) fn completed(spec: &PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec {
    let volume_mode = spec.volume_mode.clone().or_else(|| Some("Filesystem".to_owned()));
    PersistentVolumeClaimSpec { volume_mode, ..spec.clone() }
}

/// The template that makes a StatefulSet take up the claim above by its name. It is the same for every cluster, because the
/// API refuses to change it; only an instance beyond the rendered replicas would ever be made from it.
///
/// It is complete to the status, which the API server fills in: the list is atomic, so a second field manager that applies
/// the same manifests would otherwise conflict with the first.
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
