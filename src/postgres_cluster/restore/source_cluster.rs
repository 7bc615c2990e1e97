//! What a new cluster needs from the cluster that it starts from, if both are in the input.

use super::model::Source;
use crate::diagnostic::words;
use crate::diagnostic::{Diagnostic, FieldPath};
use crate::kubernetes::VolumeProjection;
use crate::postgres_cluster::cluster::Cluster;

/// A cluster that others may start from.
pub struct SourceCluster {
    namespace: String,
    name: String,
    /// The numbers of its repositories. It has none without backups.
    repositories: Vec<u8>,
    configuration: Vec<VolumeProjection>,
}

impl SourceCluster {
    /// Takes these facts from a resolved cluster.
    pub fn of(cluster: &Cluster) -> Self {
        let backups = cluster.backups.as_ref();
        Self {
            namespace: cluster.namespace.clone(),
            name: cluster.name.clone(),
            repositories: backups.iter().flat_map(|all| &all.repositories).map(|one| one.index).collect(),
            configuration: backups.map(|backups| backups.configuration.clone()).unwrap_or_default(),
        }
    }
}

/// Gives `cluster` the files of the cluster that it starts from, if that is one of `sources`. PGO reads them from the cluster in
/// Kubernetes. Returns an error if that cluster does not have the repository, a warning if its name is probably a typing error,
/// and an information if it is not in the input.
pub fn complete(cluster: &mut Cluster, sources: &[SourceCluster]) -> Option<Diagnostic> {
    let source = cluster.data_source.as_mut()?;
    let Source::Cluster { name, configuration } = &mut source.from else { return None };
    let path = FieldPath::of("spec.dataSource.postgresCluster");
    let same = |other: &&SourceCluster| other.name == *name && other.namespace == cluster.namespace;
    let Some(other) = sources.iter().find(same) else {
        if let Some(hint) = meant(name, &cluster.name, &cluster.namespace, sources) {
            return Some(
                Diagnostic::warning(format!("`{name}` is not in the input: {hint}")).at(path.key("clusterName")),
            );
        }
        let message = format!(
            "`{name}` is not in the input: if its repository needs files of its `spec.backups.pgbackrest.configuration`, for \
             example with a password, render both clusters together, or add these files to \
             `spec.backups.pgbackrest.configuration` of this cluster"
        );
        return Some(Diagnostic::info(message).at(path.key("clusterName")));
    };
    if other.repositories.is_empty() {
        let message = format!("`{name}` has no backups: write the name of a cluster with `spec.backups.pgbackrest`");
        return Some(Diagnostic::error(message).at(path.key("clusterName")));
    }
    if !other.repositories.contains(&source.repository) {
        let names = other.repositories.iter().map(|index| format!("repo{index}"));
        let message = format!(
            "`{name}` has no repository `repo{}`: write one of {}",
            source.repository,
            words::list(names.collect::<Vec<_>>().iter().map(String::as_str))
        );
        return Some(Diagnostic::error(message).at(path.key("repoName")));
    }
    configuration.clone_from(&other.configuration);
    None
}

/// Returns which cluster of the input the user of the cluster `own` probably means by a name that is not in its namespace.
fn meant(name: &str, own: &str, namespace: &str, sources: &[SourceCluster]) -> Option<String> {
    let here = sources.iter().filter(|other| other.namespace == namespace && other.name != own);
    if let Some(meant) = words::nearest(name, here.map(|other| other.name.as_str())) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let elsewhere = sources.iter().find(|other| other.name == name)?;
    Some(format!(
        "a cluster of this name is in the namespace `{}`, but a pod can only use the Secrets of its own namespace. Restore from a \
         repository in object storage with `spec.dataSource.pgbackrest`",
        elsewhere.namespace
    ))
}
