//! Renders the documents of an input into objects: all steps of the program except reading and writing.
//!
//! The result does not depend on the order of the documents. All errors are reported at once. If the input would cause too much
//! work, it is refused before the work is done.

mod find;
pub mod merge;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, ResourceRef, has_errors};
use crate::identity::Seed;
use crate::identity::window::{Renewal, Window};
use crate::kind::{Content, Input, Kind, Planned, Resource, Work};
use crate::kubernetes::Object;
use crate::options::Options;
use crate::postgres_cluster::kind::PostgresClusterKind;
use crate::read::object::ObjectKey;
use crate::read::{Document, unreplaced};

pub use self::find::{is_kind, is_rendered, mentions_kind};

/// The kinds that pgrender renders.
const KINDS: [&dyn Kind; 1] = [&PostgresClusterKind];

/// The names of the kinds that pgrender renders, for messages.
pub fn kinds() -> String {
    KINDS.map(|kind| kind.definition().kind).join(" or ")
}

/// The result of [`render`]. It contains secrets, so it does not implement `Debug`.
pub struct Rendered {
    /// The resources, ordered by kind, namespace and name. Do not use them if a diagnostic is an error.
    pub resources: Vec<RenderedResource>,
    /// All messages, ordered by their position in the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// The objects of one resource of the input.
pub struct RenderedResource {
    /// The resource, with the namespace that it is rendered for.
    pub reference: ResourceRef,
    /// The file that the resource was read from.
    pub file: String,
    /// Its objects. An object comes after those that it depends on.
    pub objects: Vec<Object>,
}

/// The result of [`plan`]. It contains secrets, so it does not implement `Debug`.
pub struct Plan {
    /// The resources, ordered by kind, namespace and name. Do not use them if a diagnostic is an error.
    pub resources: Vec<PlannedResource>,
    /// All messages, ordered by their position in the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// A resource that is ready to be built. Its objects are built on demand, because the objects of many clusters would fill the
/// memory. It contains secrets, so it does not implement `Debug`.
pub struct PlannedResource {
    /// The resource, with the namespace that it is rendered for.
    pub reference: ResourceRef,
    file: String,
    content: Option<Box<dyn Content>>,
}

impl PlannedResource {
    /// The file that the resource was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Builds its objects. An object comes after those that it depends on.
    pub fn objects(&self) -> Vec<Object> {
        self.content.as_ref().map(|content| content.objects()).unwrap_or_default()
    }
}

/// Renders every resource of a known kind in `documents`. The objects are the same as those of [`plan`], which builds them for
/// one resource at a time.
pub fn render<'a>(
    documents: impl IntoIterator<Item = &'a Document>,
    options: &Options,
    seed: Result<&Seed, &[Diagnostic]>,
) -> Rendered {
    let mut resources = Vec::new();
    let plan = checked(&KINDS, documents, options, seed, |resource, objects| {
        let PlannedResource { reference, file, .. } = resource;
        resources.push(RenderedResource { reference: reference.clone(), file: file.clone(), objects });
    });
    Rendered { resources, diagnostics: plan.diagnostics }
}

/// Resolves every resource of a known kind in `documents` and derives its secrets. After that, building the objects cannot
/// fail. `seed` is the seed, or the errors that say why there is none; they are reported only if there is a resource. A
/// rendered Secret reuses the values of a Secret in `documents` that has the same name. Documents of other kinds are ignored.
pub fn plan<'a>(
    documents: impl IntoIterator<Item = &'a Document>,
    options: &Options,
    seed: Result<&Seed, &[Diagnostic]>,
) -> Plan {
    checked(&KINDS, documents, options, seed, |_, _| {})
}

