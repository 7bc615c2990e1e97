//! Resolves `spec.users`.

use std::collections::BTreeSet;

use crate::diagnostic::FieldPath;
use crate::diagnostic::line;
use crate::diagnostic::words;
use crate::postgres_cluster::cluster::{PasswordType, User};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// Returns the users to render. Without `spec.users` there is one user, with the name of the cluster and a database of the same
/// name, as in PGO (`internal/controller/postgrescluster/postgres.go`). `users: []` means no users.
pub(crate) fn resolve(spec: &PostgresClusterSpec, cluster: &str, context: &mut Context) -> Vec<User> {
    let Some(users) = &spec.users else { return default_user(cluster, context) };
    let mut resolved: Vec<User> = Vec::new();
    for (index, user) in users.iter().enumerate() {
        let path = FieldPath::of("spec.users").index(index);
        let mut databases: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, database) in user.databases.iter().enumerate() {
            let at = || path.key("databases").index(index);
            context.check(&at(), check_database(database));
            if database == "pgbouncer" && spec.proxy.is_some() {
                context.warning(
                    at(),
                    "cannot be reached through pgBouncer, because `pgbouncer` is the name of its admin console",
                );
            }
            if seen.insert(database) {
                databases.push(database.clone());
            }
        }
        if RESERVED_ROLES.contains(&user.name.as_str()) {
            let message = format!("`{}` is a reserved name of a role in Postgres: choose another name", user.name);
            context.error(path.key("name"), message);
        }
        // Line breaks are white space in SQL.
        for options in user.options.iter().flat_map(|options| options.split(['\n', '\r'])) {
            context.check(&path.key("options"), line::check(options));
        }
        if let Some(why) = user.options.as_deref().and_then(options_fault) {
            context.warning(path.key("options"), why);
        }
        let alpha_numeric = user.password.is_some_and(|password| password.type_ == spec::PasswordType::AlphaNumeric);
        resolved.push(User {
            name: user.name.clone(),
            databases,
            options: user.options.clone().unwrap_or_default(),
            password: if alpha_numeric { PasswordType::AlphaNumeric } else { PasswordType::Ascii },
        });
    }
    resolved
}

/// The options of `ALTER ROLE` (PostgreSQL, "ALTER ROLE"). For an option of several words, each word has an entry.
const ROLE_OPTIONS: [&str; 18] = [
    "BYPASSRLS",
    "CONNECTION",
    "CREATEDB",
    "CREATEROLE",
    "INHERIT",
    "LIMIT",
    "LOGIN",
    "NOBYPASSRLS",
    "NOCREATEDB",
    "NOCREATEROLE",
    "NOINHERIT",
    "NOLOGIN",
    "NOREPLICATION",
    "NOSUPERUSER",
    "REPLICATION",
    "SUPERUSER",
    "UNTIL",
    "VALID",
];

/// Returns the message for an option that Postgres does not have.
fn options_fault(options: &str) -> Option<String> {
    // Quoted text is a value, not an option.
    let outside = options.split('\'').step_by(2);
    let mut given = outside.flat_map(str::split_whitespace);
    let is_value = |word: &str| word.parse::<i64>().is_ok() || ["-", "+", "E", "e"].contains(&word);
    let unknown =
        given.find(|word| !is_value(word) && !ROLE_OPTIONS.iter().any(|known| known.eq_ignore_ascii_case(word)))?;
    let instead = match words::nearest(unknown, ROLE_OPTIONS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write options of `ALTER ROLE`, such as `CREATEDB`, separated by spaces".to_owned(),
    };
    let unknown = words::quote(unknown);
    Some(format!("Postgres does not have the role option {unknown}, so none of these options are set: {instead}"))
}

/// Names that have a special meaning to Postgres: no role and all roles (`check_rolespec_name`).
const RESERVED_ROLES: [&str; 2] = ["none", "public"];

/// Checks the name of a user's database. Postgres must be able to create it, and it must not affect the connections of other
/// users.
fn check_database(name: &str) -> Result<(), String> {
    // Postgres silently truncates a longer name to 63 bytes (`NAMEDATALEN`).
    if name.len() > 63 {
        return Err("the name of a database must have at most 63 bytes".to_owned());
    }
    line::check_name(name)?;
    match name {
        "template0" => Err("connections to `template0` are not allowed: choose another database".to_owned()),
        "template1" => Err("every new database is a copy of `template1`: choose another database".to_owned()),
        _ => Ok(()),
    }
}

fn default_user(cluster: &str, context: &mut Context) -> Vec<User> {
    // Postgres' `NAMEDATALEN`, and PGO's pattern for user names.
    if cluster.len() > 63 || cluster.contains('.') {
        let message =
            "the name of the cluster is not a valid name of a user, so no user is created: list users in `spec.users`";
        context.warning(FieldPath::of("metadata.name"), message);
        return Vec::new();
    }
    vec![User {
        name: cluster.to_owned(),
        databases: vec![cluster.to_owned()],
        options: String::new(),
        password: PasswordType::Ascii,
    }]
}
