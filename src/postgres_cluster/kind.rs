//! All steps from a document to what its objects are built from, for the kind `PostgresCluster`.

use super::cluster::Cluster;
use super::collector::{query_file, references};
use super::exporter::custom_queries::CustomQueries;
use super::objects;
use super::parse::{self, DEFINITION};
use super::pgbackrest::place::Places;
use super::replication::standby::{self, Party};
use super::resolve;
use super::restore::source_cluster::{self, SourceCluster};
use super::secrets::existing::{Existing, Sources, existing};
use super::secrets::identity::Identity;
use super::secrets::{brought, custom_tls, derive};
use super::work::{of_cluster, of_data_source, of_existing, of_reading, of_trust};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::kind::{Content, Input, Kind, Planned, Resource, Work};
use crate::kubernetes::Object;
use crate::options::{CertificateSource, Options};
use crate::parse::{Definition, Settings};
use crate::read::Document;

/// The kind `PostgresCluster`.
pub struct PostgresClusterKind;

impl Kind for PostgresClusterKind {
    fn definition(&self) -> &'static Definition {
        &DEFINITION
    }

    fn plan(&self, resources: &[Resource], input: &Input, work: &mut Work) -> Vec<Planned> {
        let mut clusters = Vec::new();
        for Resource { document, .. } in resources {
            let (cluster, diagnostics) = resolved(document, input.options);
            work.add(of_trust(input.options));
            if let Some(cluster) = &cluster {
                work.add(of_cluster(cluster, &document.node));
            }
            clusters.push((cluster, diagnostics));
        }
        let sources: Vec<_> =
            clusters.iter().filter_map(|(cluster, _)| cluster.as_ref().map(SourceCluster::of)).collect();
        let mut queries = None;
        let mut places = Places::default();
        for (Resource { document, reference }, (cluster, diagnostics)) in resources.iter().zip(&mut clusters) {
            if let Some(cluster) = cluster.as_ref() {
                diagnostics.extend(document.locate_all(places.add(reference, cluster)));
            }
            let exporter = cluster.as_ref().and_then(|cluster| Some((cluster, cluster.exporter.as_ref()?)));
            if let Some((cluster, exporter)) = exporter {
                let queries = queries.get_or_insert_with(|| CustomQueries::of(input.documents, input.options));
                diagnostics.extend(document.locate_all(queries.check(cluster, exporter, work)));
                let found = query_file::check(cluster, &queries.sources, work);
                diagnostics.extend(document.locate_all(queries.unreported(found)));
                diagnostics.extend(document.locate_all(references::check(cluster, &queries.sources)));
            }
            let found = cluster.as_mut().and_then(|cluster| source_cluster::complete(cluster, &sources));
            work.add(cluster.as_ref().map_or(0, of_data_source));
            diagnostics.extend(found.map(|found| document.locate(found)));
            if has_errors(diagnostics) {
                *cluster = None;
            }
        }
        let parties = clusters.iter().map(|(cluster, _)| cluster.as_ref().map(Party::of));
        let parties: Vec<_> = resources.iter().map(|resource| &resource.reference).zip(parties).collect();
        let notes = standby::notes(&parties);
        let sources = Sources::of(input.documents.iter().copied(), input.options);
        let mut plans = Vec::new();
        for ((resource, (cluster, mut diagnostics)), note) in resources.iter().zip(clusters).zip(notes) {
            let document = resource.document;
            diagnostics.extend(note.map(|note| document.locate(note)));
            let cluster = cluster.filter(|_| work.is_allowed());
            let derived = cluster.and_then(|cluster| {
                let identity = derived(&cluster, document, &sources, input, work, &mut diagnostics)?;
                Some(Derived { cluster, identity })
            });
            let from_seed = input.options.certificate_source == CertificateSource::Seed;
            let renewal = derived.as_ref().map(|derived| derived.identity.renewal).filter(|_| from_seed);
            let content = derived.map(|derived| Box::new(derived) as Box<dyn Content>);
            plans.push(Planned { content, renewal, diagnostics });
        }
        plans
    }
}

/// A cluster with its secrets.
struct Derived {
    cluster: Cluster,
    identity: Identity,
}

impl Content for Derived {
    fn objects(&self) -> Vec<Object> {
        objects::build(&self.cluster, &self.identity)
    }
}

/// Parses and resolves a cluster. Gives `None` if one of the messages is an error.
pub(crate) fn resolved(document: &Document, options: &Options) -> (Option<Cluster>, Vec<Diagnostic>) {
    let settings = Settings { through_kustomize: options.through_kustomize };
    let (resource, mut diagnostics) = parse::parse(document, settings);
    let cluster = resource.and_then(|resource| {
        let (cluster, found) = resolve::resolve(&resource, options);
        diagnostics.extend(document.locate_all(found));
        cluster
    });
    (cluster, diagnostics)
}

/// The secrets of a cluster: those of existing Secrets, and those that are derived from the seed. Gives `None` if one of the
/// messages is an error, if there is no seed, or if deriving them is too much work.
fn derived(
    cluster: &Cluster,
    document: &Document,
    sources: &Sources,
    input: &Input,
    work: &mut Work,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Identity> {
    let (existing, mut found): (Existing, _) = existing(sources, cluster);
    let (told, size) = brought::check(cluster, sources);
    found.extend(told);
    work.add(of_reading(size, 0));
    let brought = custom_tls::check(cluster, sources, input.options);
    found.extend(brought.diagnostics);
    let unusable = has_errors(&found);
    diagnostics.extend(document.locate_all(found));
    work.add(of_reading(brought.size, brought.signatures));
    work.add(of_existing(cluster, &existing));
    let (seed, window) = (input.seed?, input.window?);
    if unusable || !work.is_allowed() {
        return None;
    }
    let (identity, told) = derive::derive(cluster, seed, window, input.options, &existing);
    diagnostics.extend(document.locate_all(told));
    identity
}
