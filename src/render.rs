//! Renders the documents of an input into the objects of its clusters: all steps of the program except reading and writing.
//!
//! The result does not depend on the order of the documents. All errors are reported at once. If the input would cause too much
//! work, it is refused before the work is done (`work.rs`).

mod work;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::custom_tls;
use crate::diagnostic::{Diagnostic, FieldPath, Position, ResourceRef, has_errors};
use crate::existing::{Existing, Sources, existing};
use crate::identity::{self, Seed};
use crate::object::{self, ObjectKey};
use crate::objects;
use crate::options::{CertificateSource, Options};
use crate::parse::{self, API_VERSIONS};
use crate::read::node::Node;
use crate::read::{Document, template};
use crate::resolve;
use crate::standby::{self, Party};
use crate::unreplaced;
use crate::window::{Renewal, Window};
use crate::words;
use work::Work;

pub use crate::parse::KIND;

/// The API group of `PostgresCluster`.
const GROUP: &str = "postgres-operator.crunchydata.com";

/// The result of [`render`]. It contains secrets, so it does not implement `Debug`.
pub struct Rendered {
    /// The clusters, ordered by namespace and name. Do not use them if a diagnostic is an error.
    pub clusters: Vec<RenderedCluster>,
    /// All messages, ordered by their position in the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// The objects of one cluster.
pub struct RenderedCluster {
    /// The cluster, with the namespace that it is rendered for.
    pub resource: ResourceRef,
    /// The file that the cluster was read from.
    pub file: String,
    /// Its objects. An object comes after those that it depends on.
    pub objects: Vec<Value>,
}

/// The result of [`plan`]. It contains secrets, so it does not implement `Debug`.
pub struct Plan {
    /// The clusters, ordered by namespace and name. Do not use them if a diagnostic is an error.
    pub clusters: Vec<PlannedCluster>,
    /// All messages, ordered by their position in the input.
    pub diagnostics: Vec<Diagnostic>,
    /// When to render again.
    renewal: Option<Renewal>,
}

/// A cluster that is ready to be built. Its objects are built on demand, because the objects of many clusters would fill the
/// memory. It contains secrets, so it does not implement `Debug`.
pub struct PlannedCluster {
    /// The cluster, with the namespace that it is rendered for.
    pub resource: ResourceRef,
    file: String,
    position: Position,
    content: Option<(Cluster, identity::Identity)>,
}

impl PlannedCluster {
    /// Builds its objects. An object comes after those that it depends on.
    pub fn objects(&self) -> Vec<Value> {
        self.content.as_ref().map_or_else(Vec::new, |(cluster, identity)| {
            objects::build(cluster, identity).into_iter().map(objects::Object::into_value).collect()
        })
    }
}

/// Renders every `PostgresCluster` in `documents`. The objects are the same as those of [`plan`], which builds them for one
/// cluster at a time.
pub fn render(documents: &[Document], options: &Options, seed: Result<&Seed, &[Diagnostic]>) -> Rendered {
    let mut plan = decide(documents, options, seed);
    let mut clusters = Vec::new();
    if !has_errors(&plan.diagnostics) {
        let mut names = Names::default();
        for cluster in plan.clusters {
            let objects = cluster.objects();
            plan.diagnostics.extend(names.add(&cluster, &objects));
            clusters.push(RenderedCluster { resource: cluster.resource, file: cluster.file, objects });
        }
    }
    Rendered { clusters, diagnostics: in_order(plan.diagnostics, plan.renewal) }
}

/// Resolves every `PostgresCluster` in `documents` and derives its identity. After that, building the objects cannot fail.
/// `seed` is the seed, or the errors that say why there is none; they are reported only if there is a cluster. A rendered
/// Secret reuses the values of a Secret in `documents` that has the same name. Documents of other kinds are ignored.
pub fn plan(documents: &[Document], options: &Options, seed: Result<&Seed, &[Diagnostic]>) -> Plan {
    let mut plan = decide(documents, options, seed);
    if !has_errors(&plan.diagnostics) {
        let mut names = Names::default();
        for cluster in &plan.clusters {
            plan.diagnostics.extend(names.add(cluster, &cluster.objects()));
        }
    }
    Plan { diagnostics: in_order(plan.diagnostics, plan.renewal), ..plan }
}

/// Does the work of [`plan`], except checking whether two clusters have the same object.
fn decide(documents: &[Document], options: &Options, seed: Result<&Seed, &[Diagnostic]>) -> Plan {
    let mut diagnostics = Vec::new();
    let sources = clusters(documents, options, &mut diagnostics);
    if let (Err(reasons), false) = (seed, sources.is_empty()) {
        diagnostics.extend_from_slice(reasons);
    }
    // The error is the same for all clusters, so it is reported once.
    let time = Window::containing(options.time, options.certificates).err().filter(|_| !sources.is_empty());
    diagnostics.extend(time.map(|error| Diagnostic::error(error.to_string())));
    let seed = seed.ok().filter(|_| time.is_none());
    let mut plan = Plan { clusters: Vec::new(), diagnostics, renewal: None };
    match work::of_clusters(sources.len(), options) {
        Ok(work) => decide_all(&sources, documents, options, seed, work, &mut plan),
        Err(error) => plan.diagnostics.push(error),
    }
    plan.renewal = plan.renewal.filter(|_| options.certificate_source == CertificateSource::Seed);
    plan
}

/// Sorts `diagnostics` by their position in the input. If there is no error, adds the message that says when to render again.
fn in_order(mut diagnostics: Vec<Diagnostic>, renewal: Option<Renewal>) -> Vec<Diagnostic> {
    if let (Some(renewal), false) = (renewal, has_errors(&diagnostics)) {
        diagnostics.push(Diagnostic::info(renewal.to_string()));
    }
    diagnostics.sort_by(|a, b| a.location.cmp(&b.location));
    diagnostics
}

/// Resolves the clusters of `sources` and derives their identities, until the limit of `work` is reached.
fn decide_all(
    sources: &[(ResourceRef, &Document)],
    documents: &[Document],
    options: &Options,
    seed: Option<&Seed>,
    mut work: Work,
    plan: &mut Plan,
) {
    let secrets = Sources::of(documents, options);
    let (mut checked, mut parties) = (Vec::new(), Vec::new());
    for (resource, document) in sources {
        let mut found = Vec::new();
        let cluster = check(document, options, &mut found);
        if let Some(cluster) = &cluster {
            work.add(cluster, &document.node);
            parties.push((resource.clone(), *document, Party::of(cluster)));
        }
        checked.push((cluster, found));
    }
    plan.diagnostics.extend(standby::notes(&parties));
    let mut refused = work.check().err();
    for ((resource, document), (cluster, mut found)) in sources.iter().zip(checked) {
        let seed = seed.filter(|_| refused.is_none());
        let content = cluster.and_then(|cluster| {
            if refused.is_some() {
                return None;
            }
            let (existing, unusable) = take_over(document, &cluster, &secrets, options, &mut work, &mut found);
            work.add_existing(&cluster, &existing);
            refused = refused.take().or_else(|| work.check().err());
            let seed = seed.filter(|_| refused.is_none() && !unusable)?;
            let (identity, told) = identity::derive(&cluster, seed, options, &existing);
            found.extend(document.locate_all(told));
            Some((cluster, identity?))
        });
        let own = content.as_ref().map(|(_, identity)| identity.renewal);
        plan.renewal = own.map(|own| plan.renewal.map_or(own, |renewal| renewal.earlier(own))).or(plan.renewal);
        plan.diagnostics.extend(found.into_iter().map(|mut diagnostic| {
            diagnostic.resource.get_or_insert_with(|| resource.clone());
            diagnostic
        }));
        let Document { file, node } = *document;
        let cluster =
            PlannedCluster { resource: resource.clone(), file: file.clone(), position: node.position, content };
        plan.clusters.push(cluster);
    }
    plan.diagnostics.extend(refused);
}

/// The cluster in `document`, or `None` if it has an error. All messages are added to `diagnostics`.
fn check(document: &Document, options: &Options, diagnostics: &mut Vec<Diagnostic>) -> Option<Cluster> {
    let settings = parse::Settings { through_kustomize: options.through_kustomize };
    let (resource, found) = parse::parse(document, settings);
    diagnostics.extend(found);
    let cluster = resource.and_then(|resource| {
        let (cluster, found) = resolve::resolve(&resource, options);
        diagnostics.extend(document.locate_all(found));
        cluster
    });
    unreplaced::tell(document, diagnostics);
    cluster
}

/// The existing values of `cluster`, and whether they contain an error.
fn take_over<'a>(
    document: &Document,
    cluster: &Cluster,
    secrets: &Sources<'a>,
    options: &Options,
    work: &mut Work,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Existing<'a>, bool) {
    let (existing, mut found) = existing(secrets, cluster);
    let brought = custom_tls::check(cluster, secrets, options);
    work.add_read(brought.size, brought.signatures);
    found.extend(brought.diagnostics);
    let unusable = has_errors(&found);
    diagnostics.extend(document.locate_all(found));
    (existing, unusable)
}

