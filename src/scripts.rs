//! The shell scripts that run in pods, each as the command of its container. The text of a script is constant: what
//! differs between clusters are its arguments, so nothing is ever spliced into shell code.

use crate::cluster::{Backups, Cluster, InstanceSet};
use crate::config::{pgbackrest, postgres, wal_directory};
use crate::naming::STANZA;

/// Where the passwd and group files for nss_wrapper are, in every container that needs them.
pub const NSS_WRAPPER_DIRECTORY: &str = "/tmp/nss_wrapper/postgres";

/// The directory of pgBouncer's configuration in its pods.
pub const PGBOUNCER_DIRECTORY: &str = "/etc/pgbouncer";

/// Init container of instances: prepares the volumes and checks that image and data fit the cluster. It needs `PGDATA`.
pub fn postgres_startup(cluster: &Cluster, set: &InstanceSet) -> Vec<String> {
    let log_directory = postgres::parameters(cluster).remove("log_directory").unwrap_or_default();
    bash(
        include_str!("scripts/postgres-startup.sh"),
        "postgres-startup",
        [
            cluster.postgres_version.to_string(),
            wal_directory(cluster, set),
            log_directory,
            pgbackrest::instance_log_directory(cluster),
        ],
    )
}

/// Init container of instances, the repo host and backups: gives the pod's user the name `postgres`.
pub fn nss_wrapper() -> Vec<String> {
    bash(include_str!("scripts/nss-wrapper.sh"), "nss-wrapper", [NSS_WRAPPER_DIRECTORY.to_owned()])
}

/// Sidecar of the repo host: reloads pgBackRest's server, and takes the first backup of each volume repository.
pub fn pgbackrest_config(backups: &Backups) -> Vec<String> {
    let files = [STANZA, pgbackrest::SERVER_CERTIFICATE_DIRECTORY, pgbackrest::CA_FILE, pgbackrest::SERVER_CONF_FILE];
    let repositories = backups.volume_repositories().map(|repository| repository.index.to_string());
    bash(
        include_str!("scripts/pgbackrest-config.sh"),
        "pgbackrest-config",
        files.map(str::to_owned).into_iter().chain(repositories),
    )
}

/// `preStop` of the repo host's server: lets instances that stop with it archive to the end.
pub fn repo_host_pre_stop() -> Vec<String> {
    bash(include_str!("scripts/repo-host-pre-stop.sh"), "repo-host-pre-stop", [pgbackrest::REPO_CONF_FILE.to_owned()])
}

/// Init container of the repo host: makes the directory of pgBackRest's logs.
pub fn repo_log_directory(directory: &str) -> Vec<String> {
    bash(include_str!("scripts/repo-log-directory.sh"), "repo-log-directory", [directory.to_owned()])
}

/// Sidecar of pgBouncer: reloads it.
pub fn pgbouncer_config() -> Vec<String> {
    bash(include_str!("scripts/pgbouncer-config.sh"), "pgbouncer-config", [PGBOUNCER_DIRECTORY.to_owned()])
}

/// `bash -c -- <script> <name> <argument>...`; the name is what the script is called in its own messages.
fn bash(script: &str, name: &str, arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let words = ["bash", "-c", "--", script, name].map(str::to_owned);
    words.into_iter().chain(arguments.into_iter().map(|argument| literal(&argument))).collect()
}

/// `text` as a word of a container's command, or as the value of a variable: the kubelet puts the values of variables in the
/// place of `$(NAME)` there, and one `$` in the place of two (Kubernetes' `third_party/forked/golang/expansion`).
pub fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn the_kubelet_finds_no_variable_in_an_argument() {
        assert_eq!(literal("/volumes/$(PGDATA)/$$"), "/volumes/$$(PGDATA)/$$$$");
    }
}
