//! The shell scripts that run in pods as the commands of containers. The text of a script is constant. What differs between
//! clusters is passed as arguments, so no value is ever inserted into shell code.

use crate::naming::{EXPORTER_PORT, STANZA};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::collector::model::Collector;
use crate::postgres_cluster::directories::{program_directories, wal_directory};
use crate::postgres_cluster::exporter::files;
use crate::postgres_cluster::exporter::model::Exporter;
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::{pgbackrest, postgres};

/// The directory of the passwd and group files for nss_wrapper, in every container that needs them.
pub const NSS_WRAPPER_DIRECTORY: &str = "/tmp/nss_wrapper/postgres";

/// The directory of pgBouncer's configuration in its pods.
pub const PGBOUNCER_DIRECTORY: &str = "/etc/pgbouncer";

/// The size at which a log of pgBackRest or pgBouncer is set aside. There are at most two files of each log.
const MOST_BYTES: u32 = 16 * 1024 * 1024;

/// Init container of instances: prepares the volumes, and checks that the image and the data match the cluster. It needs the
/// variable `PGDATA`.
pub fn postgres_startup(cluster: &Cluster, set: &InstanceSet) -> Vec<String> {
    let log_directory = postgres::configuration::parameters(cluster).remove("log_directory").unwrap_or_default();
    bash(
        include_str!("scripts/postgres-startup.sh"),
        "postgres-startup",
        [
            cluster.postgres_version.to_string(),
            wal_directory(cluster, set),
            log_directory,
            pgbackrest::configuration::instance_log_directory(cluster),
            program_directories(cluster.postgres_version).join(":"),
        ],
    )
}

/// Init container of instances, the repo host and backup pods: gives the user of the pod the name `postgres`.
pub fn nss_wrapper() -> Vec<String> {
    bash(include_str!("scripts/nss-wrapper.sh"), "nss-wrapper", [NSS_WRAPPER_DIRECTORY.to_owned()])
}

/// Sidecar of the repo host: reloads pgBackRest's server when its files change, and takes the first backup of each repository
/// on a volume and backups on demand.
pub fn pgbackrest_config(backups: &Backups) -> Vec<String> {
    let files = [
        STANZA,
        pgbackrest::configuration::SERVER_CERTIFICATE_DIRECTORY,
        pgbackrest::configuration::CA_FILE,
        pgbackrest::configuration::SERVER_CONF_FILE,
        pgbackrest::configuration::MANUAL_BACKUP_FILE,
        pgbackrest::configuration::REPOSITORIES_DIRECTORY,
        pgbackrest::manual_options::ANNOTATION,
    ];
    let repositories = backups.volume_repositories().map(|repository| repository.index.to_string());
    bash(
        include_str!("scripts/pgbackrest-config.sh"),
        "pgbackrest-config",
        files.map(str::to_owned).into_iter().chain(repositories),
    )
}

/// `preStop` hook of the repo host's server: waits until instances that stop at the same time have archived their WAL.
pub fn repo_host_pre_stop() -> Vec<String> {
    bash(
        include_str!("scripts/repo-host-pre-stop.sh"),
        "repo-host-pre-stop",
        [pgbackrest::configuration::REPO_CONF_FILE.to_owned()],
    )
}

/// Init container of the repo host: creates the directory of pgBackRest's logs.
pub fn repo_log_directory(directory: &str) -> Vec<String> {
    bash(include_str!("scripts/repo-log-directory.sh"), "repo-log-directory", [directory.to_owned()])
}

/// Sidecar of pgBouncer: reloads pgBouncer when its files change.
pub fn pgbouncer_config() -> Vec<String> {
    bash(include_str!("scripts/pgbouncer-config.sh"), "pgbouncer-config", [PGBOUNCER_DIRECTORY.to_owned()])
}

/// Container `exporter`: runs `postgres_exporter`. The images of others have no bash.
pub fn exporter(cluster: &Cluster, exporter: &Exporter) -> Vec<String> {
    let web_file = exporter.custom_tls_secret.as_ref().map_or("", |_| files::WEB_FILE);
    let collectors = if exporter.built_in_collectors { "on" } else { "off" };
    let arguments = [files::QUERIES_DIRECTORY, files::PASSWORD_FILE, web_file, collectors].map(str::to_owned);
    let numbers = [EXPORTER_PORT, cluster.postgres_version].map(|number| number.to_string());
    command("sh", include_str!("scripts/exporter.sh"), "exporter", arguments.into_iter().chain(numbers))
}

/// Container `collector`: runs the OpenTelemetry collector with the configuration in `directory` and the user's files in `files`. If
/// it runs queries, the password of their role is in the file `password`.
pub fn collector(directory: &str, files: &str, password: Option<&str>) -> Vec<String> {
    let arguments = [directory, files].into_iter().chain(password).map(str::to_owned);
    command("sh", include_str!("scripts/collector.sh"), "collector", arguments)
}

/// `command`, which is the command of a container, and meanwhile the logs in `directory` are rotated.
pub(crate) fn with_rotation(collector: &Collector, directory: &str, command: Vec<String>) -> Vec<String> {
    let minutes = u64::from(collector.retention_hours) * 60;
    let arguments = [directory.to_owned(), MOST_BYTES.to_string(), minutes.to_string()];
    let rotation = bash(include_str!("scripts/rotate-logs.sh"), "rotate-logs", arguments);
    rotation.into_iter().chain(command).collect()
}

/// `bash -c -- <script> <name> <argument>...`. The script calls itself `name` in its messages.
fn bash(script: &str, name: &str, arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    command("bash", script, name, arguments)
}

/// The same with another shell.
fn command(shell: &str, script: &str, name: &str, arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let words = [shell, "-c", "--", script, name].map(str::to_owned);
    words.into_iter().chain(arguments.into_iter().map(|argument| literal(&argument))).collect()
}

/// `text` for use as a word of a container's command, or as the value of a variable. The kubelet replaces `$(NAME)` there by
/// the value of a variable, and `$$` by `$` (Kubernetes' `third_party/forked/golang/expansion`), so each `$` is doubled.
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
