//! Checks settings of `pgbouncer.ini` (libusual's `cfparser.c`). A line is `name = value`. A name has letters, digits and four
//! other characters, and cannot be quoted, although the documentation says so. White space at both ends of a value is stripped,
//! and a value cannot contain a comment.

use super::configuration::{AUTH_DATABASE, defaults};
use super::setting_value;
use crate::diagnostic::line;
use crate::naming::PGBOUNCER_USER;

/// Checks the name of a setting of `[pgbouncer]`.
///
/// # Errors
/// If pgBouncer would not read the text as the name of a setting.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_name {
        return Ok(());
    }
    Err("is not a valid name of a setting: write lower-case letters, digits and `_`, as in `pool_mode`".to_owned())
}

/// Checks the name of a database in `[databases]`. `*` stands for all other databases.
///
/// # Errors
/// If pgBouncer would not read the text as this name.
pub fn check_database(name: &str) -> Result<(), String> {
    check_key(name, "choose such a name, and write the name of the database in the value, `dbname='…'`")?;
    if name == "pgbouncer" {
        return Err("`pgbouncer` is reserved for the admin console of pgBouncer: choose another name".to_owned());
    }
    if name == AUTH_DATABASE {
        return Err(format!("`{name}` is reserved for pgBouncer's queries of passwords: choose another name"));
    }
    Ok(())
}

/// Checks the name of a user in `[users]`.
///
/// # Errors
/// If pgBouncer would not read the text as this name.
pub fn check_user(name: &str) -> Result<(), String> {
    check_key(name, "a user with another name cannot have its own settings")
}

fn check_key(name: &str, instead: &str) -> Result<(), String> {
    let is_key = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-*".contains(&byte));
    if !is_key {
        return Err(format!("pgBouncer accepts only letters, digits and `_`, `.`, `-`, `*` in a name: {instead}"));
    }
    // Postgres' `NAMEDATALEN`.
    if name.len() > 63 { Err("must be at most 63 characters long".to_owned()) } else { Ok(()) }
}

/// Checks a value of `[pgbouncer]`.
///
/// # Errors
/// If pgBouncer would read the value as something else.
pub fn check_value(value: &str) -> Result<(), String> {
    line::check(value)?;
    if value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
        return Err("pgBouncer ignores spaces and tabs at the beginning and end of a value: remove them".to_owned());
    }
    Ok(())
}

/// The names in a value of `[databases]`, in any version (`loader.c`, `parse_database`).
pub const OF_DATABASES: [&str; 22] = [
    "application_name",
    "auth_dbname",
    "auth_query",
    "auth_user",
    "client_encoding",
    "connect_query",
    "datestyle",
    "dbname",
    "host",
    "load_balance_hosts",
    "max_db_client_connections",
    "max_db_connections",
    "min_pool_size",
    "password",
    "pool_mode",
    "pool_size",
    "port",
    "reserve_pool",
    "reserve_pool_size",
    "server_lifetime",
    "timezone",
    "user",
];

/// The names in a value of `[users]`, in any version (`loader.c`, `parse_user`).
pub const OF_USERS: [&str; 10] = [
    "client_idle_timeout",
    "idle_transaction_timeout",
    "max_user_client_connections",
    "max_user_connections",
    "pool_mode",
    "pool_size",
    "query_timeout",
    "reserve_pool",
    "reserve_pool_size",
    "transaction_timeout",
];

/// Checks a value of `[databases]` or `[users]`: pairs `name=value`. A value with spaces is in single quotes. pgBouncer does
/// not start if a name is not one of `known`.
///
/// # Errors
/// If pgBouncer would refuse the value or read it as something else.
pub fn check_pairs(value: &str, known: &[&str]) -> Result<(), String> {
    check_value(value)?;
    let mut pairs = Vec::new();
    if !is_pairs(value, &mut pairs) {
        return Err(
            "is not a list of `name=value`: separate the pairs with spaces and not with tabs, remove names without a \
             value, and quote a value that contains spaces with `'`"
                .to_owned(),
        );
    }
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(name)) {
        return Err(format!("pgBouncer does not accept `{name}` here: the valid names are `{}`", known.join("`, `")));
    }
    // For the other values, pgBouncer ignores what follows a number (`atoi`).
    let mut modes = pairs.iter().filter(|(name, _)| *name == "pool_mode");
    modes.find_map(|(name, value)| setting_value::fault(name, value)).map_or(Ok(()), Err)
}

