//! Who may connect from where and how: the lines of `pg_hba.conf` (PGO's `internal/postgres/hba.go`). Postgres takes
//! the first that matches.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::naming::{MONITORING_USER, PGBOUNCER_USER, REPLICATION_MAP, REPLICATION_USER};

/// Every line, first those of our own roles, which no rule of the user can open or close. Where the user has no rules,
/// any role with a password may connect over TLS.
pub fn hba(cluster: &Cluster) -> Vec<String> {
    let mut lines = vec![
        // Patroni and the caretaker, over the socket.
        r#"local all "postgres" "peer""#.to_owned(),
        // Replicas, and pg_rewind, which needs a database. The map says whose certificates.
        format!(r#"hostssl replication "{REPLICATION_USER}" all "cert" map={REPLICATION_MAP}"#),
        format!(r#"hostssl "postgres" "{REPLICATION_USER}" all "cert" map={REPLICATION_MAP}"#),
        format!(r#"host all "{REPLICATION_USER}" all "reject""#),
    ];
    if cluster.exporter {
        lines.extend([
            format!(r#"host all "{MONITORING_USER}" "127.0.0.0/8" "scram-sha-256""#),
            format!(r#"host all "{MONITORING_USER}" "::1/128" "scram-sha-256""#),
            format!(r#"host all "{MONITORING_USER}" all "reject""#),
        ]);
    }
    if cluster.pgbouncer.is_some() {
        lines.extend([
            format!(r#"hostssl all "{PGBOUNCER_USER}" all "scram-sha-256""#),
            format!(r#"host all "{PGBOUNCER_USER}" all "reject""#),
        ]);
    }
    let ours = lines.len();
    lines.extend(cluster.postgres.hba_rules.iter().cloned());
    lines.extend(dynamic_rules(cluster));
    if lines.len() == ours {
        lines.push(r#"hostssl all all all "scram-sha-256""#.to_owned());
    }
    lines
}

/// The lines inside `patroni.dynamicConfiguration`.
fn dynamic_rules(cluster: &Cluster) -> impl Iterator<Item = String> {
    let section = cluster.patroni.dynamic_configuration.get("postgresql");
    let rules = section.and_then(|section| section.get("pg_hba")).and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// The line of a structured rule of `spec.authentication`: connections of type `connection` to `databases` as `users`,
/// from anywhere. No databases, or no users, means all of them. Names are literal, whatever characters they have.
pub fn hba_rule(
    connection: &str,
    databases: &[String],
    users: &[String],
    method: &str,
    options: &BTreeMap<String, String>,
) -> String {
    // `password` would send it in the clear.
    let method = if method == "password" { "scram-sha-256" } else { method };
    let mut line = [&quoted(connection), &names(databases), &names(users), "all", &quoted(method)].join(" ");
    for (name, value) in options {
        line.extend([" ", &quoted(name), "=", &quoted(value)]);
    }
    line
}

/// A line that the user wrote in full, `hba` of `spec.authentication.rules`, without what surrounds it; `None` where
/// nothing is left of it and where it would include a file.
pub fn hba_text(raw: &str) -> Option<String> {
    let line = raw.trim_matches(|character: char| !character.is_ascii_graphic() || character == '\\');
    (!line.is_empty() && !line.starts_with("include")).then(|| line.to_owned())
}

fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "all".to_owned();
    }
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(",")
}

/// `name` so that it matches itself only. Quotes make a word of any text, keywords included; but a leading slash begins
/// a regular expression even inside them (PostgreSQL 16, `regcomp_auth_token`), so such a name becomes an expression.
fn literal(name: &str) -> String {
    if !name.starts_with('/') {
        return quoted(name);
    }
    let mut expression = String::from("/^");
    for character in name.chars() {
        match character {
            // Alone in brackets these two would keep their meaning.
            '^' | '\\' => expression.extend(['\\', character]),
            _ if character.is_alphanumeric() || character == '_' => expression.push(character),
            _ => expression.extend(['[', character, ']']),
        }
    }
    expression.push('$');
    quoted(&expression)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_rule_quotes_every_word_that_the_user_chose() {
        let none = BTreeMap::new();
        assert_eq!(
            hba_rule("hostssl", &strings(&["app", "a b"]), &strings(&["say \"hi\"", "all"]), "scram-sha-256", &none),
            r#""hostssl" "app","a b" "say ""hi""","all" all "scram-sha-256""#
        );
        assert_eq!(hba_rule("host", &[], &[], "reject", &none), r#""host" all all all "reject""#);
        let options =
            BTreeMap::from([("ldapserver".to_owned(), "b".to_owned()), ("ldapport".to_owned(), "636".to_owned())]);
        assert_eq!(
            hba_rule("hostssl", &[], &[], "ldap", &options),
            r#""hostssl" all all all "ldap" "ldapport"="636" "ldapserver"="b""#
        );
    }

    #[test]
    fn a_password_is_never_asked_for_in_the_clear() {
        assert_eq!(
            hba_rule("hostssl", &[], &[], "password", &BTreeMap::new()),
            r#""hostssl" all all all "scram-sha-256""#
        );
    }

    #[test]
    fn a_name_with_a_leading_slash_is_an_expression_that_matches_only_it() {
        assert_eq!(literal(r#"/a_9.*"^\"#), r#""/^[/]a_9[.][*][""]\^\\$""#);
    }

    #[test]
    fn a_line_of_the_user_is_trimmed_and_may_not_include_files() {
        assert_eq!(hba_text("  local all all peer \\\n").as_deref(), Some("local all all peer"));
        assert_eq!(hba_text("\t \\ "), None);
        assert_eq!(hba_text(" include_dir /etc"), None);
    }
}
