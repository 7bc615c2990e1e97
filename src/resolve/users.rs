//! `spec.users`.

use std::collections::BTreeSet;

use super::Context;
use crate::cluster::{PasswordType, User};
use crate::report::FieldPath;
use crate::spec;
use crate::spec::PostgresClusterSpec;

/// The users to render. Without `spec.users` there is one, named as the cluster, with a database of that name
/// (inventory 2.6); `users: []` means none.
pub(super) fn resolve(spec: &PostgresClusterSpec, cluster: &str, context: &mut Context) -> Vec<User> {
    let Some(users) = &spec.users else { return default_user(cluster, context) };
    let mut resolved: Vec<User> = Vec::new();
    for (index, user) in users.iter().enumerate() {
        let path = FieldPath::of("spec.users").index(index);
        let mut databases: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, database) in user.databases.iter().enumerate() {
            let at = || path.key("databases").index(index);
            // Postgres cuts a longer name off at 63 bytes, without a word (`NAMEDATALEN`).
            if database.len() > 63 {
                context.error(at(), "a database name has at most 63 bytes");
            } else if database.contains('\0') {
                context.error(at(), "a database name cannot contain a NUL character");
            }
            if seen.insert(database) {
                databases.push(database.clone());
            }
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

fn default_user(cluster: &str, context: &mut Context) -> Vec<User> {
    // `NAMEDATALEN` of Postgres, and PGO's pattern for the names of users.
    if cluster.len() > 63 || cluster.contains('.') {
        let message =
            "the name of the cluster cannot be the name of a user, so there is none: list users in `spec.users`";
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
