//! pgBouncer's configuration (PGO's `internal/pgbouncer/config.go`).

use super::console;
use super::model::PgBouncer;
use crate::naming::PGBOUNCER_USER;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::configuration_file::HEADER;
use crate::postgres_cluster::configuration_file::{Options, lines, options, section};

/// The path of the main configuration file in pgBouncer's container.
pub const INI_FILE: &str = "/etc/pgbouncer/~postgres-operator.ini";

/// The file of the user, which is included first. It must exist, so it is empty if the user does not provide it.
const USER_FILE: &str = "/etc/pgbouncer/pgbouncer.ini";

/// The name under which pgBouncer connects to the database `postgres` to look up verifiers, whichever database a client uses.
/// The schema `pgbouncer` in this database belongs to the superuser from the beginning. In another database, code that a role
/// has created could run as pgBouncer's role (`auth_dbname`, pgbouncer.org/config.html; PgBouncer 1.19).
pub const AUTH_DATABASE: &str = PGBOUNCER_USER;

/// Returns `pgbouncer.ini`: the user's file, then these settings. The user's `config.global` overrides all of them except
/// `conffile`. The user's databases replace the wildcard, which offers every database of the cluster.
pub fn ini(cluster: &Cluster, pgbouncer: &PgBouncer) -> String {
    let primary = format!("host={} port={}", cluster.primary_service(), cluster.port);
    let mut databases = pgbouncer.databases.clone();
    if databases.is_empty() {
        databases.insert("*".to_owned(), primary.clone());
    }
    databases.insert(AUTH_DATABASE.to_owned(), format!("{primary} dbname=postgres"));
    let mut text = HEADER.to_owned();
    let mut settings = settings(cluster, pgbouncer);
    if console::watched(cluster).is_some() {
        let theirs = settings.get("stats_users").map(String::as_str);
        settings.insert("stats_users".to_owned(), console::stats_users(theirs));
    }
    text.push_str(&section("pgbouncer", &format!("%include {USER_FILE}\n")));
    text.push_str(&section("pgbouncer", &lines(&settings)));
    text.push_str(&section("databases", &lines(&databases)));
    if !pgbouncer.users.is_empty() {
        text.push_str(&section("users", &lines(&pgbouncer.users)));
    }
    text
}

/// The key of the Secret's entry with the text of [`users`].
pub const USERS_KEY: &str = "pgbouncer-users.txt";

/// Returns `users.txt` with the password of pgBouncer's own role. Quotes are doubled, and no other character is special between
/// them (pgbouncer.org/config.html, "Authentication file format").
pub fn users(password: &str) -> String {
    format!("\"{PGBOUNCER_USER}\" \"{}\"\n", password.replace('"', "\"\""))
}

/// The directory of pgBouncer's log, which the collector reads.
pub const LOG_DIRECTORY: &str = "/tmp/logs/pgbouncer";

/// Returns the file that the collector reads: the user's `logfile`, or one in [`LOG_DIRECTORY`].
pub fn log_file(pgbouncer: &PgBouncer) -> &str {
    pgbouncer.global.get("logfile").map_or("/tmp/logs/pgbouncer/pgbouncer.log", String::as_str)
}

/// Returns the directory that must be created for the user's `logfile`; `None` if no directory is needed.
pub fn log_directory(pgbouncer: &PgBouncer) -> Option<&str> {
    let (directory, _) = pgbouncer.global.get("logfile")?.rsplit_once('/')?;
    (directory != "/tmp" && !directory.is_empty()).then_some(directory)
}

fn settings(cluster: &Cluster, pgbouncer: &PgBouncer) -> Options {
    let mut settings = defaults(pgbouncer.port);
    if cluster.collector.is_some() {
        settings.insert("logfile".to_owned(), log_file(pgbouncer).to_owned());
    }
    settings.extend(pgbouncer.global.clone());
    settings.insert("conffile".to_owned(), INI_FILE.to_owned());
    settings
}

/// Returns the settings that the user can override.
pub(crate) fn defaults(port: u16) -> Options {
    options([
        ("auth_dbname", AUTH_DATABASE),
        ("auth_file", "/etc/pgbouncer/~postgres-operator/users.txt"),
        ("auth_query", "SELECT username, password from pgbouncer.get_auth($1)"),
        ("auth_user", PGBOUNCER_USER),
        ("client_tls_ca_file", "/etc/pgbouncer/~postgres-operator/frontend-ca.crt"),
        ("client_tls_cert_file", "/etc/pgbouncer/~postgres-operator/frontend-tls.crt"),
        ("client_tls_key_file", "/etc/pgbouncer/~postgres-operator/frontend-tls.key"),
        ("client_tls_sslmode", "require"),
        // The following settings shorten how long clients wait for an available leader. By default, pgBouncer tries again only
        // after 15 s if a server did not answer, waits as long for a server that it cannot reach, and caches host names as
        // long.
        ("dns_max_ttl", "1"),
        ("dns_nxdomain_ttl", "1"),
        ("server_connect_timeout", "3"),
        ("server_login_retry", "0.5"),
        // In milliseconds: closes a connection whose other end disappeared. Without it, the kernel would retransmit for 15
        // minutes.
        ("tcp_user_timeout", "10000"),
        // JDBC always sends this parameter, and pgBouncer refuses unknown parameters.
        ("ignore_startup_parameters", "extra_float_digits"),
        ("listen_addr", "*"),
        ("listen_port", &port.to_string()),
        ("server_tls_ca_file", "/etc/pgbouncer/~postgres-operator/backend-ca.crt"),
        ("server_tls_sslmode", "verify-full"),
        // The root file system is read-only.
        ("unix_socket_dir", ""),
    ])
}
