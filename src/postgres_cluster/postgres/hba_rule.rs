//! Writes a rule of `spec.authentication` as a line of `pg_hba.conf`.
//!
//! Postgres does not start if it cannot read a line of the file, and it reads another rule than intended if a word has a
//! special meaning. So a rule that the given version would not read as intended is refused here.

use std::collections::BTreeMap;

use super::hba_method::{self, Host};
use crate::diagnostic::FieldPath;
use crate::diagnostic::line;

/// The longest word of a line, in bytes (`MAX_TOKEN` of `hba.c`).
pub(crate) const MAX_WORD: usize = 10_000;

/// The longest name of a role or database, in bytes (`NAMEDATALEN`). Postgres truncates longer names before it compares them.
const MAX_NAME: usize = 63;

/// A structured rule: connections of type `connection` to `databases` as `users`, from any address. An empty list of databases
/// or users means all of them. Names are literal, whatever characters they have.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The connection type, such as `hostssl`.
    pub connection: &'a str,
    /// The databases.
    pub databases: &'a [String],
    /// The roles.
    pub users: &'a [String],
    /// The authentication method.
    pub method: &'a str,
    /// Options of the method.
    pub options: &'a BTreeMap<String, String>,
}

impl Rule<'_> {
    /// Returns the rule as a line for a major version of Postgres.
    ///
    /// # Errors
    /// If this version would refuse the rule or read it as something else: the fields of the rule, each with what is wrong.
    pub fn line(&self, version: u16) -> Result<String, Vec<(FieldPath, String)>> {
        let faults = self.faults(version);
        if faults.is_empty() { Ok(self.written(version)) } else { Err(faults) }
    }

    fn faults(&self, version: u16) -> Vec<(FieldPath, String)> {
        let mut faults = Vec::new();
        let mut note =
            |path: FieldPath, verdict: Result<(), String>| faults.extend(verdict.err().map(|why| (path, why)));
        note(FieldPath::of("connection"), hba_method::check_connection(self.connection, version));
        for (field, names) in [("databases", self.databases), ("users", self.users)] {
            for (index, name) in names.iter().enumerate() {
                note(FieldPath::of(field).index(index), check_name(name));
            }
        }
        let host = Host::of(self.connection);
        note(FieldPath::of("method"), hba_method::check_method(self.method, host, version));
        for (name, value) in self.options {
            let verdict = hba_method::check_option(name, value, self.method, host, version);
            note(FieldPath::of("options").key(name), verdict.and_then(|()| check_value(name, value)));
        }
        let names = self.options.keys().map(String::as_str);
        note(FieldPath::of("options"), hba_method::check_required(self.method, names));
        faults
    }

    fn written(&self, version: u16) -> String {
        // `password` would send the password in clear text.
        let method = if self.method == "password" { "scram-sha-256" } else { self.method };
        let mut words = vec![quoted(self.connection), names(self.databases, version), names(self.users, version)];
        if Host::of(self.connection) != Host::Local {
            words.push("all".to_owned());
        }
        words.push(quoted(method));
        words.extend(self.options.iter().map(|(name, value)| format!("{}={}", quoted(name), quoted(value))));
        words.join(" ")
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.len() > MAX_NAME {
        return Err(format!(
            "has {} bytes, so it would not match any name: write at most {MAX_NAME} bytes",
            name.len()
        ));
    }
    line::check_name(name)
}

fn check_value(name: &str, value: &str) -> Result<(), String> {
    if name.len() + value.len() >= MAX_WORD {
        return Err(format!("is too long for a line of pg_hba.conf: write at most {MAX_WORD} bytes"));
    }
    line::check(value)
}

fn names(names: &[String], version: u16) -> String {
    if names.is_empty() {
        return "all".to_owned();
    }
    names.iter().map(|name| literal(name, version)).collect::<Vec<_>>().join(",")
}

/// Returns a word that matches only `name`. Any text can be quoted, and in quotes keywords, `+`, `@` and `#` have no special
/// meaning (`hba.c`, `token_is_keyword`). But from 16 on, a leading slash begins a regular expression even in quotes
/// (`regcomp_auth_token`), so such a name becomes an expression. Before 16, it is an ordinary name.
fn literal(name: &str, version: u16) -> String {
    if version < 16 || !name.starts_with('/') {
        return quoted(name);
    }
    let mut expression = String::from("/^");
    for character in name.chars() {
        match character {
            // In a bracket expression of their own, these two characters would keep their special meaning.
            '^' | '\\' => expression.extend(['\\', character]),
            // Postgres compares bytes here in any encoding, so brackets would match one byte of a character with several.
            _ if character.is_ascii_punctuation() && character != '_' || character == ' ' => {
                expression.extend(['[', character, ']']);
            }
            _ => expression.push(character),
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

    fn written(connection: &str, databases: &[&str], users: &[&str], method: &str, options: &[(&str, &str)]) -> String {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (databases, users) = (strings(databases), strings(users));
        let rule = Rule { connection, databases: &databases, users: &users, method, options: &options };
        rule.line(17).unwrap()
    }

    #[test]
    fn a_rule_quotes_every_word_that_the_user_chose() {
        assert_eq!(
            written("hostssl", &["app", "a b"], &["say \"hi\"", "all"], "scram-sha-256", &[]),
            r#""hostssl" "app","a b" "say ""hi""","all" all "scram-sha-256""#
        );
        assert_eq!(written("host", &[], &[], "reject", &[]), r#""host" all all all "reject""#);
        assert_eq!(
            written("hostssl", &[], &[], "ldap", &[("ldapserver", "b"), ("ldapport", "636"), ("ldapprefix", "c")]),
            r#""hostssl" all all all "ldap" "ldapport"="636" "ldapprefix"="c" "ldapserver"="b""#
        );
    }

    #[test]
    fn a_socket_has_no_address() {
        assert_eq!(written("local", &[], &[], "peer", &[("map", "m")]), r#""local" all all "peer" "map"="m""#);
    }

    #[test]
    fn a_password_is_never_asked_for_in_the_clear() {
        assert_eq!(written("hostssl", &[], &[], "password", &[]), r#""hostssl" all all all "scram-sha-256""#);
    }

    #[test]
    fn a_name_with_a_leading_slash_matches_only_itself() {
        assert_eq!(literal(r#"/a_9.*"^\ €"#, 16), r#""/^[/]a_9[.][*][""]\^\\[ ]€$""#);
        assert_eq!(literal(r#"/a_9.*"^\ €"#, 15), r#""/a_9.*""^\ €""#);
    }

    #[test]
    fn an_option_that_the_method_needs_is_asked_for() {
        let mut options = BTreeMap::from([("issuer".to_owned(), "https://x".to_owned())]);
        let rule = |options: &BTreeMap<String, String>| {
            Rule { connection: "hostssl", databases: &[], users: &[], method: "oauth", options }.line(18).err()
        };
        assert!(rule(&options).unwrap()[0].1.contains("`scope`"));
        options.insert("scope".to_owned(), "openid".to_owned());
        assert_eq!(rule(&options), None);
    }

    #[test]
    fn what_would_match_nothing_is_refused() {
        let long = strings(&[&"é".repeat(32)]);
        let none = BTreeMap::new();
        let rule = Rule { connection: "host", databases: &long, users: &[], method: "reject", options: &none };
        let faults = rule.line(17).unwrap_err();
        assert_eq!(faults[0].0.to_string(), "databases[0]");
        assert!(faults[0].1.contains("64 bytes"), "{faults:?}");
    }
}
