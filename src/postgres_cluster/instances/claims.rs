//! The claims of instances, and the claim templates with which a StatefulSet finds them.

use crate::kubernetes::{
    ObjectMeta, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, Quantity,
    VolumeResourceRequirements,
};
use crate::naming::{label, labels};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::objects::claims::claim;
use crate::postgres_cluster::objects::metadata::object_meta;

/// The name of the volume and the claim template of the data directory.
pub(crate) const POSTGRES_DATA: &str = "postgres-data";
/// The name of the volume and the claim template of the WAL.
pub(crate) const POSTGRES_WAL: &str = "postgres-wal";

/// The claims of all instances of a set.
pub(crate) fn instance_claims(cluster: &Cluster, set: &InstanceSet) -> Vec<PersistentVolumeClaim> {
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

/// The claim template with which a StatefulSet uses the claims above, by their names. It is the same for every cluster, because
/// the API server refuses to change it. Kubernetes would make a claim from it only for an instance beyond the rendered
/// replicas.
///
/// It contains all fields, even the status, which the API server would fill in. The list of templates is atomic in server-side
/// apply, so a second field manager that applies the same manifests would otherwise cause a conflict.
pub(crate) fn template(volume: &str) -> PersistentVolumeClaim {
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
