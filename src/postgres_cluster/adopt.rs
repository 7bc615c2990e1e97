//! Makes the volumes of a cluster that PGO runs, or of `spec.dataSource.volumes`, the volumes of the cluster that pgrender
//! renders, without a copy of the data.
//!
//! ```text
//! documents ──choose──▶ PostgresCluster ──resolve──▶ Cluster ─┐
//!     └──objects──▶ claims and their volumes ─────────────────┴─pgo, data_source──▶ Adoption ──manifests, instructions──▶ files
//! ```
//!
//! A StatefulSet finds its claims by their names, and a claim cannot be renamed. But a PersistentVolume can be given to another
//! claim: its `claimRef` names the claim that may bind it, and the claim names the volume (Kubernetes, "Persistent Volumes",
//! "Reserving a PersistentVolume"). No file that this module writes contains a value of a Secret.

mod choose;
mod data_source;
mod instructions;
mod leader;
mod manifests;
mod objects;
mod pairing;
mod pgo;

use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::kubernetes::PersistentVolumeClaim;
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::kind;
use crate::read::Document;

use objects::Claim;
use pairing::Pairing;

/// What the user chooses.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The cluster: `<name>` or `<namespace>/<name>`. It is needed if the input has several.
    pub cluster: Option<String>,
    /// The instance of PGO that leads, if the input does not say it.
    pub leader: Option<String>,
}

/// A file for the user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Where the volumes are now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    /// PGO runs the cluster.
    Pgo,
    /// `spec.dataSource.volumes` names the claims.
    DataSource,
}

/// A volume that another claim gets.
struct Move<'a> {
    old: Claim<'a>,
    /// The claim that gets the volume; `None` if the old claim has the right name already.
    new: Option<PersistentVolumeClaim>,
}

impl Move<'_> {
    /// The name of the claim that has the volume afterwards.
    fn new_name(&self) -> &str {
        self.new.as_ref().and_then(|claim| claim.metadata.name.as_deref()).unwrap_or(self.old.name)
    }
}

/// An instance, whose pod has another name afterwards.
struct Instance<'a> {
    /// The name of the instance in PGO; empty if PGO does not run the cluster.
    before: &'a str,
    /// The name of the instance, which is also the name of its pod.
    after: String,
    moves: Vec<Move<'a>>,
}

/// Everything that the files depend on.
struct Adoption<'a> {
    origin: Origin,
    cluster: Cluster,
    /// The PostgresCluster to render from now on.
    manifest: serde_json::Value,
    leader: Instance<'a>,
    replicas: Vec<Instance<'a>>,
    repositories: Vec<Move<'a>>,
    /// The fields and annotations that are not in `manifest`, for the user.
    removed: Vec<String>,
    /// The names of claims that belong to the cluster and are not used afterwards.
    leftovers: Vec<&'a str>,
}

impl<'a> Adoption<'a> {
    /// The volumes of the leader and of repositories, which are needed first.
    fn first(&self) -> impl Iterator<Item = &Move<'a>> {
        self.leader.moves.iter().chain(&self.repositories)
    }

    fn moves(&self) -> impl Iterator<Item = &Move<'a>> {
        self.first().chain(self.replicas.iter().flat_map(|replica| &replica.moves))
    }
}

/// Returns the files with the steps for one cluster of `documents`, or errors. Warnings are returned in both cases.
pub fn adopt(documents: &[Document], request: &Request, options: &Options) -> (Vec<File>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let files = adoption(documents, request, options, &mut diagnostics).filter(|_| !has_errors(&diagnostics));
    let files = files.map(|adoption| {
        let mut files = vec![instructions::readme(&adoption), manifests::cluster(&adoption)];
        files.extend(manifests::steps(&adoption));
        files
    });
    diagnostics.sort_by(|a, b| a.location.cmp(&b.location));
    (files.unwrap_or_default(), diagnostics)
}

fn adoption<'a>(
    documents: &'a [Document],
    request: &Request,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Adoption<'a>> {
    let chosen = choose::cluster(documents, request, options).map_err(|error| diagnostics.push(error)).ok()?;
    diagnostics.extend(choose::unsuitable(chosen.document));
    let cleaned = Document { file: chosen.document.file.clone(), node: choose::cleaned(&chosen) };
    let (cluster, found) = kind::resolved(&cleaned, options);
    // Warnings are those of every rendering.
    diagnostics.extend(found.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error));
    let claims = objects::claims(documents, &chosen, diagnostics);
    let source = chosen.document.node.get("spec").and_then(|spec| spec.get("dataSource")?.get("volumes"));
    let source = source.filter(|_| claims.of_cluster.is_empty() && !claims.has_ours);
    let mut pairing = Pairing { cluster: cluster?, chosen: &chosen, claims, diagnostics };
    let (instances, repositories) = match source {
        Some(source) => pairing.of_data_source(source),
        None => pairing.of_pgo(),
    };
    let names: Vec<&str> = instances.iter().map(|instance| instance.name).collect();
    let leads = match source {
        Some(_) => "",
        // The leader may be missing because of another error.
        None if has_errors(pairing.diagnostics) => return None,
        None => {
            let found = leader::find(documents, &chosen, request.leader.as_deref(), &names);
            found.map_err(|error| pairing.diagnostics.push(error)).ok()?
        }
    };
    let (leader, replicas) = pairing.numbered(instances, leads);
    let leader = leader?;
    let moves = || std::iter::once(&leader).chain(&replicas).flat_map(|instance| &instance.moves).chain(&repositories);
    let all = pairing.claims.of_cluster.iter().filter_map(|claim| claim.node.get("metadata")?.get("name")?.as_str());
    let leftovers = all.filter(|name| moves().all(|there| there.old.name != *name)).collect();
    Some(Adoption {
        origin: if source.is_some() { Origin::DataSource } else { Origin::Pgo },
        cluster: pairing.cluster,
        manifest: cleaned.node.to_json(),
        leader,
        replicas,
        repositories,
        removed: choose::removed(chosen.document),
        leftovers,
    })
}
