//! The directories of Postgres in the containers of an instance.

use crate::postgres_cluster::cluster::{Cluster, InstanceSet};

/// Where the programs of Postgres may be in an image. Their directory depends on the distribution: Debian, Alpine, and the
/// packages of the PostgreSQL project for Red Hat.
pub fn program_directories(postgres_version: u16) -> [String; 3] {
    let version = postgres_version;
    [
        format!("/usr/lib/postgresql/{version}/bin"),
        format!("/usr/libexec/postgresql{version}"),
        format!("/usr/pgsql-{version}/bin"),
    ]
}

/// The data directory of Postgres in every instance: `/pgdata/pg<version>`.
pub fn data_directory(cluster: &Cluster) -> String {
    data_directory_of(cluster.postgres_version)
}

/// The data directory of Postgres of a version.
pub(crate) fn data_directory_of(postgres_version: u16) -> String {
    format!("/pgdata/pg{postgres_version}")
}

/// Returns the directory of an instance set's write-ahead log: beside the data directory, or on a WAL volume if there is one.
/// It is never inside the data directory, so that a WAL volume can be added and removed later.
pub fn wal_directory(cluster: &Cluster, set: &InstanceSet) -> String {
    let volume = if set.wal_volume_claim_spec.is_some() { "/pgwal" } else { "/pgdata" };
    format!("{volume}/pg{}_wal", cluster.postgres_version)
}

/// Returns `path` in its shortest form: without `.`, `..` and empty parts. A relative path cannot leave the directory where it
/// starts. The empty path stays empty.
///
/// These are paths in pods, so the rules of POSIX apply on every machine. `std::path` does not guarantee that.
pub(crate) fn clean_path(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::clean_path;

    #[test]
    fn a_clean_path_has_no_detours() {
        for (path, clean) in [
            ("/a//b/./c/", "/a/b/c"),
            ("/a/../../b", "/b"),
            ("../../log", "log"),
            ("a/../..", ""),
            (".", ""),
            ("//", "/"),
        ] {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }
}
