//! Says in words what an effect means for a cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cause::Cause;
#[allow(clippy::enum_glob_use, reason = "the names of effects read better alone, and are unique")]
use super::effect::EffectKind::{self, *};
use super::fields::Difference;
use super::path::{Path, Step};
use super::report::Effect;
use super::shown;
use super::side::{Objects, SideObject, label_of};
use super::template;
use crate::naming::label;
use crate::read::object::ObjectKey;

/// How many causes are named.
const MOST: usize = 8;

/// The pods of the instance sets, in the order in which each StatefulSet replaces them.
pub(super) fn instances(objects: &Objects) -> Vec<String> {
    let sets = objects.values().filter(|object| {
        object.reference.kind == "StatefulSet" && label_of(&object.value, label::INSTANCE_SET).is_some()
    });
    sets.flat_map(pods).collect()
}

/// The replicas of a workload. A manifest can have any number, and more than these are not listed.
pub(super) fn replicas(workload: &SideObject) -> u64 {
    const MOST: u64 = 1000;
    workload.value.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1).min(MOST)
}

/// The pods of a StatefulSet, the highest ordinal first (Kubernetes, "StatefulSets", "Rolling Updates").
fn pods(stateful_set: &SideObject) -> Vec<String> {
    (0..replicas(stateful_set)).rev().map(|ordinal| format!("{}-{ordinal}", stateful_set.reference.name)).collect()
}

/// The effect of a whole cluster that is new or gone.
pub(super) fn whole_cluster(kind: EffectKind, objects: &Objects, deleted: &[Cause]) -> Effect {
    let instances = instances(objects).len();
    let volumes = objects.values().filter(|object| object.reference.kind == "PersistentVolumeClaim").count();
    let message = if kind == ClusterCreated {
        format!("the cluster is created, with {} and {}", count(instances, "instance"), count(volumes, "volume"))
    } else {
        "the cluster leaves the manifests: when its objects are deleted, nobody can connect any more".to_owned()
    };
    let mut details = Vec::new();
    if kind == ClusterRemoved && deleted.is_empty() {
        let volumes = count(volumes, "volume");
        details.push(format!("{volumes} with the data and the backups stay, unless somebody deletes the claims"));
    }
    details.extend(deleted.iter().map(|cause| {
        format!("the volume `{}` is deleted with its data by tools that prune", cause.object.reference.name)
    }));
    Effect { effect: kind, consequence: kind.consequence(), message, details, pods: Vec::new(), objects: Vec::new() }
}

/// What it does to the leader that this number of all instances are replaced.
pub(super) fn leader(replaced: usize, instances: usize) -> Effect {
    let (kind, message) = if instances == 1 {
        (Unavailable, "Postgres is not available while the pod of the only instance is replaced")
    } else if replaced == instances {
        let message = "the leader hands over to another instance before its pod is replaced: connections to it end, and \
                       clients connect again";
        (LeaderMoves, message)
    } else {
        let message = "if the leader is one of these instances, it hands over before its pod is replaced: connections to it \
                       end, and clients connect again";
        (LeaderMoves, message)
    };
    let consequence = kind.consequence();
    let (details, pods, objects) = (Vec::new(), Vec::new(), Vec::new());
    Effect { effect: kind, consequence, message: message.to_owned(), details, pods, objects }
}

/// The effect of a change that leaves no instance with the present data.
pub(super) fn data_left() -> Effect {
    let message = "none of the instances with the present data remains, so no new instance can copy it from a leader: add the \
                   new instance set first, and remove the old one in a later change, when the new instances are replicas";
    let (details, pods, objects) = (Vec::new(), Vec::new(), Vec::new());
    let consequence = DataLeft.consequence();
    Effect { effect: DataLeft, consequence, message: message.to_owned(), details, pods, objects }
}

