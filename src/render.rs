//! From the documents of an input to the objects of its clusters: the whole way through the program, apart from the two
//! ends that touch the world.
//!
//! The result does not depend on the order of the documents, and everything that is wrong is said at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::build;
use crate::custom_tls;
use crate::existing::{Sources, existing};
use crate::identity::window::Renewal;
use crate::identity::{self, Seed};
use crate::object::{self, Identity};
use crate::options::{CertificateSource, Options};
use crate::parse::{self, API_VERSIONS};
use crate::read::Document;
use crate::read::node::Node;
use crate::report::{Diagnostic, FieldPath, Position, ResourceRef, has_errors};
use crate::resolve;
use crate::standby::{self, Party};

pub use crate::parse::KIND;

/// The group of the kind.
const GROUP: &str = "postgres-operator.crunchydata.com";

/// The outcome of [`render`]. It holds secrets, so it has no `Debug`.
pub struct Rendered {
    /// By namespace and name. Worthless when a diagnostic is an error.
    pub clusters: Vec<RenderedCluster>,
    /// Everything there is to tell, by place in the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// The objects of one cluster.
pub struct RenderedCluster {
    /// The cluster, with the namespace that it is rendered for.
    pub resource: ResourceRef,
    /// The file that the cluster was read from.
    pub file: String,
    /// Where in the file it begins.
    pub position: Position,
    /// Its objects, dependencies first.
    pub objects: Vec<Value>,
}

/// Renders every `PostgresCluster` among `documents`. `seed` is the seed, or why there is none, which matters only when there
/// is a cluster. Secrets among `documents` that have the names of those of a cluster lend it their values; documents of other
/// kinds are ignored.
pub fn render(documents: &[Document], options: &Options, seed: Result<&Seed, &[Diagnostic]>) -> Rendered {
    let mut diagnostics = Vec::new();
    let secrets = Sources::of(documents, options);
    let sources = clusters(documents, options, &mut diagnostics);
    if let (Err(reasons), false) = (seed, sources.is_empty()) {
        diagnostics.extend_from_slice(reasons);
    }
    let mut clusters = Vec::new();
    let mut renewal: Option<Renewal> = None;
    let mut parties = Vec::new();
    for (resource, document) in sources {
        let mut found = Vec::new();
        let made = one_cluster(document, options, seed.ok(), &secrets, &mut found);
        let (objects, own) = made.map_or((Vec::new(), None), |(objects, own, party)| {
            parties.push((resource.clone(), document, party));
            (objects, Some(own))
        });
        renewal = own.map(|own| renewal.map_or(own, |renewal| renewal.earlier(own))).or(renewal);
        diagnostics.extend(found.into_iter().map(|mut diagnostic| {
            diagnostic.resource.get_or_insert_with(|| resource.clone());
            diagnostic
        }));
        let Document { file, node } = document;
        clusters.push(RenderedCluster { resource, file: file.clone(), position: node.position, objects });
    }
    refuse_duplicates(&clusters, &mut diagnostics);
    diagnostics.extend(standby::notes(&parties));
    let renewal = renewal.filter(|_| options.certificate_source == CertificateSource::Seed);
    if let (Some(renewal), false) = (renewal, has_errors(&diagnostics)) {
        diagnostics.push(Diagnostic::info(renewal.to_string()));
    }
    diagnostics.sort_by(|a, b| a.location.cmp(&b.location));
    Rendered { clusters, diagnostics }
}

/// The objects of one cluster, when to render it again, and what it is for standby clusters. Without a seed the cluster is only checked. Everything that is
/// wrong with it goes to `diagnostics`.
fn one_cluster(
    document: &Document,
    options: &Options,
    seed: Option<&Seed>,
    secrets: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Vec<Value>, Renewal, Party)> {
    let settings = parse::Settings { through_kustomize: options.through_kustomize };
    let (resource, found) = parse::parse(document, settings);
    diagnostics.extend(found);
    let (cluster, found) = resolve::resolve(&resource?, options);
    diagnostics.extend(found.into_iter().map(|found| document.locate(found)));
    let cluster = cluster?;
    let (existing, mut found) = existing(secrets, &cluster);
    found.extend(custom_tls::check(&cluster, secrets, options));
    let unusable = has_errors(&found);
    diagnostics.extend(found.into_iter().map(|found| document.locate(found)));
    let seed = seed.filter(|_| !unusable)?;
    let (identity, found) = identity::derive(&cluster, seed, options, &existing);
    diagnostics.extend(found.into_iter().map(|found| document.locate(found)));
    let identity = identity?;
    Some((build::build(&cluster, &identity), identity.renewal, Party::of(&cluster)))
}

/// The clusters among `documents`, each once, by namespace and name.
fn clusters<'a>(
    documents: &'a [Document],
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(ResourceRef, &'a Document)> {
    let mut clusters: BTreeMap<Identity, (ResourceRef, &Document)> = BTreeMap::new();
    for document in documents {
        if !is_cluster(&document.node) {
            diagnostics.extend(refuse_unknown_version(document));
            continue;
        }
        let resource = cluster_reference(document, options);
        let (_, first) = *clusters.entry(Identity::from(&resource)).or_insert_with(|| (resource.clone(), document));
        if object::without_bookkeeping(&first.node) != object::without_bookkeeping(&document.node) {
            diagnostics.push(object::twice(&resource, first, document));
        }
    }
    clusters.into_values().collect()
}

/// The reference to the cluster of `document`, its namespace filled in from `options`.
fn cluster_reference(document: &Document, options: &Options) -> ResourceRef {
    let mut resource = object::reference(&document.node);
    if resource.namespace.is_empty() {
        resource.namespace = options.namespace.clone().unwrap_or_default();
    }
    resource
}

/// Whether an object of the input is a `PostgresCluster` of a version that exists.
pub fn is_cluster(node: &Node) -> bool {
    let resource = object::reference(node);
    resource.kind == KIND && API_VERSIONS.contains(&resource.api_version.as_str())
}

/// A `PostgresCluster` of a version that does not exist is an error, so that nobody's database is left out for a slip of
/// the pen. One of another group is somebody else's.
fn refuse_unknown_version(document: &Document) -> Option<Diagnostic> {
    let resource = object::reference(&document.node);
    let group = resource.api_version.split_once('/').map_or("", |(group, _)| group);
    if is_cluster(&document.node) || resource.kind != KIND || (group != GROUP && !group.is_empty()) {
        return None;
    }
    let [newest, older] = API_VERSIONS;
    let wanted = format!("write `{newest}` or `{older}`");
    let message = match resource.api_version.as_str() {
        "" => format!("required field is missing: {wanted}"),
        other => format!("`{other}` is no version of PostgresCluster, {wanted}"),
    };
    let field = FieldPath::of("apiVersion");
    let position = document.node.locate(&field);
    Some(Diagnostic::error(message).at(field).of(resource).located(&document.file, position))
}

/// Two objects of the same identity, say of clusters `a-b` with a set `c` and `a` with a set `b-c`, would overwrite each
/// other. One is named for each two clusters: their other objects have the same cause.
fn refuse_duplicates(clusters: &[RenderedCluster], diagnostics: &mut Vec<Diagnostic>) {
    let mut origins: BTreeMap<Identity, &RenderedCluster> = BTreeMap::new();
    for cluster in clusters {
        let mut rivals = BTreeSet::new();
        for rendered in &cluster.objects {
            let reference = object::rendered_reference(rendered);
            let Some(first) = origins.insert(Identity::from(&reference), cluster) else { continue };
            if !rivals.insert(Identity::from(&first.resource)) {
                continue;
            }
            let (here, there) = (&cluster.resource, &first.resource);
            let message = if here == there {
                format!("`{reference}` would be made twice by `{here}`: rename an instance set or a user")
            } else {
                format!("`{reference}` would be made by `{there}` and by `{here}`: rename a cluster, a set or a user")
            };
            diagnostics.push(Diagnostic::error(message).of(here.clone()).located(&cluster.file, cluster.position));
        }
    }
}
