//! Where a repository in object storage is. pgBackRest does not notice if two clusters archive into one place, or if two
//! repositories of one cluster are there: each of them would damage the archive of the other, and expire its backups.

use std::collections::BTreeMap;

use super::model::{Backups, Repository, Storage};
use super::server::Server;
use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef};
use crate::kubernetes::VolumeProjection;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::resolve::context::Context;

/// A bucket or container with its server, and the path in it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The bucket or container, and the path.
    within: (String, String),
    /// The server that the endpoint names.
    endpoint: Server,
    /// The server that pgBackRest connects to: that of `repoN-storage-host`, or the endpoint.
    connected: Server,
    account: Account,
}

/// Whose container it is. Names of buckets are unique on a server of S3 or Google Cloud Storage, but each Azure account has its own
/// containers.
#[derive(Clone, Debug, PartialEq)]
enum Account {
    /// The bucket is not part of an account.
    None,
    /// The value of `repoN-azure-account` in `global`.
    Known(String),
    /// The account is in files of the user: the namespace and the sources of these files, and the number of the repository.
    InFiles(String, Vec<VolumeProjection>, u8),
}

/// The options and files that belong to a repository.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// `global`.
    pub global: &'a BTreeMap<String, String>,
    /// `configuration`: files of the user, for example with the name of an account.
    pub configuration: &'a [VolumeProjection],
    /// The namespace of these files.
    pub namespace: &'a str,
}

/// How much is known about two places that can be the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sameness {
    /// They are the same.
    Certain,
    /// They are the same unless this is true.
    Unless(&'static str),
}

impl Sameness {
    /// An error if the places are the same, or a warning if they can be the same. `what` is in it.
    fn diagnostic(self, what: &str, message: &str) -> Diagnostic {
        match self {
            Self::Certain => Diagnostic::error(format!("{what} the same place, {message}")),
            Self::Unless(condition) => {
                Diagnostic::warning(format!("{what} the same place (unless {condition}), {message}"))
            }
        }
    }
}

impl Place {
    /// The place of a repository; `None` if it is on a volume, which belongs to one cluster.
    pub fn of(repository: &Repository, settings: Settings) -> Option<Self> {
        let name = repository.name();
        // An option in `global` replaces the value in `repos`, and pgBackRest still reads the old names of the options.
        let option = |names: &[&str]| {
            let mut values = names.iter().filter_map(|rest| settings.global.get(&format!("{name}-{rest}")));
            values.next().map(String::as_str)
        };
        let (storage, port) = match &repository.storage {
            Storage::Azure { .. } => (option(&["storage-host", "azure-host"]), option(&["storage-port", "azure-port"])),
            Storage::S3 { .. } => (option(&["storage-host", "s3-host"]), option(&["storage-port", "s3-port"])),
            // pgBackRest does not read these options for Google Cloud Storage (`storage/gcs/helper.c`).
            Storage::Gcs { .. } => (None, None),
            Storage::Volume(_) => return None,
        };
        let mut account = Account::None;
        let (endpoint, container) = match &repository.storage {
            Storage::S3 { bucket, endpoint, .. } => {
                (option(&["s3-endpoint"]).unwrap_or(endpoint), option(&["s3-bucket"]).unwrap_or(bucket))
            }
            Storage::Gcs { bucket } => (
                option(&["gcs-endpoint"]).unwrap_or("storage.googleapis.com"),
                option(&["gcs-bucket"]).unwrap_or(bucket),
            ),
            Storage::Azure { container } => {
                account = option(&["azure-account"]).map_or_else(
                    || {
                        let files = settings.configuration.to_vec();
                        Account::InFiles(settings.namespace.to_owned(), files, repository.index)
                    },
                    |account| Account::Known(account.to_owned()),
                );
                (
                    option(&["azure-endpoint"]).unwrap_or("blob.core.windows.net"),
                    option(&["azure-container"]).unwrap_or(container),
                )
            }
            Storage::Volume(_) => return None,
        };
        let path = option(&["path"]).map_or_else(|| format!("/pgbackrest/{name}"), str::to_owned);
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        Some(Self {
            within: (container.to_owned(), parts.join("/")),
            endpoint: Server::of(endpoint, port),
            connected: Server::of(storage.unwrap_or(endpoint), port),
            account,
        })
    }

