//! Finds the resources of the input that pgrender renders, and reports what is nearly one of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::KINDS;
use crate::diagnostic::words;
use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef};
use crate::kind::{Kind, Resource};
use crate::options::Options;
use crate::parse::Definition;
use crate::read::node::Node;
use crate::read::object::{self, ObjectKey};
use crate::read::{Document, template};

/// Whether pgrender renders a kind of this name.
pub fn is_kind(kind: &str) -> bool {
    KINDS.iter().any(|known| known.definition().kind == kind)
}

/// Whether an object of the input is of a kind that pgrender renders, in a version that exists.
pub fn is_rendered(node: &Node) -> bool {
    is_of_any(node, &KINDS)
}

/// Whether a text contains the name of a kind that pgrender renders.
pub fn mentions_kind(text: &str) -> bool {
    KINDS.iter().any(|known| text.contains(known.definition().kind))
}

fn is_of_any(node: &Node, kinds: &[&dyn Kind]) -> bool {
    kinds.iter().any(|kind| is_of(node, kind.definition()))
}

fn is_of(node: &Node, definition: &Definition) -> bool {
    let resource = object::reference(node);
    resource.kind == definition.kind && definition.has_version(&resource.api_version)
}

/// The resources of each of `kinds`, each resource once, ordered by namespace and name.
pub(super) fn resources<'k, 'd>(
    kinds: &[&'k dyn Kind],
    documents: &[&'d Document],
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(&'k dyn Kind, Vec<Resource<'d>>)> {
    let of_kind = |kind: &&'k dyn Kind| (*kind, of_kind(kind.definition(), kinds, documents, options, diagnostics));
    kinds.iter().map(of_kind).collect()
}

fn of_kind<'d>(
    definition: &Definition,
    kinds: &[&dyn Kind],
    documents: &[&'d Document],
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Resource<'d>> {
    let mut found: BTreeMap<ObjectKey, (Resource, Option<Value>)> = BTreeMap::new();
    for document in documents {
        if let Some(error) = template(document, definition) {
            // All documents of a chart have this error, so it is reported once.
            let is_first = diagnostics.iter().all(|diagnostic| diagnostic.message != error.message);
            diagnostics.extend(is_first.then_some(error));
            continue;
        }
        if !is_of(&document.node, definition) {
            // An object of another kind that is rendered is not meant to be of this kind.
            if !is_of_any(&document.node, kinds) {
                diagnostics.extend(unknown_version(document, definition).or_else(|| nearly(document, definition)));
            }
            continue;
        }
        let reference = object::reference_in(&document.node, options.namespace.as_deref());
        let key = ObjectKey::from(&reference);
        let Some((first, content)) = found.get_mut(&key) else {
            found.insert(key, (Resource { reference, document }, None));
            continue;
        };
        let content = content.get_or_insert_with(|| object::without_bookkeeping(&first.document.node));
        if *content != object::without_bookkeeping(&document.node) {
            diagnostics.push(object::twice(&reference, first.document, document));
        }
    }
    found.into_values().map(|(resource, _)| resource).collect()
}

/// Refuses a resource that is still a template. Any other error in it would be a consequence of this one.
fn template(document: &Document, definition: &Definition) -> Option<Diagnostic> {
    let node = &document.node;
    if node.get("kind")?.as_str() != Some(definition.kind) {
        return None;
    }
    let field = template::field(node, &["apiVersion", "metadata", "spec"])?;
    // The name may be a part of the template, so the message does not contain it.
    let resource = ResourceRef { kind: definition.kind.to_owned(), ..ResourceRef::default() };
    Some(document.locate(Diagnostic::error(template::NOT_RENDERED).at(field).of(resource)))
}

/// Refuses a version that does not exist, so that a typing error does not remove a database from the output. A kind of the same
/// name in another API group is not PGO's and is ignored.
fn unknown_version(document: &Document, definition: &Definition) -> Option<Diagnostic> {
    let resource = object::reference(&document.node);
    let group = resource.api_version.split_once('/').map_or("", |(group, _)| group);
    if resource.kind != definition.kind || (group != definition.group && !group.is_empty()) {
        return None;
    }
    let wanted = format!("write {}", definition.versions());
    let message = match resource.api_version.as_str() {
        "" => format!("required field is missing: {wanted}"),
        other => format!("`{other}` is not a supported version of {}: {wanted}", definition.kind),
    };
    let field = FieldPath::of("apiVersion");
    Some(document.locate(Diagnostic::error(message).at(field).of(resource)))
}

/// Warns about an object that is nearly of the kind. It is passed on like any other object, and nothing is rendered for it.
fn nearly(document: &Document, definition: &Definition) -> Option<Diagnostic> {
    /// The maximum number of letters in which a group may differ. With more, it is probably a different API group.
    const SLIP: usize = 3;
    let Definition { kind, group: of_kind, api_versions, .. } = definition;
    let resource = object::reference(&document.node);
    let (group, version) = resource.api_version.split_once('/')?;
    let (field, found, meant) = if resource.kind == *kind {
        words::with_distance(group, [*of_kind]).filter(|(distance, _)| *distance <= SLIP)?;
        let same = api_versions.iter().find(|known| known.rsplit('/').next() == Some(version));
        ("apiVersion", &resource.api_version, same.or_else(|| api_versions.first())?)
    } else {
        words::nearest(&resource.kind, [*kind]).filter(|_| group == *of_kind && !resource.kind.ends_with("List"))?;
        ("kind", &resource.kind, kind)
    };
    let message = format!("pgrender does not render {}: did you mean `{meant}`?", words::quote(found));
    Some(document.locate(Diagnostic::warning(message).at(FieldPath::of(field)).of(resource)))
}
