//! The error for a path that does not exist, with the path that was probably meant.

use serde_json::Value;

use super::annotations;
use super::place::Place;
use super::request::Request;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::words;
use crate::explain::path;

/// How many paths are named if several could be meant.
const NAMED: usize = 3;

/// Says that the path of a request does not exist.
pub(super) fn unknown(schema: &Value, request: &Request) -> Diagnostic {
    let meant = meant(schema, request);
    let advice = match meant.as_slice() {
        [] => "run `pgrender explain --recursive` to see all fields".to_owned(),
        [one] => format!("did you mean `{one}`?"),
        several => format!(
            "did you mean one of {}?",
            several.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    Diagnostic::error(format!("unknown field {}: {advice}", words::quote(&request.text)))
}

fn meant(schema: &Value, request: &Request) -> Vec<String> {
    if let [metadata, annotations, key] = request.keys.as_slice()
        && [metadata.as_str(), annotations] == ["metadata", "annotations"]
    {
        return annotations::nearest(key).into_iter().collect();
    }
    if let [word] = request.keys.as_slice() {
        if let Some(annotation) = annotations::called(word) {
            return vec![annotation];
        }
        if word.contains('/') {
            let keys = word.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect();
            return corrected(schema, &Request { keys, ..request.clone() }).into_iter().collect();
        }
    }
    if let Some(corrected) = corrected(schema, request) {
        return vec![corrected];
    }
    let all = own_fields(schema, request.version);
    let Some(last) = request.keys.last() else { return Vec::new() };
    let is_called = |name: &str| {
        name.eq_ignore_ascii_case(last) || name.strip_suffix('s').is_some_and(|one| one.eq_ignore_ascii_case(last))
    };
    let mut same: Vec<&Place> = all.iter().filter(|place| is_called(&place.name)).collect();
    if same.is_empty() {
        let nearest = words::nearest(last, all.iter().map(|place| place.name.as_str()));
        same = all.iter().filter(|place| Some(place.name.as_str()) == nearest).collect();
    }
    // The one with the most keys in common is probably meant.
    same.sort_by_key(|place| {
        let keys = path::keys(&place.path).unwrap_or_default();
        let common = request.keys.iter().filter(|key| keys.iter().any(|other| other.eq_ignore_ascii_case(key))).count();
        (usize::MAX - common, keys.len())
    });
    same.into_iter().take(NAMED).map(|place| place.path.clone()).collect()
}

/// Follows the path and takes the nearest name for each key that does not exist. Without one there is no correction.
fn corrected(schema: &Value, request: &Request) -> Option<String> {
    let (first, below) = request.keys.split_first()?;
    let first = words::nearest(first, ["metadata", "spec", "apiVersion", "kind", "status"])?;
    let Some(root) = Place::below_root(schema, request.version, first) else { return Some(first.to_owned()) };
    let place = below.iter().try_fold(root, |place, key| {
        let children = place.children();
        let name = words::nearest(key, children.iter().map(|child| child.name.as_str()));
        place.child(key).or_else(|| children.iter().find(|child| Some(child.name.as_str()) == name).cloned())
    })?;
    Some(place.path)
}

/// The fields of the spec that Kubernetes does not define.
fn own_fields<'a>(schema: &'a Value, version: &str) -> Vec<Place<'a>> {
    let mut open: Vec<Place> = Place::below_root(schema, version, "spec").into_iter().collect();
    let mut found = Vec::new();
    while let Some(place) = open.pop() {
        if !place.is_of_kubernetes {
            open.extend(place.children());
        }
        found.push(place);
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}
