//! Warns about secrets in places that others can read. Patroni shows its dynamic configuration, including all parameters, to
//! every client of its port (`GET /config`), and the configuration is in a ConfigMap. Rules of `pg_hba.conf` are not checked
//! here, because rules with a password are in a Secret (`patroni::configuration::rules_yaml`).

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::kubernetes::IntOrString;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// Words in the name of a setting whose value is a secret.
const WORDS: [&str; 6] = ["password", "passwd", "passphrase", "secret", "token", "api_key"];

/// Suffixes of names whose value is the location of a secret, not the secret itself.
const PLACES: [&str; 5] = ["_file", "_path", "_directory", "_command", "_script"];

/// Matches `password=…` in a connection string or a command, unless the value is a variable of the shell.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?i)(?:password|passwd|passphrase|secret|token|api_key)[a-z_]*['"]?\s*=\s*['"]?[^\s'"$]"#;
    Regex::new(pattern).expect("a constant pattern")
});

/// Matches `scheme://user:password@host`.
static IN_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)[a-z][a-z0-9+.-]*://[^\\s/:@]*:[^\\s/@]+@").expect("a constant pattern"));

/// Warns about each value that is a secret or contains one.
pub(crate) fn warn(spec: &PostgresClusterSpec, context: &mut Context) {
    let pgbouncer = spec.proxy.as_ref().and_then(|proxy| proxy.pg_bouncer.config.as_ref());
    for (name, value) in pgbouncer.into_iter().flat_map(|config| &config.databases) {
        if holds_secret(value) {
            let message = "looks like a secret, but pgrender writes it to a ConfigMap: write the line in the section \
                           `[databases]` of a file `pgbouncer.ini` in a Secret, and add the Secret to \
                           `spec.proxy.pgBouncer.config.files`";
            context.warning(FieldPath::of("spec.proxy.pgBouncer.config.databases").key(name), message);
        }
    }
    if let Some(config) = &spec.config {
        for (name, value) in &config.parameters {
            if let IntOrString::String(text) = value {
                parameter(&FieldPath::of("spec.config.parameters"), name, text, context);
            }
        }
    }
    let Some(patroni) = &spec.patroni else { return };
    let path = FieldPath::of("spec.patroni.dynamicConfiguration");
    for (name, value) in &patroni.dynamic_configuration {
        match (name.as_str(), value) {
            ("postgresql", Value::Object(section)) => {
                for (name, value) in section.iter().filter(|(name, _)| *name != "pg_hba") {
                    match (name.as_str(), value) {
                        ("parameters", Value::Object(parameters)) => {
                            let path = path.key("postgresql").key("parameters");
                            for (name, value) in parameters {
                                parameter(&path, name, value.as_str().unwrap_or_default(), context);
                            }
                        }
                        _ => setting(&path.key("postgresql"), name, value, context),
                    }
                }
            }
            _ => setting(&path, name, value, context),
        }
    }
}

/// Checks a parameter of Postgres. None of Postgres' own parameters is a secret; the names of those of extensions contain a
/// dot.
fn parameter(path: &FieldPath, name: &str, value: &str, context: &mut Context) {
    let passphrase = name.eq_ignore_ascii_case("ssl_passphrase_command")
        && ["echo", "printf"].iter().any(|command| value.contains(command));
    if passphrase || (name.contains('.') && is_secret(name, value)) || holds_secret(value) {
        tell(path.key(name), context);
    }
}

/// Checks a setting of Patroni and everything below it.
fn setting(path: &FieldPath, name: &str, value: &Value, context: &mut Context) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                setting(&path.key(name), key, value, context);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                element(&path.key(name).index(index), item, context);
            }
        }
        Value::String(text) if is_secret(name, text) || holds_secret(text) => tell(path.key(name), context),
        _ => {}
    }
}

/// Checks an element of a list and everything below it.
fn element(path: &FieldPath, value: &Value, context: &mut Context) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                setting(path, key, value, context);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                element(&path.index(index), item, context);
            }
        }
        Value::String(text) if holds_secret(text) => tell(path.clone(), context),
        _ => {}
    }
}

fn tell(path: FieldPath, context: &mut Context) {
    let message = "looks like a secret, but pgrender writes it to a ConfigMap, and Patroni shows it to everybody who \
                   can connect to its port: write it in a file of `spec.config.files` and refer to that file, use a \
                   client certificate, or set it with `ALTER SYSTEM` or `ALTER DATABASE`";
    context.warning(path, message);
}

/// Whether the value of the setting `name` is a secret. A number, a boolean or the location of a secret is not.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_lowercase();
    let switch = ["on", "off", "true", "false", "yes", "no"].contains(&value.to_lowercase().as_str());
    WORDS.iter().any(|word| name.contains(word))
        && !PLACES.iter().any(|place| name.ends_with(place))
        && !value.is_empty()
        && !switch
        && value.parse::<f64>().is_err()
}

/// Whether a value contains a secret, whatever its setting is.
pub(crate) fn holds_secret(value: &str) -> bool {
    (value.contains('=') && ASSIGNED.is_match(value)) || (value.contains("://") && IN_URL.is_match(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_a_secret_from_a_number_a_switch_and_a_place() {
        for (name, value) in [
            ("anon.salt_secret", "abc"),
            ("vault.token", "s.abc"),
            ("pgx.PASSWORD", "0x1"),
            ("x.api_key", "sk-1"),
            ("password", "12ab"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("credcheck.password_min_length", "8"),
            ("credcheck.password_ignore_case", "on"),
            ("vault.token_file", "/etc/postgres/token"),
            ("x.token", ""),
            ("auto_explain.log_format", "json"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn a_connection_string_or_a_command_may_hold_a_secret() {
        for value in [
            "host=a password=hush",
            "host=a password = 'hush'",
            "user=a sslpassword=hush",
            "postgresql://a:hush@b/c",
            "postgresql://b/c?user=a&password=hush",
            "PGPASSWORD=hush psql",
            "AWS_SECRET_ACCESS_KEY=hush aws s3 cp",
        ] {
            assert!(holds_secret(value), "{value}");
        }
        for value in [
            "host=a passfile=/etc/postgres/pgpass",
            "host=a sslkey=/tmp/replication/tls.key",
            "postgresql://a@b:5432/c",
            "PGPASSWORD=$PASSWORD psql",
            "password=",
            r#"pgbackrest --stanza=db archive-get %f "%p""#,
        ] {
            assert!(!holds_secret(value), "{value}");
        }
    }
}