/// The clusters in `documents`, each of them once, ordered by namespace and name.
fn clusters<'a>(
    documents: &'a [Document],
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(ResourceRef, &'a Document)> {
    let mut clusters: BTreeMap<ObjectKey, (ResourceRef, &Document, Option<Value>)> = BTreeMap::new();
    for document in documents {
        if let Some(error) = refuse_template(document) {
            // All documents of a chart have this error, so it is reported once.
            let is_first = diagnostics.iter().all(|diagnostic| diagnostic.message != error.message);
            diagnostics.extend(is_first.then_some(error));
            continue;
        }
        if !is_cluster(&document.node) {
            diagnostics.extend(refuse_unknown_version(document).or_else(|| nearly(document)));
            continue;
        }
        let resource = cluster_reference(document, options);
        let identity = ObjectKey::from(&resource);
        let Some((_, first, content)) = clusters.get_mut(&identity) else {
            clusters.insert(identity, (resource, document, None));
            continue;
        };
        let content = content.get_or_insert_with(|| object::without_bookkeeping(&first.node));
        if *content != object::without_bookkeeping(&document.node) {
            diagnostics.push(object::twice(&resource, first, document));
        }
    }
    clusters.into_values().map(|(resource, document, _)| (resource, document)).collect()
}

/// The reference to the cluster in `document`. If it has no namespace, the namespace comes from `options`.
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