/// When the caretaker applies changes to Postgres, if not now.
pub(super) fn delay(objects: &Objects) -> Option<&'static str> {
    let mut settings = objects.values().filter_map(|object| object.value.get("data")?.get("caretaker.json"));
    let settings = settings.next()?;
    if instances(objects).is_empty() {
        Some("when the cluster starts again")
    } else if settings.get("paused") == Some(&Value::Bool(true)) {
        Some("when the pause ends")
    } else if settings.pointer("/dynamicConfiguration/standby_cluster").is_some() {
        Some("when the cluster is promoted")
    } else {
        None
    }
}

/// Says that an effect comes later.
pub(super) fn postpone(effect: &mut Effect, when: &str) {
    let is_sql = matches!(effect.effect, SqlRuns | PasswordChanges | OwnPasswordChanges | UserAbandoned);
    let is_configuration = matches!(
        effect.effect,
        PostgresReloads | PostgresRestarts | PostgresMayRestart | PatroniReloads | LoginsChange
    );
    // A standby cluster only has to wait with what it cannot write.
    if is_sql || (is_configuration && when != "when the cluster is promoted") {
        effect.message = format!("{}; {when}", effect.message);
    }
}

/// Whether a field of `roles.json` says what a user may do. It is in a Secret, and is no secret.
pub(super) fn is_of_user(path: &Path) -> bool {
    path.matches("data roles.json users * options") || path.matches("data roles.json users * databases")
}

/// The effect that has these causes.
pub(super) fn effect(kind: EffectKind, causes: &[Cause], old: &Objects, new: &Objects) -> Effect {
    let first = causes.first().map(|cause| cause.object);
    let name = first.map(|object| object.reference.name.as_str()).unwrap_or_default();
    let before = first.and_then(|first| same(old, first));
    // Only pods that are there are replaced.
    let replaced: Vec<String> = match (kind, before, first) {
        (InstancesReplaced | RepoHostReplaced, Some(before), Some(after)) => {
            let kept = pods(after);
            pods(before).into_iter().filter(|pod| kept.contains(pod)).collect()
        }
        _ => Vec::new(),
    };
    let message = match kind {
        InstancesReplaced => format!("the pods of `{name}` are replaced, one after another: {}", replaced.join(", ")),
        PgbouncerReplaced => format!("the pods of `{name}` are replaced, one after another: their connections end"),
        RepoHostReplaced => {
            format!("the pod `{name}-0` is replaced: backups and archiving to its volumes continue when it is back")
        }
        InstancesAdded => added(before, first),
        InstancesRemoved => removed(before, first, new),
        Refused => refused(first, causes),
        PasswordChanges => {
            "passwords change: applications must read the Secrets again, and those that use the old password cannot log in"
                .to_owned()
        }
        Pause => {
            let is_paused = causes.iter().any(|cause| {
                cause.difference.as_ref().is_some_and(|difference| difference.new == Some(Value::Bool(true)))
            });
            let word = if is_paused { "no longer changes" } else { "changes" };
            format!("the caretaker {word} Postgres, Patroni's configuration and repositories")
        }
        _ => sentence(kind),
    };
    let all: Vec<String> = if matches!(kind, InstancesReplaced | PgbouncerReplaced | RepoHostReplaced) {
        template::details(causes)
    } else {
        causes.iter().map(|cause| detail(kind, cause, old)).collect()
    };
    let mut seen = BTreeSet::new();
    let mut details: Vec<String> =
        all.into_iter().filter(|detail| !detail.is_empty() && seen.insert(detail.clone())).collect();
    if details.len() > MOST {
        let more = details.len() - MOST;
        details.truncate(MOST);
        details.push(format!("and {more} more"));
    }
    let mut objects: Vec<String> = causes.iter().map(|cause| title(cause.object)).collect();
    objects.dedup();
    Effect { effect: kind, consequence: kind.consequence(), message, details, pods: replaced, objects }
}