/// Whether pgBouncer can parse the pairs (`loader.c`, `cstr_get_pair`). Adds them to `pairs`; a quoted value is added without
/// its quotes but not unescaped. A tab does not separate pairs. An empty value is an error, or pgBouncer takes the text after
/// the spaces for the value.
fn is_pairs<'a>(value: &'a str, pairs: &mut Vec<(&'a str, &'a str)>) -> bool {
    let blanks = [' '];
    let mut rest = value.trim_start_matches(blanks);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let Some(after) = rest[end..].trim_start_matches(blanks).strip_prefix('=') else { return false };
        if end == 0 {
            return false;
        }
        let name = &rest[..end];
        let value = after.trim_start_matches(blanks);
        rest = match value.strip_prefix('\'') {
            None => {
                let word = value.split(blanks).next().unwrap_or_default();
                if word.is_empty() || word.contains('\t') || (value.len() < after.len() && word.contains('=')) {
                    return false;
                }
                pairs.push((name, word));
                &value[word.len()..]
            }
            // The quotes are empty.
            Some(quoted) if quoted.starts_with('\'') && !quoted.starts_with("''") => return false,
            Some(quoted) => {
                // Two quotes stand for one.
                let Some(end) = line::closing(quoted, '\'') else { return false };
                pairs.push((name, &quoted[..end]));
                &quoted[end + 1..]
            }
        };
        if !rest.is_empty() && !rest.starts_with(blanks) {
            return false;
        }
        rest = rest.trim_start_matches(blanks);
    }
    true
}

/// Returns why a setting of `[pgbouncer]` is not allowed: it lets clients in without authentication, or pgBouncer does not
/// start with it in this pod. `port` is the one of the spec.
pub fn refusal(name: &str, value: &str, port: u16) -> Option<String> {
    let value = value.to_ascii_lowercase();
    match (name, value.as_str()) {
        ("auth_type", "any" | "trust") => Some(format!(
            "`{value}` lets everybody connect without a password: write `scram-sha-256`, `md5`, `cert`, or `hba` with \
             your own file"
        )),
        ("listen_port", other) if other != port.to_string() => {
            Some("the Service uses another port: remove it, and set `spec.proxy.pgBouncer.port` instead".to_owned())
        }
        ("logfile", file) if file.split('/').any(|part| part == "..") => {
            Some("would be outside of the volume: write the path without `..`".to_owned())
        }
        ("user", user) if !user.is_empty() => {
            Some("pgBouncer cannot switch to another user in its container, and does not start: remove it".to_owned())
        }
        _ => None,
    }
}

/// Returns what stops working if the user replaces the value that pgrender writes for a setting.
fn necessary(name: &str) -> Option<&'static str> {
    match name {
        "auth_file" => Some(
            "replaces the file with the password of pgBouncer's own role, which queries the verifiers of users: your \
             file must contain that role, or all users; without this setting, you need no file",
        ),
        "auth_query" => Some(
            "replaces the query of the function `pgbouncer.get_auth`, which pgBouncer's own role can execute: this \
             role must be able to run your query in the database `postgres`",
        ),
        "auth_user" => Some(
            "replaces pgBouncer's own role, which has a password and can read verifiers: your role needs both, and a \
             rule in `spec.authentication.rules`",
        ),
        "client_tls_ca_file" | "client_tls_cert_file" | "client_tls_key_file" => Some(
            "replaces the certificate that pgrender creates for this cluster: to use your own certificate, set \
             `spec.proxy.pgBouncer.customTLSSecret` instead",
        ),
        "server_tls_ca_file" => Some(
            "replaces the CA of this cluster, and pgBouncer then trusts Postgres only if your CA signed the \
             certificate of Postgres: to use such a certificate, set `spec.customTLSSecret`",
        ),
        _ => None,
    }
}

