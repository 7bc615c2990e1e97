//! Pairs the first instance and the first repository of the spec with the claims that `spec.dataSource.volumes` names.

use super::pairing::{Pairing, Unnumbered, Volumes};
use super::{Move, choose};
use crate::diagnostic::{FieldPath, words};
use crate::postgres_cluster::pgbackrest::objects::repository_claim;
use crate::read::node::Node;

impl<'a> Pairing<'a, '_> {
    /// The instance and the repository of `spec.dataSource.volumes`.
    pub(super) fn of_data_source(&mut self, source: &'a Node) -> (Vec<Unnumbered<'a>>, Vec<Move<'a>>) {
        let path = FieldPath::of("spec.dataSource.volumes");
        let count: usize = self.cluster.instance_sets.iter().map(|set| usize::from(set.replicas)).sum();
        if count != 1 {
            let message = format!(
                "a cluster from existing volumes starts with one instance, but the spec has {count}: another one could start empty \
                 before it. Write one instance set with `replicas: 1`, and more when the cluster runs"
            );
            self.error(FieldPath::of("spec.instances"), message);
        }
        let version = self.cluster.postgres_version;
        let mut volume = |key: &str, standard: &str| {
            let given = source.get(key)?;
            let path = path.key(key);
            let directory = given.get("directory").and_then(Node::as_str).unwrap_or_default();
            if !directory.is_empty() && directory != standard {
                let message = format!(
                    "pgrender does not move directories on a volume: move `{directory}` yourself to `{}` in a pod that mounts the \
                     claim, and remove this field",
                    if standard.is_empty() { "the root of the volume" } else { standard }
                );
                self.error(path.key("directory"), message);
            }
            let name = given.get("pvcName").and_then(Node::as_str).unwrap_or_default();
            let Some(document) = self.claims.named(name) else {
                let message = format!(
                    "the claim {} is not in the input: add what {} printed",
                    words::quote(name),
                    choose::EXPORT
                );
                self.error(path.key("pvcName"), message);
                return None;
            };
            self.claims.bound(document, self.diagnostics)
        };
        let data = volume("pgDataVolume", &format!("pg{version}"));
        let wal = volume("pgWALVolume", &format!("pg{version}_wal"));
        let repository = volume("pgBackRestVolume", "");
        if source.get("pgDataVolume").is_none() {
            let message =
                "without `pgDataVolume`, the cluster would start with an empty database: name the volume with the data";
            self.error(path.clone(), message);
        }
        let has_wal = self.cluster.instance_sets.first().is_some_and(|set| set.wal_volume_claim_spec.is_some());
        if wal.is_some() && !has_wal {
            let message = "the first instance set has no volume for the WAL: write `walVolumeClaimSpec`";
            self.error(FieldPath::of("spec.instances[0]"), message);
        }
        let mut moves = Vec::new();
        if let Some(old) = repository {
            let backups = self.cluster.backups.clone();
            let first = backups.as_ref().and_then(|backups| Some((backups, backups.repositories.first()?)));
            let rendered = first.and_then(|(backups, first)| repository_claim(&self.cluster, backups, first));
            let place = FieldPath::of("spec.backups.pgbackrest.repos[0]");
            if let Some(rendered) = rendered {
                moves.extend(self.moved(old, rendered, &place.key("volume").key("volumeClaimSpec")));
            } else {
                let message = "this is the repository of `pgBackRestVolume`, but it is not on a volume: write `volume`";
                self.error(place, message);
            }
        }
        (vec![Unnumbered { set: 0, name: "", volumes: Volumes { data, wal } }], moves)
    }
}
