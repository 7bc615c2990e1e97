//! pgBackRest's configuration (PGO's `internal/pgbackrest/config.go`): one file for instances, one for the repo host and one
//! for backups to object storage. They differ in what is local: Postgres or the repositories.

use super::model::{Backups, Repository, Storage};
use crate::naming::STANZA;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::configuration_file::{Options, file, options};
use crate::postgres_cluster::directories::{clean_path, data_directory};

/// The file with the CA of pgBackRest's servers and clients, in every container that runs pgBackRest.
pub const CA_FILE: &str = "/etc/pgbackrest/conf.d/~postgres-operator/tls-ca.crt";
/// The directory with the certificate and the key of a pgBackRest server.
pub const SERVER_CERTIFICATE_DIRECTORY: &str = "/etc/pgbackrest/server";
/// The path at which [`server_conf`] is mounted.
pub const SERVER_CONF_FILE: &str = "/etc/pgbackrest/conf.d/~postgres-operator_server.conf";
/// The path at which [`repo_conf`] is mounted.
pub const REPO_CONF_FILE: &str = "/etc/pgbackrest/conf.d/pgbackrest_repo.conf";

/// The key and the file of [`manual_backup`]. pgBackRest reads only files whose name ends in `.conf`.
pub const MANUAL_BACKUP: &str = "manual-backup";
/// The path at which [`manual_backup`] is mounted.
pub const MANUAL_BACKUP_FILE: &str = "/etc/pgbackrest/conf.d/manual-backup";
/// The directory in which each repository on a volume is mounted.
pub const REPOSITORIES_DIRECTORY: &str = "/pgbackrest";

const CLIENT_CERTIFICATE_FILE: &str = "/etc/pgbackrest/conf.d/~postgres-operator/client-tls.crt";
const CLIENT_KEY_FILE: &str = "/etc/pgbackrest/conf.d/~postgres-operator/client-tls.key";

/// Returns `pgbackrest_instance.conf`: Postgres is local, and repositories on volumes are on the repo host.
pub fn instance_conf(cluster: &Cluster, backups: &Backups) -> String {
    let mut global = options([
        ("archive-async", "y"),
        ("log-path", &instance_log_directory(cluster)),
        ("spool-path", "/pgdata/pgbackrest-spool"),
        // The instance itself takes the first backup to object storage.
        ("start-fast", "y"),
    ]);
    let repo_host = cluster.pod_host(&cluster.repo_host_pod());
    for repository in &backups.repositories {
        global.extend(repository_options(repository));
        if let Storage::Volume(_) = repository.storage {
            let prefix = repository.name();
            global.extend(tls_host_options(&prefix, &repo_host));
            global.insert(format!("{prefix}-host-user"), "postgres".to_owned());
        }
    }
    global.extend(backups.global.clone());
    file(&[("global", &global), (STANZA, &postgres_options(cluster, 1))])
}

/// Returns `pgbackrest_repo.conf` for the repo host: repositories are local, and Postgres is on the instances.
pub fn repo_conf(cluster: &Cluster, backups: &Backups) -> String {
    let repositories = backups.repositories.iter();
    remote_conf(cluster, backups, repositories, repo_host_log_directory(backups))
}

/// Returns `pgbackrest_cloud.conf` for backup pods that need no repo host: it has only the repositories in object storage.
pub fn cloud_conf(cluster: &Cluster, backups: &Backups) -> String {
    let repositories =
        backups.repositories.iter().filter(|repository| !matches!(repository.storage, Storage::Volume(_)));
    remote_conf(cluster, backups, repositories, cloud_log_directory(backups))
}

/// Returns `pgbackrest-server.conf`: which clients the TLS servers in instances and repo host accept, and how they log.
pub fn server_conf(cluster: &Cluster, backups: &Backups) -> String {
    let global = options([
        ("tls-server-address", if backups.listen_ipv6 { "::" } else { "0.0.0.0" }),
        ("tls-server-auth", &format!("{}=*", cluster.pgbackrest_client_name())),
        ("tls-server-ca-file", CA_FILE),
        ("tls-server-cert-file", &format!("{SERVER_CERTIFICATE_DIRECTORY}/server-tls.crt")),
        ("tls-server-key-file", &format!("{SERVER_CERTIFICATE_DIRECTORY}/server-tls.key")),
    ]);
    let server = options([
        ("log-level-console", "detail"),
        ("log-level-file", "off"),
        ("log-level-stderr", "error"),
        ("log-timestamp", "n"),
    ]);
    file(&[("global", &global), ("global:server", &server)])
}

