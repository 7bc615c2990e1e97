//! Pairs what the spec asks for with the claims that exist.

use std::collections::BTreeMap;

use super::choose::Chosen;
use super::objects::{Claim, Claims};
use super::{Instance, Move};
use crate::diagnostic::{Diagnostic, FieldPath};
use crate::kubernetes::{PersistentVolumeClaim, Quantity};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::instances::claims::{POSTGRES_DATA, POSTGRES_WAL, instance_claims};
use crate::postgres_cluster::resolve::quantity;
use crate::read::Document;
use crate::read::object;

/// The state of the pairing.
pub(super) struct Pairing<'a, 'd> {
    pub(super) cluster: Cluster,
    pub(super) chosen: &'d Chosen<'a>,
    pub(super) claims: Claims<'a>,
    pub(super) diagnostics: &'d mut Vec<Diagnostic>,
}

/// The claims of one instance.
#[derive(Default)]
pub(super) struct Volumes<'a> {
    pub(super) data: Option<Claim<'a>>,
    pub(super) wal: Option<Claim<'a>>,
}

/// An instance before it has an ordinal.
pub(super) struct Unnumbered<'a> {
    /// The position of its set in the spec.
    pub(super) set: usize,
    /// Its name in PGO; empty if PGO does not run the cluster.
    pub(super) name: &'a str,
    pub(super) volumes: Volumes<'a>,
}

impl<'a> Pairing<'a, '_> {
    /// Reports an error in the PostgresCluster.
    pub(super) fn error(&mut self, path: FieldPath, message: impl Into<String>) {
        let error = Diagnostic::error(message).at(path).of(self.chosen.reference.clone());
        self.diagnostics.push(self.chosen.document.locate(error));
    }

    /// Reports an error in a claim.
    pub(super) fn error_in(&mut self, claim: &Document, path: FieldPath, message: impl Into<String>) {
        let reference = object::reference(&claim.node);
        self.diagnostics.push(claim.locate(Diagnostic::error(message).at(path).of(reference)));
    }

    /// Gives each instance its ordinal. The leader has the first one of its set, because scaling down removes the highest ones.
    pub(super) fn numbered(
        &mut self,
        mut instances: Vec<Unnumbered<'a>>,
        leads: &str,
    ) -> (Option<Instance<'a>>, Vec<Instance<'a>>) {
        instances.sort_by_key(|instance| (instance.set, instance.name != leads, instance.name));
        let (mut leader, mut replicas) = (None, Vec::new());
        let mut ordinals: BTreeMap<usize, u16> = BTreeMap::new();
        for Unnumbered { set: index, name: before, volumes } in instances {
            let ordinal = ordinals.entry(index).or_default();
            let Some(set) = self.cluster.instance_sets.get(index).cloned() else { continue };
            let instance = self.instance(index, &set, *ordinal, before, &volumes);
            *ordinal += 1;
            if before == leads { leader = Some(instance) } else { replicas.push(instance) }
        }
        (leader, replicas)
    }

    fn instance(
        &mut self,
        index: usize,
        set: &InstanceSet,
        ordinal: u16,
        before: &'a str,
        volumes: &Volumes<'a>,
    ) -> Instance<'a> {
        let after = self.cluster.instance(set, ordinal);
        let path = FieldPath::of("spec.instances").index(index);
        let mut rendered = instance_claims(&self.cluster, set);
        let mut moves = Vec::new();
        for (volume, field, old) in
            [(POSTGRES_DATA, "dataVolumeClaimSpec", volumes.data), (POSTGRES_WAL, "walVolumeClaimSpec", volumes.wal)]
        {
            let name = format!("{volume}-{after}");
            let position = rendered.iter().position(|claim| claim.metadata.name.as_ref() == Some(&name));
            let Some((old, position)) = old.zip(position) else { continue };
            moves.extend(self.moved(old, rendered.swap_remove(position), &path.key(field)));
        }
        Instance { before, after, moves }
    }

    /// Returns the claim as it is rendered, but bound to the volume of `old`. What cannot be changed in a claim must be the same
    /// in both, because the rendering is applied to it afterwards.
    pub(super) fn moved(
        &mut self,
        old: Claim<'a>,
        mut rendered: PersistentVolumeClaim,
        path: &FieldPath,
    ) -> Option<Move<'a>> {
        let before = self.diagnostics.len();
        self.check_new_name(&old, rendered.metadata.name.as_deref().unwrap_or_default());
        let spec = rendered.spec.get_or_insert_default();
        let mut modes = spec.access_modes.clone().unwrap_or_default();
        let mut old_modes = old.access_modes();
        modes.sort();
        old_modes.sort_unstable();
        if modes != old_modes {
            let message = format!(
                "the claim `{}` has `{}`, and a claim cannot change them: write the same",
                old.name,
                old_modes.join("`, `")
            );
            self.error(path.key("accessModes"), message);
        }
        let class = old.spec("storageClassName");
        for (key, wanted, there) in
            [("storageClassName", &spec.storage_class_name, class), ("volumeName", &spec.volume_name, Some(old.volume))]
        {
            if let Some(wanted) = wanted
                && Some(wanted.as_str()) != there
            {
                let message = format!(
                    "the claim `{}` has `{}`, and a claim cannot change it: write the same, or remove it",
                    old.name,
                    there.unwrap_or_default()
                );
                self.error(path.key(key), message);
            }
        }
        let requests = spec.resources.get_or_insert_default().requests.get_or_insert_default();
        let wanted = requests.get("storage").map(|quantity| quantity.0.clone()).unwrap_or_default();
        let there = old.request();
        if quantity::value(&wanted) < quantity::value(&there) {
            let message = format!(
                "the claim `{}` requests `{there}`, but the spec `{wanted}`, and a claim cannot become smaller: write `{there}`",
                old.name
            );
            self.error(path.key("resources").key("requests").key("storage"), message);
        }
        if self.diagnostics.len() > before {
            return None;
        }
        // A claim cannot be bound to a smaller volume. If the spec requests more, the rendering lets the volume grow.
        requests.insert("storage".to_owned(), Quantity(there));
        spec.storage_class_name = class.map(str::to_owned);
        spec.volume_attributes_class_name = old.spec("volumeAttributesClassName").map(str::to_owned);
        spec.volume_name = Some(old.volume.to_owned());
        let renamed = rendered.metadata.name.as_deref() != Some(old.name);
        Some(Move { old, new: renamed.then_some(rendered) })
    }

    /// Reports a claim that has the name of a new one already. It may have data, so it is not deleted, and the new claim cannot
    /// be created.
    fn check_new_name(&mut self, old: &Claim<'a>, name: &str) {
        if let Some(there) = self.claims.named(name).filter(|_| name != old.name) {
            let message = format!(
                "the volume of `{}` needs a claim of this name, but it exists already, perhaps from an earlier cluster: if you need \
                 its data, give its volume the reclaim policy `Retain`; then delete the claim, and export again. If steps for this \
                 cluster have begun, continue or undo them as the files say that were written before",
                old.name
            );
            self.error_in(there, FieldPath::of("metadata.name"), message);
        }
    }
}
