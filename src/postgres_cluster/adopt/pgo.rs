//! Pairs the instances and repositories of the spec with the claims that PGO created.

use std::collections::BTreeMap;

use super::objects::Claim;
use super::pairing::{Pairing, Unnumbered, Volumes};
use super::{Move, choose};
use crate::diagnostic::FieldPath;
use crate::naming::label;
use crate::parse::metadata::is_label;
use crate::postgres_cluster::pgbackrest::objects::repository_claim;
use crate::read::object;

/// The claims of instances, by set and instance.
type Found<'a> = BTreeMap<(&'a str, &'a str), Volumes<'a>>;

impl<'a> Pairing<'a, '_> {
    /// The instances and repositories of a cluster that PGO runs.
    pub(super) fn of_pgo(&mut self) -> (Vec<Unnumbered<'a>>, Vec<Move<'a>>) {
        let before = self.diagnostics.len();
        let (instances, repositories) = self.found();
        if self.diagnostics.len() > before {
            // Claims that are missing in the comparison would only repeat these errors.
            return (Vec::new(), Vec::new());
        }
        (self.instances(instances), self.repositories(&repositories))
    }

    /// The claims of instances and repositories that exist.
    fn found(&mut self) -> (Found<'a>, BTreeMap<&'a str, Claim<'a>>) {
        let (mut instances, mut repositories) = (Found::new(), BTreeMap::new());
        if self.claims.of_cluster.is_empty() {
            self.error(FieldPath::of("metadata.name"), self.nothing());
        }
        for document in self.claims.of_cluster.clone() {
            let labelled = |key| object::label(&document.node, key).unwrap_or_default();
            let role = labelled(label::ROLE);
            if role == "tablespace" {
                let message = "pgrender does not render tablespaces yet, and Postgres would not start without this \
                               volume: move its tables (`ALTER TABLE ALL IN TABLESPACE … SET TABLESPACE pg_default`), \
                               remove the tablespace from the spec, and export again";
                self.error_in(document, FieldPath::of("metadata.labels").key(label::ROLE), message);
            }
            let is_repository = object::label(&document.node, label::PGBACKREST_VOLUME).is_some();
            if !is_repository && !["pgdata", "pgwal"].contains(&role) {
                continue;
            }
            let Some(claim) = self.claims.bound(document, self.diagnostics) else { continue };
            let (set, instance) = (labelled(label::INSTANCE_SET), labelled(label::INSTANCE));
            let other = if is_repository {
                repositories.insert(labelled(label::PGBACKREST_REPO), claim)
            } else if is_label(set) && is_label(instance) {
                let volumes = instances.entry((set, instance)).or_default();
                let place = if role == "pgdata" { &mut volumes.data } else { &mut volumes.wal };
                place.replace(claim)
            } else {
                let (set, instance) = (label::INSTANCE_SET, label::INSTANCE);
                let message = format!("the labels `{set}` and `{instance}` must name a set and an instance");
                self.error_in(document, FieldPath::of("metadata.labels"), message);
                None
            };
            if let Some(other) = other {
                let message = format!(
                    "`{}` has the same role: delete the claim that PGO does not use, and export again",
                    other.name
                );
                self.error_in(document, FieldPath::of("metadata.labels"), message);
            }
        }
        (instances, repositories)
    }

    /// The message if PGO has no claims.
    fn nothing(&self) -> String {
        let (name, namespace) = (&self.chosen.reference.name, &self.chosen.reference.namespace);
        if self.claims.has_ours {
            return format!(
                "the claims of `{namespace}/{name}` are those of pgrender already: nothing is left to adopt"
            );
        }
        format!(
            "the input has no PersistentVolumeClaim with the label `{}: {name}` in the namespace `{namespace}`: give what \
             {} printed",
            label::CLUSTER,
            choose::EXPORT
        )
    }

    /// Compares the instances that exist with those of the spec.
    fn instances(&mut self, found: Found<'a>) -> Vec<Unnumbered<'a>> {
        let mut instances = Vec::new();
        let sets: Vec<(usize, String, u16, bool)> = self
            .cluster
            .instance_sets
            .iter()
            .enumerate()
            .map(|(index, set)| (index, set.name.clone(), set.replicas, set.wal_volume_claim_spec.is_some()))
            .collect();
        for (index, name, replicas, _) in &sets {
            let there: Vec<&str> = found
                .iter()
                .filter(|((set, _), volumes)| set == name && volumes.data.is_some())
                .map(|((_, instance), _)| *instance)
                .collect();
            if there.len() != usize::from(*replicas) {
                let list = if there.is_empty() { "none".to_owned() } else { format!("`{}`", there.join("`, `")) };
                let message = format!(
                    "the set `{name}` has {replicas} instances in the spec, but the claims in the input are of {} ({list}): let PGO \
                     create or remove instances until both agree, and export again",
                    there.len()
                );
                self.error(FieldPath::of("spec.instances").index(*index).key("replicas"), message);
            }
        }
        for ((set, instance), volumes) in found {
            let Some((index, _, _, wal)) = sets.iter().find(|(_, name, _, _)| name == set) else {
                let document = volumes.data.or(volumes.wal).map(|claim| claim.document);
                let message = format!(
                    "the spec has no instance set `{set}`: let PGO remove the instance `{instance}`, or add the set to the spec, and \
                     export again"
                );
                let path = FieldPath::of("metadata.labels").key(label::INSTANCE_SET);
                if let Some(document) = document {
                    self.error_in(document, path, message);
                }
                continue;
            };
            let path = FieldPath::of("spec.instances").index(*index);
            match (&volumes, wal) {
                (Volumes { data: None, wal: Some(claim) }, _) => {
                    let message = format!(
                        "the instance `{instance}` has a volume for the WAL, but none for the data: export again"
                    );
                    let document = claim.document;
                    self.error_in(document, FieldPath::of("metadata.labels").key(label::ROLE), message);
                }
                (Volumes { wal: None, .. }, true) => {
                    let message = format!(
                        "the spec has a volume for the WAL, but the instance `{instance}` has none in the input: wait until PGO has \
                         created it, and export again"
                    );
                    self.error(path.key("walVolumeClaimSpec"), message);
                }
                (Volumes { wal: Some(claim), .. }, false) => {
                    let message = format!(
                        "`{}` is a volume for the WAL of the instance `{instance}`, but the spec has no `walVolumeClaimSpec`: add \
                         it, or wait until PGO has moved the WAL and deleted the claim, and export again",
                        claim.name
                    );
                    self.error(path, message);
                }
                _ => instances.push(Unnumbered { set: *index, name: instance, volumes }),
            }
        }
        instances
    }

    /// Compares the repositories on volumes that exist with those of the spec.
    fn repositories(&mut self, found: &BTreeMap<&'a str, Claim<'a>>) -> Vec<Move<'a>> {
        let Some(backups) = self.cluster.backups.clone() else { return Vec::new() };
        let mut moves = Vec::new();
        for (index, repository) in backups.repositories.iter().enumerate() {
            let Some(rendered) = repository_claim(&self.cluster, &backups, repository) else { continue };
            let path = FieldPath::of("spec.backups.pgbackrest.repos").index(index).key("volume");
            if let Some(old) = found.get(repository.name().as_str()) {
                moves.extend(self.moved(*old, rendered, &path.key("volumeClaimSpec")));
            } else {
                let message = format!(
                    "the input has no claim of `{}`, so its backups would be lost: export again, or wait until PGO has created \
                     the volume",
                    repository.name()
                );
                self.error(path, message);
            }
        }
        moves
    }
}
