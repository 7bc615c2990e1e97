//! Where a repository in object storage is. pgBackRest does not notice if two clusters archive into one place: each of them would
//! damage the archive of the other, and expire its backups.

use std::collections::BTreeMap;

use super::model::{Backups, Repository, Storage};
use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef};
use crate::postgres_cluster::cluster::Cluster;

/// The bucket or container, with its server, and the path in it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place([String; 4]);

impl Place {
    /// The place of a repository with the options `global`; `None` if it is on a volume, which belongs to one cluster.
    pub fn of(repository: &Repository, global: &BTreeMap<String, String>) -> Option<Self> {
        let (kind, server, container) = match &repository.storage {
            Storage::S3 { bucket, endpoint, .. } => ("s3", endpoint.as_str(), bucket),
            Storage::Gcs { bucket } => ("gcs", "", bucket),
            Storage::Azure { container } => ("azure", "", container),
            Storage::Volume(_) => return None,
        };
        let name = repository.name();
        let path = global.get(&format!("{name}-path")).cloned().unwrap_or_else(|| format!("/pgbackrest/{name}"));
        let path = format!("/{}", path.trim_matches('/'));
        Some(Self([kind.to_owned(), server.to_owned(), container.clone(), path]))
    }

    /// The position of the repository of `backups` that is in this place, if there is one.
    pub(crate) fn position(&self, backups: &Backups) -> Option<usize> {
        let mut places = backups.repositories.iter().map(|repository| Self::of(repository, &backups.global));
        places.position(|place| place.as_ref() == Some(self))
    }
}

/// The places that clusters of one input archive into, and the first cluster for each.
#[derive(Default)]
pub(crate) struct Places<'a>(BTreeMap<Place, &'a ResourceRef>);

impl<'a> Places<'a> {
    /// Adds the places of a cluster. Gives an error for each that an earlier cluster has. A standby cluster does not archive, and
    /// uses the place of the cluster that it follows.
    pub(crate) fn add(&mut self, resource: &'a ResourceRef, cluster: &Cluster) -> Vec<Diagnostic> {
        let Some(backups) = cluster.backups.as_ref().filter(|_| cluster.standby.is_none()) else { return Vec::new() };
        let mut found = Vec::new();
        for (index, repository) in backups.repositories.iter().enumerate() {
            let Some(place) = Place::of(repository, &backups.global) else { continue };
            match self.0.get(&place) {
                Some(other) if *other != resource => {
                    let message = format!(
                        "`{other}` archives into the same place, and would damage these backups: give one of them another \
                         `{}-path` in `spec.backups.pgbackrest.global`",
                        repository.name()
                    );
                    let path = FieldPath::of("spec.backups.pgbackrest.repos").index(index);
                    found.push(Diagnostic::error(message).at(path));
                }
                Some(_) => {}
                None => _ = self.0.insert(place, resource),
            }
        }
        found
    }
}
