//! Compares the objects of one cluster.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cause::Cause;
#[allow(clippy::enum_glob_use, reason = "the names of effects read better alone, and are unique")]
use super::effect::EffectKind::{self, *};
use super::fields::{self, Absent, Difference};
use super::judge::Surroundings;
use super::message;
use super::report::{Change, ClusterReport, Effect, FieldReport, ObjectReport};
use super::role::Role;
use super::shown;
use super::side::{ClusterName, Objects, SideObject};
use super::table;
use crate::read::object::ObjectKey;

/// Annotations that make Argo CD, Flux and kpt keep an object that has left the manifests.
const KEEPS: [(&str, &str); 3] = [
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("cli-utils.sigs.k8s.io/on-remove", "keep"),
];

/// Compares a cluster. Each side has the objects of the cluster, `None` if there are none, and the objects without a label. `with_fields` is whether each field is wanted.
pub(super) fn compare(
    name: &ClusterName,
    old: (Option<&Objects>, &Objects),
    new: (Option<&Objects>, &Objects),
    with_fields: bool,
) -> ClusterReport {
    // An object without the label is the same object, if it is that of the other side.
    let ((old, unlabelled_old), (new, unlabelled_new)) = (old, new);
    let nothing = Objects::new();
    let change = match (old, new) {
        (None, _) => Change::Created,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    let (old, new) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
    let surroundings = Surroundings { version: version(new).or_else(|| version(old)).unwrap_or_default() };
    let mut effects = Effects::default();
    let mut objects = Vec::new();
    let keys: BTreeSet<&ObjectKey> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let before = old.get(key).or_else(|| unlabelled_old.get(key));
        let after = new.get(key).or_else(|| unlabelled_new.get(key));
        let Some(present) = after.or(before) else { continue };
        let role = Role::of(&present.reference, &present.value, &name.name);
        let mut fields = Vec::new();
        let object_change = match (before, after) {
            (Some(before), Some(after)) => {
                let differences = differences(before, after);
                if differences.is_empty() {
                    continue;
                }
                for difference in differences {
                    let Some(row) = table::rule(role, &difference) else { continue };
                    let kind = row.verdict.of(&difference, surroundings);
                    if with_fields {
                        fields.push(field(present, role, &difference, kind));
                    }
                    effects.add(kind, present, Some(difference));
                }
                Change::Changed
            }
            (None, _) => {
                effects.add(table::created(role), present, None);
                Change::Created
            }
            (Some(before), None) => {
                effects.add(table::removed(role, is_kept(before)), present, None);
                Change::Removed
            }
        };
        objects.push(ObjectReport {
            api_version: present.reference.api_version.clone(),
            kind: present.reference.kind.clone(),
            name: present.reference.name.clone(),
            change: object_change,
            fields,
        });
    }
    let effects = match change {
        Change::Created => vec![message::whole_cluster(ClusterCreated, new, &[])],
        Change::Removed => {
            let deleted: Vec<_> = effects.0.remove(&(VolumeDeleted, None)).into_iter().flatten().collect();
            vec![message::whole_cluster(ClusterRemoved, old, &deleted)]
        }
        _ => effects.finish(old, new),
    };
    let change = if objects.is_empty() { Change::Same } else { change };
    ClusterReport {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        change,
        consequence: effects.iter().map(|effect| effect.consequence).max().unwrap_or_default(),
        effects,
        objects,
    }
}

fn differences(old: &SideObject, new: &SideObject) -> Vec<Difference> {
    let absent = if old.is_live && !new.is_live { Absent::Default } else { Absent::Removed };
    // If only the new object comes from a server, it may have more fields than what was applied.
    if new.is_live && !old.is_live {
        let mut found = fields::compare(&new.value, &old.value, Absent::Default);
        for difference in &mut found {
            std::mem::swap(&mut difference.old, &mut difference.new);
        }
        return found;
    }
    fields::compare(&old.value, &new.value, absent)
}

fn field(object: &SideObject, role: Role, difference: &Difference, effect: EffectKind) -> FieldReport {
    let Difference { path, old, new } = difference;
    // Fingerprints depend on the seed. The options and databases of a user are no secrets.
    let is_hidden = role == Role::Fingerprints || (object.reference.kind == "Secret" && !message::is_of_user(path));
    let (old, new) = if is_hidden { (None, None) } else { shown::pair(path, old.as_ref(), new.as_ref()) };
    FieldReport { path: path.to_string(), effect, old, new }
}

/// The major version of Postgres.
fn version(objects: &Objects) -> Option<u64> {
    let settings = objects.values().find_map(|object| object.value.get("data")?.get("caretaker.json"))?;
    settings.get("postgresVersion")?.as_u64()
}

/// Whether the tools that prune keep the object.
fn is_kept(object: &SideObject) -> bool {
    let annotations = object.value.pointer("/metadata/annotations");
    KEEPS.iter().all(|(key, value)| {
        let found = annotations.and_then(|annotations| annotations.get(key)).and_then(Value::as_str);
        found.is_some_and(|found| found.split(',').any(|option| option == *value))
    })
}

/// The causes of each effect. Effects of workloads and volumes have the name of the object, because each is told by itself.
#[derive(Default)]
struct Effects<'a>(BTreeMap<(EffectKind, Option<String>), Vec<Cause<'a>>>);

impl<'a> Effects<'a> {
    fn add(&mut self, kind: EffectKind, object: &'a SideObject, difference: Option<Difference>) {
        let by_object = matches!(
            kind,
            InstancesReplaced | InstancesAdded | InstancesRemoved | PgbouncerReplaced | RepoHostReplaced | Refused
        );
        let by_object = by_object && object.reference.kind != "PersistentVolumeClaim";
        let name = by_object.then(|| object.reference.name.clone());
        self.0.entry((kind, name)).or_default().push(Cause { object, difference });
    }

    /// Returns the effects, the most serious first.
    fn finish(mut self, old: &Objects, new: &Objects) -> Vec<Effect> {
        // A workload that is shut down has no pods to replace.
        self.0.retain(|(kind, _), causes| {
            let runs = |side: &Objects, object: &SideObject| {
                message::same(side, object).is_some_and(|object| message::replicas(object) > 0)
            };
            let is_replacement = matches!(kind, InstancesReplaced | PgbouncerReplaced | RepoHostReplaced);
            !is_replacement || causes.first().is_some_and(|cause| runs(old, cause.object) && runs(new, cause.object))
        });
        self.0.retain(|(kind, _), _| *kind != Derived);
        let mut effects: Vec<Effect> =
            self.0.iter().map(|((kind, _), causes)| message::effect(*kind, causes, old, new)).collect();
        let replaced = effects.iter().filter(|effect| effect.effect == InstancesReplaced);
        let replaced = replaced.map(|effect| effect.pods.len()).sum();
        if replaced > 0 {
            effects.push(message::leader(replaced, message::instances(old).len()));
        }
        let (before, after) = (message::instances(old), message::instances(new));
        if !before.is_empty() && !after.is_empty() && !before.iter().any(|pod| after.contains(pod)) {
            effects.push(message::data_left());
        }
        if let Some(when) = message::delay(new) {
            for effect in &mut effects {
                message::postpone(effect, when);
            }
        }
        effects.sort_by_key(|effect| Reverse(effect.consequence));
        effects
    }
}
