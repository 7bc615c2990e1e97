//! Compares the objects of both sides.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::observed::normal::{Identity, Objects};

/// The side that has a field or an object.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Change {
    /// Only pgrender has it.
    OnlyOurs,
    /// Only PGO has it.
    OnlyTheirs,
    /// Both have it, with different values.
    Different,
}

/// One difference between the sides.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Difference {
    /// Kind and name of the object.
    pub(crate) object: Identity,
    /// The field; empty for the object as a whole.
    pub(crate) path: String,
    /// The kind of the difference.
    pub(crate) change: Change,
    /// The value of the side that has it, or `<PGO's> became <pgrender's>`.
    pub(crate) values: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = &self.object;
        write!(f, "{kind} {name} {} {:?}: {}", self.path, self.change, self.values)
    }
}

/// Returns all differences. An object of pgrender is compared with each of PGO's objects that it replaces.
pub(crate) fn compare(theirs: &Objects, ours: &Objects) -> Vec<Difference> {
    let mut differences = Vec::new();
    let identities = |objects: &Objects| objects.iter().map(|(identity, _)| identity.clone()).collect::<BTreeSet<_>>();
    for (identity, object) in theirs {
        let mut comparison = Comparison { object: identity, differences: &mut differences };
        match ours.iter().find(|(other, _)| other == identity) {
            Some((_, ours)) => comparison.values("", object, ours),
            None => comparison.add("", Change::OnlyTheirs, String::new()),
        }
    }
    for identity in identities(ours).difference(&identities(theirs)) {
        Comparison { object: identity, differences: &mut differences }.add("", Change::OnlyOurs, String::new());
    }
    differences
}

/// Compares one object of each side.
struct Comparison<'a> {
    object: &'a Identity,
    differences: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    fn add(&mut self, path: &str, change: Change, values: String) {
        self.differences.push(Difference { object: self.object.clone(), path: path.to_owned(), change, values });
    }

    fn values(&mut self, path: &str, theirs: &Value, ours: &Value) {
        match (theirs, ours) {
            (Value::Object(theirs), Value::Object(ours)) => self.maps(path, theirs, ours),
            (Value::Array(theirs), Value::Array(ours)) if is_of_maps(theirs) && is_of_maps(ours) => {
                self.lists(path, theirs, ours);
            }
            _ if theirs == ours => {}
            _ => self.add(path, Change::Different, format!("{theirs} became {ours}")),
        }
    }

    fn maps(&mut self, path: &str, theirs: &Map<String, Value>, ours: &Map<String, Value>) {
        for key in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let plain = key.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
            let inner = match (path, plain) {
                ("", true) => key.clone(),
                (_, true) => format!("{path}.{key}"),
                (_, false) => format!("{path}[{key}]"),
            };
            self.optional(&inner, theirs.get(key), ours.get(key));
        }
    }

    /// Compares lists of objects. Items are matched by their name. If the order matters to Kubernetes, the items that both
    /// sides have must be in the same order.
    fn lists(&mut self, path: &str, theirs: &[Value], ours: &[Value]) {
        let (their_names, our_names) = (names(theirs), names(ours));
        for name in their_names.iter().chain(&our_names).collect::<BTreeSet<_>>() {
            let find = |list: &'_ [String]| list.iter().position(|other| other == name);
            let their_value = find(&their_names).map(|index| &theirs[index]);
            let our_value = find(&our_names).map(|index| &ours[index]);
            self.optional(&format!("{path}[{name}]"), their_value, our_value);
        }
        let their_order: Vec<_> = their_names.iter().filter(|name| our_names.contains(name)).collect();
        let our_order: Vec<_> = our_names.iter().filter(|name| their_names.contains(name)).collect();
        let ordered = ["containers", "initContainers", "env"].iter().any(|list| path.ends_with(list));
        if ordered && their_order != our_order {
            self.add(&format!("{path}[]"), Change::Different, format!("{their_order:?} became {our_order:?}"));
        }
    }

    fn optional(&mut self, path: &str, theirs: Option<&Value>, ours: Option<&Value>) {
        match (theirs, ours) {
            (Some(theirs), Some(ours)) => self.values(path, theirs, ours),
            (Some(theirs), None) => self.add(path, Change::OnlyTheirs, theirs.to_string()),
            (None, Some(ours)) => self.add(path, Change::OnlyOurs, ours.to_string()),
            (None, None) => {}
        }
    }
}

fn is_of_maps(list: &[Value]) -> bool {
    list.iter().all(Value::is_object)
}

/// Returns what identifies the items of a list: a name, a path or a topology key if each item has a unique one, else the index.
fn names(list: &[Value]) -> Vec<String> {
    let pointers = ["/mountPath", "/name", "/path", "/topologyKey", "/metadata/name"];
    let name = |pointer: &str| -> Option<Vec<String>> {
        let names: Option<Vec<String>> =
            list.iter().map(|member| member.pointer(pointer)?.as_str().map(str::to_owned)).collect();
        names.filter(|names| names.iter().collect::<BTreeSet<_>>().len() == names.len())
    };
    let found = pointers.into_iter().find_map(name);
    found.unwrap_or_else(|| (0..list.len()).map(|index| index.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(theirs: &Value, ours: &Value) -> Vec<(String, Change)> {
        let side = |value: &Value| vec![(("Pod".to_owned(), "a".to_owned()), value.clone())];
        let differences = compare(&side(theirs), &side(ours));
        differences.into_iter().map(|difference| (difference.path, difference.change)).collect()
    }

    #[test]
    fn what_is_the_same_has_no_difference() {
        let value = json!({"a": [{"name": "b", "c": [1, 2]}], "d": null});
        assert_eq!(paths(&value, &value), []);
    }

    #[test]
    fn every_kind_of_difference_is_found_where_it_is() {
        let theirs = json!({"containers": [{"name": "x", "args": ["1"]}, {"name": "y"}], "labels": {"a.b/c": "1"}});
        let ours = json!({"containers": [{"name": "y"}, {"name": "x", "args": ["2"]}, {"name": "z"}], "labels": {}});
        assert_eq!(
            paths(&theirs, &ours),
            [
                ("containers[x].args".to_owned(), Change::Different),
                ("containers[z]".to_owned(), Change::OnlyOurs),
                ("containers[]".to_owned(), Change::Different),
                ("labels[a.b/c]".to_owned(), Change::OnlyTheirs),
            ]
        );
    }

    #[test]
    fn an_object_of_one_side_is_a_difference() {
        let object = |name: &str| (("Pod".to_owned(), name.to_owned()), json!({}));
        let found = compare(&vec![object("a"), object("b")], &vec![object("b"), object("c")]);
        let found: Vec<_> = found.iter().map(|one| (one.object.1.as_str(), one.change)).collect();
        assert_eq!(found, [("a", Change::OnlyTheirs), ("c", Change::OnlyOurs)]);
    }
}
