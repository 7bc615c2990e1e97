//! Postgres' own settings: parameters, and the lines of `pg_hba.conf` and `pg_ident.conf` (PGO's `internal/postgres`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use super::hba::hba;
pub use super::hba_order::unreached;
pub use super::hba_password::holds_password;
pub use super::hba_rule::Rule;
pub use super::hba_text::{check_hba_text, check_ident_text, hba_text};
pub use super::ident::{ident, is_ours};
pub use super::log_directory::{LogDirectory, log_directory};
use super::logging;
use crate::naming::STANZA;
use crate::postgres_cluster::cluster::{Cluster, Standby};

/// The directory of Postgres' socket.
pub const SOCKET_DIRECTORY: &str = "/tmp/postgres";

/// The directory in the container of Postgres with [`ARCHIVE_GET`], [`ARCHIVE_PUSH`] and the other files that belong to them.
pub const SCRIPT_DIRECTORY: &str = "/etc/pgrender";

/// The directory with a file for each timeline of this cluster that its source does not have. The caretaker creates it before it
/// lets Patroni promote a standby cluster (`caretaker/standby.py`).
const USED_TIMELINES: &str = "/tmp/used-timelines";

/// The script that runs the `restore_command`: the name of its file, and its text.
pub const ARCHIVE_GET: (&str, &str) = ("archive-get.sh", include_str!("../scripts/archive-get.sh"));

/// The script that runs the `archive_command`: the name of its file, and its text.
pub const ARCHIVE_PUSH: (&str, &str) = ("archive-push.sh", include_str!("../scripts/archive-push.sh"));

/// Returns every parameter that Patroni gets, with names in lower case.
///
/// There are four layers, and a later one overrides an earlier one: defaults, the user's `patroni.dynamicConfiguration`, the
/// user's `config.parameters`, and the parameters that the cluster needs. Libraries to preload are a list, so the user's
/// libraries are appended to those of pgrender.
pub fn parameters(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut parameters = owned(&[
        ("archive_timeout", "60s"),
        ("huge_pages", if cluster.postgres.huge_pages { "try" } else { "off" }),
        ("jit", "off"),
        ("log_directory", super::log_directory::DEFAULT),
        ("password_encryption", "scram-sha-256"),
    ]);
    parameters.extend(dynamic_parameters(&cluster.patroni.dynamic_configuration));
    parameters.extend(cluster.postgres.parameters.clone());
    let libraries = preload_libraries(cluster, parameters.get("shared_preload_libraries"));
    parameters.extend(fixed(cluster));
    parameters.insert("shared_preload_libraries".to_owned(), libraries);
    if let Some(value) = parameters.get_mut("log_directory") {
        *value = log_directory(cluster.postgres_version, value).path;
    }
    parameters
}

/// Returns the parameters that the user cannot change: replicas, TLS, pgBackRest, the exporter and the collector depend on them.
pub fn fixed(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut parameters = owned(&[
        // It is on even without backups, because turning it on later would need a restart.
        ("archive_mode", "on"),
        ("log_file_mode", "0660"),
        ("ssl", "on"),
        ("ssl_ca_file", "/pgconf/tls/ca.crt"),
        ("ssl_cert_file", "/pgconf/tls/tls.crt"),
        ("ssl_key_file", "/pgconf/tls/tls.key"),
        ("unix_socket_directories", SOCKET_DIRECTORY),
        ("wal_level", "logical"),
    ]);
    let archive_command = match cluster.backups {
        Some(_) => in_time(ARCHIVE_PUSH, &format!(r#"pgbackrest --stanza={STANZA} archive-push "%p""#)),
        None => "true".to_owned(),
    };
    parameters.insert("archive_command".to_owned(), archive_command);
    parameters.insert("restore_command".to_owned(), restore_command(cluster));
    if let Some(collector) = &cluster.collector {
        parameters.extend(owned(&logging::parameters(cluster.postgres_version, collector)));
    }
    parameters
}

/// Returns the command with which a replica or a standby cluster fetches a WAL file from the archive.
///
/// A standby cluster that only streams does not ask its own archive, which may have WAL from a time when it was a primary: it
/// would follow that timeline instead of its source. But when it is promoted, Postgres asks which timelines exist, and must not
/// choose the number of such a timeline. An empty history says that the timeline exists, and that it cannot be followed.
fn restore_command(cluster: &Cluster) -> String {
    let command = in_time(ARCHIVE_GET, &format!(r#"pgbackrest --stanza={STANZA} archive-get %f "%p""#));
    match &cluster.standby {
        None => command,
        Some(Standby { repository: Some(repository), .. }) => format!("{command} --repo={repository}"),
        Some(_) => format!(r#"test -e {USED_TIMELINES}/%f && : > "%p""#),
    }
}

/// Returns a command for the archive that runs in a script with a time limit, so that Postgres does not wait too long. A pod
/// from before the script existed runs the command without it: such a pod gets the new configuration before it is recreated.
fn in_time((script, _): (&str, &str), command: &str) -> String {
    let script = format!("{SCRIPT_DIRECTORY}/{script}");
    format!("$(test -e {script} && echo bash {script}) {command}")
}

/// Returns `shared_preload_libraries`: the libraries of pgrender, then those of the user. Citus must be the first of all.
/// Postgres does not start if a library is missing. So of the libraries that PGO loads for its exporter, only the one that
/// comes with Postgres is here; pgnodemx is not in every image.
fn preload_libraries(cluster: &Cluster, users: Option<&String>) -> String {
    let ours = if cluster.exporter.is_some() { "pgaudit,pg_stat_statements" } else { "pgaudit" };
    let libraries = match users {
        Some(users) if !users.is_empty() => format!("{ours},{users}"),
        _ => ours.to_owned(),
    };
    if libraries.contains("citus") { format!("citus,{libraries}") } else { libraries }
}

/// Returns the parameters in `patroni.dynamicConfiguration`, with values as strings. A null is ignored.
fn dynamic_parameters(configuration: &Map<String, Value>) -> BTreeMap<String, String> {
    let parameters = configuration.get("postgresql").and_then(|section| section.get("parameters"));
    let parameters = parameters.and_then(Value::as_object).into_iter().flatten();
    parameters
        .filter_map(|(name, value)| {
            let value = match value {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some((name.to_lowercase(), value))
        })
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