/// Returns how a setting weakens the protection of connections, or that it has no effect. It is rendered all the same.
pub fn weakness(name: &str, value: &str) -> Option<&'static str> {
    if defaults(0).get(name).is_some_and(|default| default == value) {
        return None;
    }
    let value = value.to_ascii_lowercase();
    match (name, value.as_str()) {
        ("conffile", _) => Some("has no effect: pgrender sets the path of the file; remove it"),
        ("listen_addr", address)
            if !["*", "0.0.0.0", "::", "0.0.0.0,::"].contains(&address.replace(' ', "").as_str()) =>
        {
            Some(
                "clients connect through the Service to the address of the pod: remove it, so that the default `*` \
                 applies",
            )
        }
        ("ignore_startup_parameters", list) if !list.split(',').any(|item| item.trim() == "extra_float_digits") => {
            Some(
                "JDBC always sends `extra_float_digits`, and pgBouncer then refuses its connections: add \
                 `extra_float_digits` to the list",
            )
        }
        ("unix_socket_dir", directory) if !["", "/tmp"].contains(&directory) && !directory.starts_with("/tmp/") => {
            Some("the root file system is read-only: write `/tmp` or a directory below it, or remove it")
        }
        ("admin_users", list) if list.split([',', ' ', '\t']).any(|user| user == PGBOUNCER_USER) => Some(
            "pgBouncer's own role could then stop pgBouncer, and its password is also in the pods of instances if they \
             have an exporter: write a role of your own",
        ),
        ("auth_dbname", database) if database != AUTH_DATABASE => Some(
            "pgBouncer's own role can connect only to the database `postgres`, so you must also set `auth_user` to \
             your own role; a user who can create functions in that database can make this role execute them",
        ),
        ("auth_type", "plain") => Some(
            "asks clients for passwords in clear text, so pgBouncer sees the passwords: write `scram-sha-256` instead",
        ),
        ("client_tls_sslmode", "disable" | "allow" | "prefer") => Some(
            "clients can connect without TLS, and others can then read their traffic: remove it, so that the default \
             `require` applies",
        ),
        ("server_tls_sslmode", "disable" | "allow") => Some(
            "pgBouncer can connect to Postgres without TLS, but Postgres then rejects pgBouncer's own role: remove \
             it, so that the default `verify-full` applies",
        ),
        ("server_tls_sslmode", "prefer" | "require" | "verify-ca") => Some(
            "pgBouncer does not verify that it is connected to the Postgres of this cluster: remove it, so that the \
             default `verify-full` applies",
        ),
        _ => necessary(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_pgbouncer_reads_as_one() {
        assert_eq!(check_name("pool_mode"), Ok(()));
        for name in
            ["", "[users]", "]x", "%include /etc/passwd", "a=b", ";a", "#a", "a b", "a\n", "Conffile", "*", "\"a\""]
        {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["*", "App_1.b-c"] {
            assert_eq!((check_database(name), check_user(name)), (Ok(()), Ok(())), "{name}");
        }
        for name in ["", "\"a b\"", "a b", "[x]", "%include", "é", "a=", "a\u{b}", &"n".repeat(64)] {
            assert!(check_database(name).is_err() && check_user(name).is_err(), "{name:?}");
        }
        assert!(check_database("pgbouncer").is_err() && check_database("_crunchypgbouncer").is_err());
        // For Postgres, these are different names.
        assert!(check_database("_crunchypgbouncer2").is_ok() && check_user("_crunchypgbouncer").is_ok());
    }

    #[test]
    fn a_value_of_a_database_is_pairs() {
        for value in [
            "",
            "host=a port=5432",
            "host = 'x y'  dbname='it''s'",
            "host = a",
            "password='\t=''' connect_query='select 1'",
            "password=a=b",
        ] {
            assert_eq!(check_pairs(value, &OF_DATABASES), Ok(()), "{value}");
        }
        assert_eq!(check_pairs("pool_mode=session query_timeout=5", &OF_USERS), Ok(()));
        for value in [
            "foo",
            "host='a",
            "host='a'b",
            "=a",
            "host=a foo",
            " host=a",
            "host=a\nport=1",
            "a-b=1",
            "host=a\tport=1",
            "host\t=a",
            "host=\ta",
            "host=a \tport=1",
            "host=",
            "host= port=1",
            "password='' host=a",
            "password=''",
            "foo=bar",
            "sslmode=require",
            "HOST=a",
        ] {
            assert!(check_pairs(value, &OF_DATABASES).is_err(), "{value:?}");
        }
        assert!(check_pairs("host=a", &OF_USERS).is_err());
    }

    #[test]
    fn what_lets_anybody_in_is_refused() {
        assert!(refusal("auth_type", "TRUST", 1).is_some() && refusal("auth_type", "any", 1).is_some());
        assert_eq!(refusal("auth_type", "scram-sha-256", 1), None);
        assert_eq!(refusal("listen_port", "6432", 6432), None);
        assert!(refusal("listen_port", "6433", 6432).is_some());
        assert!(weakness("auth_dbname", "zoo").is_some() && weakness("auth_dbname", "_crunchypgbouncer").is_none());
        assert!(weakness("admin_users", "a, _crunchypgbouncer").is_some() && weakness("admin_users", "a").is_none());
        assert!(weakness("server_tls_sslmode", "require").is_some() && weakness("pool_mode", "session").is_none());
    }
}