/// The description of an effect as a message: it begins in lower case, and has no final period.
fn sentence(kind: EffectKind) -> String {
    let text = kind.description();
    let text = text.trim_end_matches('.');
    if ["Postgres", "Patroni"].iter().any(|name| text.starts_with(name)) {
        return text.to_owned();
    }
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// The object of a side that has this kind and name.
pub(super) fn same<'a>(side: &'a Objects, object: &SideObject) -> Option<&'a SideObject> {
    side.get(&ObjectKey::from(&object.reference))
}

fn title(object: &SideObject) -> String {
    format!("{} {}", object.reference.kind, object.reference.name)
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn added(before: Option<&SideObject>, after: Option<&SideObject>) -> String {
    let Some(after) = after else { return sentence(InstancesAdded) };
    let there = before.map(pods).unwrap_or_default();
    let mut new: Vec<String> = pods(after).into_iter().filter(|pod| !there.contains(pod)).collect();
    new.reverse();
    format!("instances are added, each with a copy of the data: {}", new.join(", "))
}

fn removed(before: Option<&SideObject>, after: Option<&SideObject>, new: &Objects) -> String {
    let Some(before) = before else { return sentence(InstancesRemoved) };
    let kept = after.filter(|_| same(new, before).is_some()).map(pods).unwrap_or_default();
    let gone: Vec<String> = pods(before).into_iter().filter(|pod| !kept.contains(pod)).collect();
    format!("instances are removed, the leader too if it is one of them; their volumes stay: {}", gone.join(", "))
}

/// Says what Kubernetes refuses, and the way round it.
fn refused(object: Option<&SideObject>, causes: &[Cause]) -> String {
    let Some(object) = object else { return sentence(Refused) };
    let name = &object.reference.name;
    let is_size = causes.iter().any(|cause| {
        cause.difference.as_ref().is_some_and(|difference| difference.path.matches("spec resources requests storage"))
    });
    match object.reference.kind.as_str() {
        "PersistentVolumeClaim" => {
            let reason = if is_size { ", because a volume cannot shrink" } else { "" };
            let of_repository = |cause: &Cause| label_of(&cause.object.value, label::DATA) == Some("pgbackrest");
            let (what, when) = if causes.iter().all(of_repository) {
                ("a repository", "it has the backups that you need")
            } else {
                ("an instance set", "the new instances are replicas")
            };
            format!(
                "Kubernetes refuses the change of volumes{reason}: undo it, or add {what} with such volumes, and remove the \
                 present one when {when}"
            )
        }
        "StatefulSet" => format!(
            "Kubernetes refuses the change of the StatefulSet `{name}`: run `kubectl delete statefulset {name} \
             --cascade=orphan` before you apply it, which stops no pod"
        ),
        kind => format!(
            "Kubernetes refuses the change of the {kind} `{name}`: run `kubectl delete {} {name}` before you apply it",
            kind.to_lowercase()
        ),
    }
}

/// Says in words what causes an effect.
fn detail(kind: EffectKind, cause: &Cause, old: &Objects) -> String {
    let Cause { object, difference } = cause;
    let Some(Difference { path, old: before, new: after }) = difference else {
        let is_gone = same(old, object).is_some();
        return match kind {
            InstancesAdded | InstancesRemoved => String::new(),
            VolumeCreated | VolumeAbandoned | VolumeDeleted => shown::code(&object.reference.name),
            _ => format!(
                "{} `{}` is {}",
                object.reference.kind,
                object.reference.name,
                if is_gone { "gone" } else { "new" }
            ),
        };
    };
    let values = shown::change(path, before.as_ref(), after.as_ref());
    let with_values = |what: String| if values.is_empty() { what } else { format!("{what}: {values}") };
    let last = match path.0.last() {
        Some(Step::Key(word) | Step::Item(word)) => word.as_str(),
        None => "",
    };
    match kind {
        InstancesAdded | InstancesRemoved | Shutdown | Startup => String::new(),
        BackupSettings | RepositoryMoves | RepositoryRemoved | RetentionShrinks | EncryptionChanges => {
            let repository = path.word(2).filter(|_| path.word(1) == Some("pgbackrest.conf") && path.0.len() > 3);
            let option = repository.map_or_else(|| last.to_owned(), |repository| format!("{repository}-{last}"));
            let nothing = matches!((kind, last), (BackupSettings, "retention-full")) && after.is_none();
            let more = if nothing { ": every backup is kept, and the repository grows" } else { "" };
            format!("{}{more}", with_values(shown::code(&option)))
        }
        _ if object.reference.kind == "Secret" && is_of_user(path) => with_values(secret(object, path)),
        _ if object.reference.kind == "Secret" => secret(object, path),
        VolumeGrows => with_values(shown::code(&object.reference.name)),
        LoginsChange => lines(last, before.as_ref(), after.as_ref()),
        PostgresReloads | PostgresRestarts | PostgresMayRestart | ArchivingStops | PgbouncerReloads
        | PgbouncerWaits => with_values(shown::code(last)),
        JobChanges | CaretakerChanges | ObjectChanges | RightsChange | NetworkPolicyChanges | DisruptionChanges
        | MonitoringRestarts | MonitoringChanges => title(object),
        Refused if object.reference.kind == "PersistentVolumeClaim" => {
            with_values(format!("{} of {}", shown::code(last), shown::code(&object.reference.name)))
        }
        Refused => with_values(shown::code(&path.to_string())),
        BackupNow | Switchover | RestoreInPlace => {
            request(difference.as_ref().and_then(|difference| difference.new.as_ref()))
        }
        _ if object.reference.kind == "ConfigMap" => {
            let steps = path.0.iter().skip(2).skip_while(|step| **step == Step::Key("dynamicConfiguration".to_owned()));
            with_values(shown::code(&Path(steps.cloned().collect()).to_string()))
        }
        _ => with_values(format!("{} {}", title(object), shown::code(&path.to_string()))),
    }
}

/// Says what is requested: the repository, the options, the target.
fn request(value: Option<&Value>) -> String {
    let Some(fields) = value.and_then(Value::as_object) else {
        // The text for the repo host: the trigger, the repository and the options, each in a line.
        let text = value.and_then(Value::as_str).unwrap_or_default();
        let words: Vec<&str> = text.lines().skip(1).filter(|line| !line.is_empty()).collect();
        return if words.is_empty() { String::new() } else { shown::code(&words.join(" ")) };
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let words: Vec<String> = fields
        .iter()
        .filter(|(name, value)| !["trigger", "walDirectories"].contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| match value {
            Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
            value => format!("{name} {}", text(value)),
        })
        .collect();
    shown::code(&words.join(", "))
}

/// The lines of a list that are new and gone.
fn lines(name: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (before, after) = (items(before), items(after));
    let said = |sign: char, line: &Value| {
        let path = Path(Vec::new());
        let text = shown::pair(&path, None, Some(line)).1.unwrap_or_else(|| "a line that may have a secret".to_owned());
        shown::code(&format!("{sign} {text}"))
    };
    let added = after.iter().filter(|line| !before.contains(line)).map(|line| said('+', line));
    let removed = before.iter().filter(|line| !after.contains(line)).map(|line| said('-', line));
    let all: Vec<String> = removed.chain(added).collect();
    let order = if all.is_empty() { vec!["another order".to_owned()] } else { all };
    format!("{}: {}", shown::code(name), order.join(", "))
}

/// Says what changes in a Secret, without its values.
fn secret(object: &SideObject, path: &Path) -> String {
    let name = &object.reference.name;
    match (path.word(1), path.word(2), path.word(3)) {
        (Some("roles.json"), Some("users"), Some(user)) => match path.word(4) {
            Some(field) => format!("{} of the user {}", shown::code(field), shown::code(user)),
            None => format!("user {}", shown::code(user)),
        },
        (Some(key), ..) => format!("{} in the Secret `{name}`", shown::code(key)),
        _ => format!("Secret `{name}`"),
    }
}