    /// Whether two places are the same; `None` if they are different.
    fn compare(&self, other: &Self) -> Option<Sameness> {
        if self.within != other.within {
            return None;
        }
        let account = match (&self.account, &other.account) {
            (one, another) if one == another => Sameness::Certain,
            (Account::Known(_), Account::Known(_)) | (Account::None, _) | (_, Account::None) => return None,
            _ => Sameness::Unless("the files with credentials name different Azure accounts"),
        };
        match (self.endpoint == other.endpoint, self.connected == other.connected) {
            (true, true) => Some(account),
            (false, false) => None,
            _ => Some(Sameness::Unless("`repoN-storage-host` or `repoN-storage-port` leads to another server")),
        }
    }

    /// The position of the repository of `backups` that is in this place, or can be, if there is one. `namespace` is that of its
    /// cluster.
    fn position(&self, backups: &Backups, namespace: &str) -> Option<(usize, Sameness)> {
        let settings = Settings { global: &backups.global, configuration: &backups.configuration, namespace };
        let places = backups.repositories.iter().map(|repository| Self::of(repository, settings));
        first(places.enumerate().filter_map(|(index, place)| Some((index, self.compare(&place?)?))))
    }
}

/// Returns the first one that is certain, or else the first one.
fn first<T>(found: impl Iterator<Item = (T, Sameness)>) -> Option<(T, Sameness)> {
    let mut possible = None;
    for (at, sameness) in found {
        if sameness == Sameness::Certain {
            return Some((at, sameness));
        }
        possible = possible.or(Some((at, sameness)));
    }
    possible
}

/// Reports repositories of one cluster that are in the same place. `path` is that of `repos`.
pub(crate) fn check_own(repositories: &[Repository], settings: Settings, path: &FieldPath, context: &mut Context) {
    let mut places: Vec<(usize, Place)> = Vec::new();
    for (index, repository) in repositories.iter().enumerate() {
        let Some(place) = Place::of(repository, settings) else { continue };
        if let Some((other, sameness)) = first(places.iter().filter_map(|(at, one)| Some((*at, one.compare(&place)?))))
        {
            let message = format!(
                "and each of the two repositories would delete the backups and the WAL that only the other one needs: write \
                 another `{}-path` in `spec.backups.pgbackrest.global`",
                repository.name()
            );
            context.add(sameness.diagnostic(&format!("`repos[{other}]` is"), &message).at(path.index(index)));
        }
        places.push((index, place));
    }
}

/// Reports a data source, whose repository is at `path`, in the same place as a repository of the cluster itself.
pub(crate) fn check_source(
    repository: &Repository,
    settings: Settings,
    backups: &Backups,
    path: &FieldPath,
    context: &mut Context,
) {
    let place = Place::of(repository, settings);
    if let Some((index, sameness)) = place.and_then(|place| place.position(backups, settings.namespace)) {
        let what = format!("`spec.backups.pgbackrest.repos[{index}]` is");
        let message = "and two clusters must not archive to it: give this cluster another `repoN-path` in \
                       `spec.backups.pgbackrest.global`";
        context.add(sameness.diagnostic(&what, message).at(path.clone()));
    }
}

/// The places that clusters of one input archive into, each with its cluster. Only those with one container and path can be the
/// same.
#[derive(Default)]
pub(crate) struct Places<'a>(BTreeMap<(String, String), Vec<(Place, &'a ResourceRef)>>);