/// Refuses a `PostgresCluster` that is still a template. Any other error in it would be a consequence of this one.
fn refuse_template(document: &Document) -> Option<Diagnostic> {
    let node = &document.node;
    if node.get("kind")?.as_str() != Some(KIND) {
        return None;
    }
    let field = template::field(node, &["apiVersion", "metadata", "spec"])?;
    // The name may be a part of the template, so the message does not contain it.
    let resource = ResourceRef { kind: KIND.to_owned(), ..ResourceRef::default() };
    Some(document.locate(Diagnostic::error(template::NOT_RENDERED).at(field).of(resource)))
}

/// Refuses a `PostgresCluster` of a version that does not exist, so that a typing error does not remove a database from the
/// output. A kind of the same name in another API group is not PGO's and is ignored.
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
        other => format!("`{other}` is not a supported version of PostgresCluster: {wanted}"),
    };
    let field = FieldPath::of("apiVersion");
    let position = document.node.locate(&field);
    Some(Diagnostic::error(message).at(field).of(resource).located(&document.file, position))
}

/// Warns about an object that is nearly a `PostgresCluster`. It is passed on like any other object, and nothing is rendered for
/// it.
fn nearly(document: &Document) -> Option<Diagnostic> {
    /// The maximum number of letters in which a group may differ. With more, it is probably a different API group.
    const SLIP: usize = 3;
    let resource = object::reference(&document.node);
    let (group, version) = resource.api_version.split_once('/')?;
    let [newest, older] = API_VERSIONS;
    let (field, found, meant) = if resource.kind == KIND {
        words::with_distance(group, [GROUP]).filter(|(distance, _)| *distance <= SLIP)?;
        ("apiVersion", &resource.api_version, if older.rsplit('/').next() == Some(version) { older } else { newest })
    } else {
        words::nearest(&resource.kind, [KIND]).filter(|_| group == GROUP && !resource.kind.ends_with("List"))?;
        ("kind", &resource.kind, KIND)
    };
    let message = format!("pgrender does not render {}: did you mean `{meant}`?", words::quote(found));
    Some(document.locate(Diagnostic::warning(message).at(FieldPath::of(field)).of(resource)))
}

/// The objects that are built so far, each with its cluster.
#[derive(Default)]
struct Names(BTreeMap<ObjectKey, ResourceRef>);

impl Names {
    /// Adds the objects of `cluster`. Reports objects that two clusters have in common, because they would overwrite each
    /// other: for example, a set `c` of the cluster `a-b` and a set `b-c` of the cluster `a`. For each pair of clusters, only
    /// the first object is reported, because the others have the same cause.
    fn add(&mut self, cluster: &PlannedCluster, objects: &[Value]) -> Vec<Diagnostic> {
        let mut rivals = BTreeSet::new();
        let mut diagnostics = Vec::new();
        for object in objects {
            let reference = object::rendered_reference(object);
            let Some(first) = self.0.insert(ObjectKey::from(&reference), cluster.resource.clone()) else { continue };
            if !rivals.insert(ObjectKey::from(&first)) {
                continue;
            }
            let (here, there) = (&cluster.resource, &first);
            let message = if here == there {
                format!("`{here}` would create `{reference}` twice: rename an instance set or a user")
            } else {
                format!(
                    "`{there}` and `{here}` would both create `{reference}`: rename a cluster, an instance set or a \
                     user"
                )
            };
            diagnostics.push(Diagnostic::error(message).of(here.clone()).located(&cluster.file, cluster.position));
        }
        diagnostics
    }
}
