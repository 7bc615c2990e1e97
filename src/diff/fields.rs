//! Finds the fields in which two values differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::path::{Path, Step};
use crate::postgres_cluster::resolve::quantity;

/// The fields that identify an item of a list, in the order of preference (Kubernetes API conventions, "Lists of named subobjects
/// preferred over maps", and the merge keys of `containers`, `volumeMounts`, `ports`).
const IDENTITIES: [&str; 5] = ["name", "mountPath", "containerPort", "port", "topologyKey"];

/// A field that differs. It may contain a secret, so it does not implement `Debug`.
pub struct Difference {
    /// Its path.
    pub path: Path,
    /// The value in the old object, if the field is there.
    pub old: Option<Value>,
    /// The value in the new object, if the field is there.
    pub new: Option<Value>,
}

/// How absent fields are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Absent {
    /// A field that only the old object has was removed.
    Removed,
    /// The API server adds some fields to what is applied, so these are defaults if only the old object has them.
    Default,
}

/// Returns the fields in which `old` and `new` differ, in the order of their paths.
pub fn compare(old: &Value, new: &Value, absent: Absent) -> Vec<Difference> {
    let mut found = Vec::new();
    visit(&Path::default(), Some(old), Some(new), absent, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn visit(path: &Path, old: Option<&Value>, new: Option<&Value>, absent: Absent, found: &mut Vec<Difference>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new || is_same_quantity(path, old, new) => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => fields(path, old, new, absent, found),
        (Some(Value::Array(old)), Some(Value::Array(new))) => items(path, old, new, absent, found),
        // An absent field and an empty one are the same for Kubernetes.
        (None, Some(value)) | (Some(value), None) if is_empty(value) => {}
        (Some(value), None) if absent == Absent::Default && is_defaulted(path, value) => {}
        // Each field of a new or removed object of data is one change, so that each can have its own effect.
        (None, Some(Value::Object(new))) if is_data(path) => fields(path, &Map::new(), new, absent, found),
        (Some(Value::Object(old)), None) if is_data(path) => fields(path, old, &Map::new(), absent, found),
        _ => found.push(Difference { path: path.clone(), old: old.cloned(), new: new.cloned() }),
    }
}

fn fields(
    path: &Path,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    absent: Absent,
    found: &mut Vec<Difference>,
) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        visit(&path.key(key), old.get(key), new.get(key), absent, found);
    }
}

fn items(path: &Path, old: &[Value], new: &[Value], absent: Absent, found: &mut Vec<Difference>) {
    let identity = IDENTITIES.iter().find(|field| has_identity(old, field) && has_identity(new, field));
    let Some(identity) = identity else {
        let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
        if old.len() != new.len() || old.iter().chain(new).any(is_scalar) {
            found.push(Difference {
                path: path.clone(),
                old: Some(Value::Array(old.to_vec())),
                new: Some(Value::Array(new.to_vec())),
            });
            return;
        }
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            visit(&path.item(&index.to_string()), Some(old), Some(new), absent, found);
        }
        return;
    };
    let by_identity = |list: &[Value]| -> BTreeMap<String, Value> {
        list.iter().map(|item| (text(&item[*identity]), item.clone())).collect()
    };
    let order = |list: &[Value]| -> Vec<String> { list.iter().map(|item| text(&item[*identity])).collect() };
    let (old_order, new_order) = (order(old), order(new));
    let (old, new) = (by_identity(old), by_identity(new));
    let both = |names: Vec<String>| -> Vec<Value> {
        let stayed = |name: &String| old.contains_key(name) && new.contains_key(name);
        names.into_iter().filter(stayed).map(Value::from).collect()
    };
    let (old_order, new_order) = (both(old_order), both(new_order));
    if old_order != new_order {
        // For Kubernetes, another order is another template.
        found.push(Difference { path: path.clone(), old: Some(old_order.into()), new: Some(new_order.into()) });
    }
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        // An item that only the server's object has is not a default: pgrender renders whole lists.
        let absent = if old.contains_key(name) && new.contains_key(name) { absent } else { Absent::Removed };
        visit(&path.item(name), old.get(name), new.get(name), absent, found);
    }
}