/// Returns `manual-backup`, which the repo host reads: the value of the annotation, the number of the repository, and the options,
/// each in a line. It is empty if the repo host has nothing to do.
pub fn manual_backup(cluster: &Cluster, backups: &Backups) -> String {
    let Some(manual) = backups.manual_backup(true).filter(|_| !cluster.paused) else { return String::new() };
    let repository = manual.repository.to_string();
    let lines = [&manual.trigger, &repository].into_iter().chain(&manual.options);
    lines.flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// Returns `config-hash`. It changes only if the location of a repository in object storage changes (PGO's
/// `CalculateConfigHashes`).
pub fn config_hash(backups: &Backups) -> String {
    let mut repositories: Vec<_> = backups.repositories.iter().collect();
    repositories.sort_by_key(|repository| repository.index);
    let hashes = repositories.into_iter().filter_map(|repository| match &repository.storage {
        Storage::Volume(_) => None,
        Storage::S3 { bucket, endpoint, region } => Some(safe_hash(&format!("{bucket}{endpoint}{region}"))),
        Storage::Gcs { bucket } => Some(safe_hash(bucket)),
        Storage::Azure { container } => Some(safe_hash(container)),
    });
    safe_hash(&hashes.collect::<String>())
}

/// Returns the directory of pgBackRest's logs in instances: that of the user, or `/pgdata/pgbackrest/log`.
pub fn instance_log_directory(cluster: &Cluster) -> String {
    let users = cluster.backups.as_ref().and_then(|backups| backups.log_path.as_deref());
    users.map_or_else(|| "/pgdata/pgbackrest/log".to_owned(), clean_path)
}

/// Returns the directory of pgBackRest's logs in pods that back up to object storage, if the user sets one.
pub fn cloud_log_directory(backups: &Backups) -> Option<String> {
    backups.jobs.log_path.as_deref().map(clean_path)
}

/// Returns the directory of pgBackRest's logs on the repo host: that of the user, or one on the first volume repository. `None`
/// if there is no repo host.
pub fn repo_host_log_directory(backups: &Backups) -> Option<String> {
    let first = backups.volume_repositories().next()?;
    let default = || format!("/pgbackrest/{}/log", first.name());
    Some(backups.repo_host.log_path.as_deref().map_or_else(default, clean_path))
}

/// Returns a file for a host without Postgres, which connects to every instance over TLS.
fn remote_conf<'a>(
    cluster: &Cluster,
    backups: &Backups,
    repositories: impl Iterator<Item = &'a Repository>,
    log_directory: Option<String>,
) -> String {
    let mut global = options([("start-fast", "y")]);
    match log_directory {
        Some(directory) => global.insert("log-path".to_owned(), directory),
        None => global.insert("log-level-file".to_owned(), "off".to_owned()),
    };
    for repository in repositories {
        global.extend(repository_options(repository));
    }
    global.extend(backups.global.clone());

    let mut stanza = Options::new();
    for (instance, number) in instances(cluster).zip(1..) {
        stanza.extend(postgres_options(cluster, number));
        stanza.extend(tls_host_options(&format!("pg{number}"), &cluster.pod_host(&instance)));
    }
    file(&[("global", &global), (STANZA, &stanza)])
}

/// Returns every instance, in the order of the sets and their ordinals.
fn instances(cluster: &Cluster) -> impl Iterator<Item = String> {
    cluster
        .instance_sets
        .iter()
        .flat_map(move |set| (0..set.replicas).map(move |ordinal| cluster.instance(set, ordinal)))
}

/// Returns the options for the location of a repository. Credentials of object storage are only in files of the user.
pub(crate) fn repository_options(repository: &Repository) -> Options {
    let name = repository.name();
    let option = |option: &str, value: &str| (format!("{name}-{option}"), value.to_owned());
    let mut options = Options::from([option("path", &format!("/pgbackrest/{name}"))]);
    match &repository.storage {
        Storage::Volume(_) => {}
        Storage::S3 { bucket, endpoint, region } => options.extend([
            option("type", "s3"),
            option("s3-bucket", bucket),
            option("s3-endpoint", endpoint),
            option("s3-region", region),
        ]),
        Storage::Gcs { bucket } => options.extend([option("type", "gcs"), option("gcs-bucket", bucket)]),
        Storage::Azure { container } => {
            options.extend([option("type", "azure"), option("azure-container", container)]);
        }
    }
    options
}

/// Returns the options for the location of Postgres on its own host.
fn postgres_options(cluster: &Cluster, number: u32) -> Options {
    options([
        (&format!("pg{number}-path"), &data_directory(cluster)),
        (&format!("pg{number}-port"), &cluster.port.to_string()),
        (&format!("pg{number}-socket-path"), crate::postgres_cluster::postgres::configuration::SOCKET_DIRECTORY),
    ])
}

/// Returns the options to connect to the pgBackRest server on `host`. `prefix` is `repo<n>` or `pg<n>`.
fn tls_host_options(prefix: &str, host: &str) -> Options {
    options([
        (&format!("{prefix}-host"), host),
        (&format!("{prefix}-host-ca-file"), CA_FILE),
        (&format!("{prefix}-host-cert-file"), CLIENT_CERTIFICATE_FILE),
        (&format!("{prefix}-host-key-file"), CLIENT_KEY_FILE),
        (&format!("{prefix}-host-type"), "tls"),
    ])
}

/// PGO's short hash: FNV-1 (32 bits) in decimal, whose digits are replaced by characters that cannot spell words (Kubernetes'
/// `rand.SafeEncodeString`).
fn safe_hash(text: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let hash = text.bytes().fold(2_166_136_261_u32, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(byte));
    hash.to_string().bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::safe_hash;

    /// Values that a running PGO wrote: the hash of an empty text, and suffixes of instance names.
    #[test]
    fn the_short_hash_is_pgos() {
        assert_eq!(safe_hash(""), "65bb57b6b5");
        assert_eq!(&safe_hash("hippoinstance1")[..4], "79ff");
        assert_eq!(&safe_hash("hippo00")[..4], "78d4");
    }
}
