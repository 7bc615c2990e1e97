//! Objects that make a Secret in the Kubernetes cluster, or before it is applied. The values of such a Secret are not in the
//! input.

use crate::diagnostic::ResourceRef;
use crate::naming::label;
use crate::read::Document;
use crate::read::node::Node;
use crate::read::object;

/// The kinds that make Secrets, each with its API group and the path of the field that names the Secret. An empty path means
/// that the Secret has the name of the object.
const MAKERS: [(&str, &str, &[&str]); 9] = [
    ("bitnami.com", "SealedSecret", &[]),
    ("external-secrets.io", "ExternalSecret", &["spec", "target", "name"]),
    ("cert-manager.io", "Certificate", &["spec", "secretName"]),
    ("secrets.hashicorp.com", "VaultStaticSecret", &["spec", "destination", "name"]),
    ("secrets.hashicorp.com", "VaultDynamicSecret", &["spec", "destination", "name"]),
    ("secrets.hashicorp.com", "VaultPKISecret", &["spec", "destination", "name"]),
    ("onepassword.com", "OnePasswordItem", &[]),
    ("isindir.github.com", "SopsSecret", &["spec", "secretTemplates", "name"]),
    // KSOPS is a generator of kustomize that decrypts files of SOPS.
    ("viaduct.ai", "ksops", &["secretFrom", "metadata", "name"]),
];

/// Whether `reference` is the reference to an object that makes Secrets.
pub(crate) fn is_maker(reference: &ResourceRef) -> bool {
    place_of_names(reference).is_some()
}

/// The names of the Secrets that `document`, with the reference `reference`, makes. An object that an earlier run rendered does
/// not count.
pub(crate) fn names(document: &Document, reference: &ResourceRef) -> Vec<String> {
    let Some(place) = place_of_names(reference) else { return Vec::new() };
    if object::label(&document.node, label::RENDERED).is_some() {
        return Vec::new();
    }
    let mut names = Vec::new();
    if !place.is_empty() {
        collect(&document.node, place, &mut names);
    }
    if names.is_empty() {
        names.push(reference.name.clone());
    }
    names
}

fn place_of_names(reference: &ResourceRef) -> Option<&'static [&'static str]> {
    let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
    MAKERS.into_iter().find(|(of, kind, _)| *of == group && *kind == reference.kind).map(|(_, _, place)| place)
}

/// Adds the strings at `place` below `node` to `names`. For a list on the way, all its items are searched.
fn collect(node: &Node, place: &[&str], names: &mut Vec<String>) {
    for item in node.items() {
        collect(item, place, names);
    }
    match place.split_first() {
        None => names.extend(node.as_str().map(str::to_owned)),
        Some((key, rest)) => {
            if let Some(below) = node.get(key) {
                collect(below, rest, names);
            }
        }
    }
}
