//! pgBouncer's configuration (PGO's `internal/pgbouncer/config.go`).

pub mod setting;
pub mod setting_name;
pub mod setting_value;
pub mod together;

use super::HEADER;
use super::ini::{Options, lines, options, section};
use crate::cluster::{Cluster, PgBouncer};
use crate::naming::PGBOUNCER_USER;

/// The main configuration file as pgBouncer's container sees it.
pub const INI_FILE: &str = "/etc/pgbouncer/~postgres-operator.ini";

/// The file that the user may bring, and that is included first; empty otherwise, for it must exist.
const USER_FILE: &str = "/etc/pgbouncer/pgbouncer.ini";

/// The database `postgres` under the name where pgBouncer asks for verifiers, whichever database a client wants:
/// there the superuser has the schema `pgbouncer` from the beginning, and what a role made elsewhere would run as
/// pgBouncer's role (`auth_dbname`, pgbouncer.org/config.html; PgBouncer 1.19).
pub const AUTH_DATABASE: &str = PGBOUNCER_USER;

/// `pgbouncer.ini`: the user's file, then these settings, of which the user's `config.global` overrides all but
/// `conffile`. Databases of the user replace the wildcard, which offers every database of the cluster.
pub fn ini(cluster: &Cluster, pgbouncer: &PgBouncer) -> String {
    let primary = format!("host={} port={}", cluster.primary_service(), cluster.port);
    let mut databases = pgbouncer.databases.clone();
    if databases.is_empty() {
        databases.insert("*".to_owned(), primary.clone());
    }
    databases.insert(AUTH_DATABASE.to_owned(), format!("{primary} dbname=postgres"));
    let mut text = HEADER.to_owned();
    text.push_str(&section("pgbouncer", &format!("%include {USER_FILE}\n")));
    text.push_str(&section("pgbouncer", &lines(&settings(pgbouncer))));
    text.push_str(&section("databases", &lines(&databases)));
    if !pgbouncer.users.is_empty() {
        text.push_str(&section("users", &lines(&pgbouncer.users)));
    }
    text
}

/// `users.txt`, the password of pgBouncer's own role. Quotes are doubled, and nothing else has a meaning between them
/// (pgbouncer.org/config.html, "Authentication file format").
pub fn users(password: &str) -> String {
    format!("\"{PGBOUNCER_USER}\" \"{}\"\n", password.replace('"', "\"\""))
}

/// The directory that must be made for the user's `logfile`; `None` where there is none to make.
pub fn log_directory(pgbouncer: &PgBouncer) -> Option<&str> {
    let (directory, _) = pgbouncer.global.get("logfile")?.rsplit_once('/')?;
    (directory != "/tmp" && !directory.is_empty()).then_some(directory)
}

fn settings(pgbouncer: &PgBouncer) -> Options {
    let mut settings = defaults(pgbouncer.port);
    settings.extend(pgbouncer.global.clone());
    settings.insert("conffile".to_owned(), INI_FILE.to_owned());
    settings
}

/// What is written unless the user says otherwise.
fn defaults(port: u16) -> Options {
    options([
        ("auth_dbname", AUTH_DATABASE),
        ("auth_file", "/etc/pgbouncer/~postgres-operator/users.txt"),
        ("auth_query", "SELECT username, password from pgbouncer.get_auth($1)"),
        ("auth_user", PGBOUNCER_USER),
        ("client_tls_ca_file", "/etc/pgbouncer/~postgres-operator/frontend-ca.crt"),
        ("client_tls_cert_file", "/etc/pgbouncer/~postgres-operator/frontend-tls.crt"),
        ("client_tls_key_file", "/etc/pgbouncer/~postgres-operator/frontend-tls.key"),
        ("client_tls_sslmode", "require"),
        // What follows keeps clients from waiting for a leader that is there: by default pgBouncer looks 15 s later whether a
        // server that did not answer does, gives one that is out of reach so long, and remembers names as long.
        ("dns_max_ttl", "1"),
        ("dns_nxdomain_ttl", "1"),
        ("server_connect_timeout", "3"),
        ("server_login_retry", "0.5"),
        // A connection whose other end is gone without a word, in milliseconds: the kernel would go on sending for 15 minutes.
        ("tcp_user_timeout", "10000"),
        // JDBC always sends it, and pgBouncer refuses what it does not know.
        ("ignore_startup_parameters", "extra_float_digits"),
        ("listen_addr", "*"),
        ("listen_port", &port.to_string()),
        ("server_tls_ca_file", "/etc/pgbouncer/~postgres-operator/backend-ca.crt"),
        ("server_tls_sslmode", "verify-full"),
        // The root file system is read-only.
        ("unix_socket_dir", ""),
    ])
}