/// Whether each item has a different value in `field`.
fn has_identity(list: &[Value], field: &str) -> bool {
    let values: BTreeSet<_> = list.iter().filter_map(|item| item.get(field)).map(text).collect();
    values.len() == list.len() && !list.is_empty()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The fields that the API server writes if they are absent: defaults and what it allocates (Kubernetes API reference). pgrender
/// renders other defaults itself. A field of another name that is absent was removed.
const DEFAULTED: [&str; 50] = [
    "allocateLoadBalancerNodePorts",
    "apiGroup",
    "apiVersion",
    "backoffLimit",
    "clusterIP",
    "clusterIPs",
    "completionMode",
    "completions",
    "concurrencyPolicy",
    "creationTimestamp",
    "defaultMode",
    "dnsPolicy",
    "externalTrafficPolicy",
    "failedJobsHistoryLimit",
    "failureThreshold",
    "healthCheckNodePort",
    "imagePullPolicy",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "kind",
    "manualSelector",
    "minReadySeconds",
    "nodePort",
    "parallelism",
    "periodSeconds",
    "persistentVolumeClaimRetentionPolicy",
    "podManagementPolicy",
    "podReplacementPolicy",
    "policyTypes",
    "progressDeadlineSeconds",
    "protocol",
    "restartPolicy",
    "revisionHistoryLimit",
    "schedulerName",
    "scheme",
    "serviceAccount",
    "sessionAffinity",
    "status",
    "storageClassName",
    "strategy",
    "successThreshold",
    "successfulJobsHistoryLimit",
    "targetPort",
    "terminationGracePeriodSeconds",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "timeoutSeconds",
    "type",
    "volumeMode",
];

/// Whether the API server or a controller, and not pgrender, may have written the field.
fn is_defaulted(path: &Path, value: &Value) -> bool {
    match path.0.last() {
        // Others write labels and annotations of objects, but not those of templates.
        _ if path.word(0) == Some("metadata") => true,
        Some(Step::Key(key)) => {
            DEFAULTED.contains(&key.as_str())
                || (key == "suspend" && *value == Value::Bool(false))
                || ["updateStrategy", "volumeName", "resizePolicy"].contains(&key.as_str())
        }
        _ => false,
    }
}

/// Whether the field is a mapping whose fields count one by one: in the data of a ConfigMap or Secret, labels or annotations.
fn is_data(path: &Path) -> bool {
    const WHOLE: [&str; 5] = ["manualBackup", "restore", "restoreInPlace", "standby_cluster", "switchover"];
    let word = |from_end: usize| path.0.len().checked_sub(from_end).and_then(|index| path.word(index));
    let is_whole = matches!(path.0.last(), Some(Step::Item(_)))
        || word(1).is_some_and(|last| WHOLE.contains(&last))
        || word(2) == Some("slots")
        || word(2) == Some("pgbackrest.conf");
    matches!(path.word(0), Some("data" | "stringData" | "metadata")) && !is_whole
}

/// Whether both are the same quantity in other units. The API server stores one form of both (Kubernetes API reference,
/// "Quantity").
fn is_same_quantity(path: &Path, old: &Value, new: &Value) -> bool {
    let is_quantity = (0..path.0.len()).any(|index| matches!(path.word(index), Some("resources" | "sizeLimit")));
    let number = |value: &Value| value.as_str().and_then(quantity::value);
    is_quantity && number(old).is_some() && number(old) == number(new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(old: &Value, new: &Value, absent: Absent) -> Vec<String> {
        compare(old, new, absent).iter().map(|found| found.path.to_string()).collect()
    }

    #[test]
    fn items_are_compared_by_name_and_their_order_is_a_difference() {
        let old = json!({"containers": [{"name": "a", "image": "one"}, {"name": "b", "image": "one"}]});
        let new = json!({"containers": [{"name": "b", "image": "two"}, {"name": "a", "image": "one"}]});
        assert_eq!(paths(&old, &new, Absent::Removed), ["containers", "containers[b].image"]);
        let more = json!({"containers": [{"name": "a", "image": "one"}, {"name": "c"}, {"name": "b", "image": "one"}]});
        assert_eq!(paths(&old, &more, Absent::Removed), ["containers[c]"]);
    }

    #[test]
    fn items_without_a_name_are_compared_as_a_whole() {
        assert_eq!(paths(&json!({"a": [1, 2]}), &json!({"a": [2, 1]}), Absent::Removed), ["a"]);
        let (old, new) = (json!({"a": [{"key": "x", "v": 1}]}), json!({"a": [{"key": "x", "v": 2}]}));
        assert_eq!(paths(&old, &new, Absent::Removed), ["a[0].v"]);
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        assert!(compare(&json!({"a": {}, "b": [], "c": null}), &json!({}), Absent::Removed).is_empty());
    }

    #[test]
    fn what_the_server_adds_is_no_change() {
        let old =
            json!({"data": {"a": "1"}, "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "a"}, {"name": "b"}]}});
        let new = json!({"data": {}, "spec": {"ports": [{"name": "a"}]}});
        assert_eq!(paths(&old, &new, Absent::Default), ["data.a", "spec.ports[b]"]);
        assert_eq!(paths(&old, &new, Absent::Removed), ["data.a", "spec.clusterIP", "spec.ports[b]"]);
    }
}