impl<'a> Places<'a> {
    /// Adds the places of a cluster. Gives an error or a warning for each that an earlier cluster has. A standby cluster does not
    /// archive, and uses the place of the cluster that it follows.
    pub(crate) fn add(&mut self, resource: &'a ResourceRef, cluster: &Cluster) -> Vec<Diagnostic> {
        let Some(backups) = cluster.backups.as_ref().filter(|_| cluster.standby.is_none()) else { return Vec::new() };
        let mut found = Vec::new();
        let settings =
            Settings { global: &backups.global, configuration: &backups.configuration, namespace: &cluster.namespace };
        for (index, repository) in backups.repositories.iter().enumerate() {
            let Some(place) = Place::of(repository, settings) else { continue };
            let there = self.0.entry(place.within.clone()).or_default();
            let others = there.iter().filter(|(_, other)| *other != resource);
            let same = first(others.filter_map(|(other, resource)| Some((*resource, place.compare(other)?))));
            if let Some((other, sameness)) = same {
                let message = format!(
                    "and would damage these backups: give one of them another `{}-path` in `spec.backups.pgbackrest.global`",
                    repository.name()
                );
                let path = FieldPath::of("spec.backups.pgbackrest.repos").index(index);
                found.push(sameness.diagnostic(&format!("`{other}` archives into"), &message).at(path));
            }
            if same.is_none_or(|(_, sameness)| sameness != Sameness::Certain) {
                there.push((place, resource));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::SecretProjection;

    /// A place of `repo{index}` in a storage, with options of `global` without their `repoN-`, and files of a Secret.
    fn place(index: u8, storage: Storage, options: &[(&str, &str)], secret: &str) -> Place {
        let repository = Repository { index, storage, schedules: Vec::new() };
        let global = options.iter().map(|(rest, value)| (format!("repo{index}-{rest}"), (*value).to_owned()));
        let secret = SecretProjection { name: secret.to_owned(), ..SecretProjection::default() };
        let configuration = [VolumeProjection { secret: Some(secret), ..VolumeProjection::default() }];
        let settings = Settings { global: &global.collect(), configuration: &configuration, namespace: "zoo" };
        Place::of(&repository, settings).unwrap()
    }

    fn s3(endpoint: &str, options: &[(&str, &str)]) -> Place {
        let storage = Storage::S3 { bucket: "b".to_owned(), endpoint: endpoint.to_owned(), region: "r".to_owned() };
        place(1, storage, options, "s")
    }

    fn gcs(options: &[(&str, &str)]) -> Place {
        place(1, Storage::Gcs { bucket: "b".to_owned() }, options, "s")
    }

    fn azure(index: u8, options: &[(&str, &str)], secret: &str) -> Place {
        place(index, Storage::Azure { container: "b".to_owned() }, options, secret)
    }

    #[test]
    fn one_place_in_other_words_is_the_same() {
        for (one, another) in [
            (s3("s3.example.com", &[]), s3("https://S3.Example.com.:443/", &[("path", "/pgbackrest/repo1/")])),
            (s3("s3.example.com", &[]), s3("x", &[("s3-endpoint", "s3.example.com"), ("s3-uri-style", "path")])),
            (s3("s3.example.com", &[]), s3("s3.example.com:9000", &[("storage-port", "443")])),
            (s3("s3.example.com", &[]), s3("s3.example.com", &[("storage-host", "https://s3.example.com")])),
            (s3("s3.amazonaws.com", &[]), s3("s3.dualstack.eu-west-1.amazonaws.com", &[])),
            (s3("storage.googleapis.com", &[]), gcs(&[])),
            (gcs(&[]), gcs(&[("gcs-endpoint", "https://storage.googleapis.com"), ("storage-host", "x")])),
            (azure(1, &[], "s"), azure(1, &[("azure-endpoint", "blob.core.windows.net")], "s")),
            (azure(1, &[("azure-account", "a")], "s"), azure(1, &[("azure-account", "a")], "t")),
        ] {
            for (one, another) in [(&one, &another), (&another, &one)] {
                assert_eq!(one.compare(another), Some(Sameness::Certain), "{one:?} {another:?}");
            }
        }
    }

    #[test]
    fn what_can_be_the_same_is_not_certain() {
        for (one, another) in [
            (s3("s3.example.com", &[]), s3("s3.example.com", &[("storage-host", "10.0.0.1")])),
            (s3("s3.example.com", &[]), s3("other.example.com", &[("s3-host", "s3.example.com")])),
            (azure(1, &[], "s"), azure(1, &[], "t")),
            (azure(1, &[], "s"), azure(2, &[("path", "/pgbackrest/repo1")], "s")),
            (azure(1, &[], "s"), azure(1, &[("azure-account", "a")], "s")),
        ] {
            for (one, another) in [(&one, &another), (&another, &one)] {
                assert!(matches!(one.compare(another), Some(Sameness::Unless(_))), "{one:?} {another:?}");
            }
        }
    }

    #[test]
    fn different_places_are_different() {
        for (one, another) in [
            (s3("s3.example.com", &[]), s3("s3.example.com:9000", &[])),
            (s3("s3.example.com", &[]), s3("s3.example.org", &[])),
            (s3("s3.example.com", &[]), s3("s3.example.com", &[("path", "/x")])),
            (s3("s3.example.com", &[]), s3("s3.example.com", &[("s3-bucket", "x")])),
            (s3("s3.eu-west-1.amazonaws.com", &[]), s3("s3.cn-north-1.amazonaws.com.cn", &[])),
            (s3("s3.eu-west-1.amazonaws.com", &[]), s3("s3.us-gov-west-1.amazonaws.com", &[])),
            (s3("blob.core.windows.net", &[]), azure(1, &[], "s")),
            (azure(1, &[("azure-account", "a")], "s"), azure(1, &[("azure-account", "b")], "s")),
            (azure(1, &[], "s"), azure(1, &[("azure-endpoint", "blob.core.chinacloudapi.cn")], "s")),
        ] {
            assert_eq!(one.compare(&another), None, "{one:?} {another:?}");
        }
    }
}