/// Plans every resource of `kinds`. If there is no error, builds the objects of each of them, checks that no two resources have the same
/// object, and gives the objects to `keep`.
fn checked<'a>(
    kinds: &[&dyn Kind],
    documents: impl IntoIterator<Item = &'a Document>,
    options: &Options,
    seed: Result<&Seed, &[Diagnostic]>,
    mut keep: impl FnMut(&PlannedResource, Vec<Object>),
) -> Plan {
    let documents: Vec<&Document> = documents.into_iter().collect();
    let mut diagnostics = Vec::new();
    let found = find::resources(kinds, &documents, options, &mut diagnostics);
    let (planned, renewal) = planned(&found, &documents, options, seed, &mut diagnostics);
    if !has_errors(&diagnostics) {
        let mut names = Names::default();
        for (resource, source) in planned.iter().zip(found.iter().flat_map(|(_, resources)| resources)) {
            let objects = resource.objects();
            diagnostics.extend(names.add(source, &objects));
            keep(resource, objects);
        }
    }
    if let (Some(renewal), false) = (renewal, has_errors(&diagnostics)) {
        diagnostics.push(Diagnostic::info(renewal.to_string()));
    }
    diagnostics.sort_by(|a, b| a.location.cmp(&b.location));
    Plan { resources: planned, diagnostics }
}

/// Plans the resources of every kind. Also gives the time when to render again.
fn planned(
    found: &[(&dyn Kind, Vec<Resource>)],
    documents: &[&Document],
    options: &Options,
    seed: Result<&Seed, &[Diagnostic]>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<PlannedResource>, Option<Renewal>) {
    let count = found.iter().map(|(_, resources)| resources.len()).sum();
    if count == 0 {
        return (Vec::new(), None);
    }
    // These errors are the same for all resources, so they are reported once.
    let seed = seed.map_err(|reasons| diagnostics.extend_from_slice(reasons)).ok();
    let window = Window::containing(options.time, options.certificates);
    let window = window.map_err(|error| diagnostics.push(Diagnostic::error(error.to_string()))).ok();
    let mut work = match Work::of_resources(count, options) {
        Ok(work) => work,
        Err(error) => {
            diagnostics.push(error);
            return (Vec::new(), None);
        }
    };
    let input = Input { documents, options, window, seed };
    let mut all = Vec::new();
    let mut next: Option<Renewal> = None;
    for (kind, resources) in found {
        for (resource, planned) in resources.iter().zip(kind.plan(resources, &input, &mut work)) {
            let Planned { content, renewal, diagnostics: mut told } = planned;
            unreplaced::tell(resource.document, &mut told);
            diagnostics.extend(told.into_iter().map(|mut diagnostic| {
                diagnostic.resource.get_or_insert_with(|| resource.reference.clone());
                diagnostic
            }));
            next = next.into_iter().chain(renewal).reduce(Renewal::earlier);
            let (reference, file) = (resource.reference.clone(), resource.document.file.clone());
            all.push(PlannedResource { reference, file, content });
        }
    }
    diagnostics.extend(work.refusal());
    (all, next)
}

/// The objects that are built so far, each with its resource.
#[derive(Default)]
struct Names(BTreeMap<ObjectKey, ResourceRef>);

impl Names {
    /// Adds the objects of `resource`. Reports objects that two resources have in common, because they would overwrite each
    /// other: for example, a set `c` of the cluster `a-b` and a set `b-c` of the cluster `a`. For each pair of resources, only
    /// the first object is reported, because the others have the same cause.
    fn add(&mut self, resource: &Resource, objects: &[Object]) -> Vec<Diagnostic> {
        let mut rivals = BTreeSet::new();
        let mut diagnostics = Vec::new();
        let here = &resource.reference;
        for object in objects {
            let reference = object.reference();
            let Some(there) = self.0.insert(ObjectKey::from(&reference), here.clone()) else { continue };
            if !rivals.insert(ObjectKey::from(&there)) {
                continue;
            }
            let message = if *here == there {
                format!("`{here}` would create `{reference}` twice: rename an instance set or a user")
            } else {
                format!(
                    "`{there}` and `{here}` would both create `{reference}`: rename a cluster, an instance set or a \
                     user"
                )
            };
            let Document { file, node } = resource.document;
            diagnostics.push(Diagnostic::error(message).of(here.clone()).located(file, node.position));
        }
        diagnostics
    }
}

#[cfg(test)]
mod tests;
