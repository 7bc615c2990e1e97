//! Checks options in pgBackRest's files (`common/ini.c`, `config/parse.c`). A line is `name = value`. pgBackRest strips white
//! space at both ends. A line that begins with `#` is a comment, a line that begins with `[` is a section, and the first `=`
//! ends the name.

use crate::diagnostic::line;
use crate::naming::PGBACKREST_PORT;

/// Options that pgBackRest accepts only on its command line.
pub const COMMAND_LINE: [&str; 25] = [
    "config",
    "config-include-path",
    "config-path",
    "dry-run",
    "exec-id",
    "filter",
    "force",
    "ignore-missing",
    "online",
    "output",
    "pg",
    "process",
    "raw",
    "recurse",
    "remote-type",
    "repo",
    "set",
    "sort",
    "stanza",
    "target",
    "target-action",
    "target-exclusive",
    "target-timeline",
    "type",
    "verbose",
];

/// Checks the name of an option.
///
/// # Errors
/// If pgBackRest would not read the text as the name of an option.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name {
        return Ok(());
    }
    Err("is not a valid name of an option: write lower-case letters, digits and `-`, as in `repo1-retention-full`"
        .to_owned())
}

/// Checks the value of an option.
///
/// # Errors
/// If pgBackRest would refuse the value or read it as something else.
pub fn check_value(value: &str) -> Result<(), String> {
    line::check(value)?;
    if value.trim_matches([' ', '\t']).is_empty() {
        return Err(
            "pgBackRest does not accept an option without a value: write a value, or remove the option".to_owned()
        );
    }
    if value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
        return Err("pgBackRest ignores spaces and tabs at the beginning and end of a value: remove them".to_owned());
    }
    Ok(())
}

/// Returns why an option is not allowed in `global`: it would disable what protects the repositories from others.
pub fn refusal(name: &str, value: &str) -> Option<&'static str> {
    match name {
        "tls-server-port" if value != PGBACKREST_PORT.to_string() => {
            Some("must be 8432, because all clients of pgBackRest's servers connect to this port: remove it")
        }
        "tls-server-auth" => Some(
            "would allow other clients to read and write every repository and the data of every instance; the clients \
             of this cluster are already authorized: remove it",
        ),
        "tls-server-address" => Some(
            "is already set, and pgBackRest's server does not start if it is set twice: remove it; for IPv6, annotate \
             the cluster with `postgres-operator.crunchydata.com/pgbackrest-ip-version: IPv6`",
        ),
        "tls-server-ca-file" | "tls-server-cert-file" | "tls-server-key-file" => {
            Some("is already set, and pgBackRest's server does not start if it is set twice: remove it")
        }
        _ => None,
    }
}

/// Returns why no program reads an option in `global`.
pub fn without_effect(name: &str) -> Option<&'static str> {
    let number = name.strip_prefix("pg").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let of_postgres = number.is_some_and(|rest| rest.starts_with('-'));
    if of_postgres {
        return Some(
            "has no effect: pgBackRest reads it only from the section of the stanza, which pgrender writes for each \
             instance; remove it",
        );
    }
    COMMAND_LINE
        .contains(&name)
        .then_some("has no effect: pgBackRest reads it only from the command line, which pgrender writes; remove it")
}

/// Splits the name of an option into the number of the repository and the rest.
pub fn of_repository(name: &str) -> Option<(u8, &str)> {
    let (number, rest) = name.strip_prefix("repo")?.split_once('-')?;
    Some((number.parse().ok()?, rest))
}

/// Returns the current name of an option that has an old name. pgBackRest runs no command if a file has both names
/// (`config/parse.c`).
pub fn current_name(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("repo-") {
        let written = ["path", "type", "s3-bucket", "s3-endpoint", "s3-region", "gcs-bucket", "azure-container"];
        let is_written = rest == "host" || rest.starts_with("host-") || written.contains(&rest);
        return is_written.then(|| format!("repo1-{rest}"));
    }
    match name {
        "backup-host" => return Some("repo1-host".to_owned()),
        "backup-user" => return Some("repo1-host-user".to_owned()),
        _ => {}
    }
    let (number, rest) = name.strip_prefix("db")?.split_once('-')?;
    let option = match rest {
        "path" | "port" | "socket-path" | "host" => rest,
        "user" => "host-user",
        _ => return None,
    };
    let number = if number.is_empty() { "1" } else { number };
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("pg{number}-{option}"))
}

/// Whether the value of an option is a secret. The path of a file with a secret is not.
pub fn is_secret(name: &str) -> bool {
    let of_repository = name.strip_prefix("repo").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let secrets = [
        "-azure-key",
        "-cipher-pass",
        "-s3-key",
        "-s3-key-secret",
        "-s3-sse-customer-key",
        "-s3-token",
        "-sftp-private-key-passphrase",
    ];
    of_repository.is_some_and(|rest| secrets.contains(&rest))
}

/// Returns how an option with this value weakens the protection of data. The option is rendered all the same.
pub fn weakness(name: &str, value: &str) -> Option<&'static str> {
    let off = value == "n";
    let of_repository = name.strip_prefix("repo").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    match (name, of_repository) {
        (_, Some("-storage-verify-tls" | "-s3-verify-tls" | "-azure-verify-tls" | "-gcs-verify-tls")) if off => Some(
            "an attacker between the cluster and the storage can read and change backups: write the CA of the storage \
             in `repoN-storage-ca-file` instead",
        ),
        ("archive-check", _) if off => Some(
            "pgBackRest reports success even if WAL that the backup needs is not in the archive, and then the backup \
             cannot be restored: remove it",
        ),
        ("archive-header-check", _) if off => Some(
            "pgBackRest no longer detects WAL of another cluster, so two clusters can corrupt each other's archive: \
             remove it",
        ),
        ("page-header-check", _) if off => Some("pgBackRest no longer detects pages with a damaged header: remove it"),
        ("exclude", _) => Some(
            "backups do not contain these files, so replicas and restored clusters are created without them: remove it",
        ),
        ("checksum-page", _) if off => Some("pgBackRest backs up corrupted pages without a warning: remove it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_of_an_option() {
        for name in ["repo1-path", "compress-level", "process-max"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in
            ["", "[db]", "]x", "%include x", "a=b", "#a", ";a", "a b", " a", "a ", "A", "-a", "a\nb", "a\u{2028}b", "é"]
        {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_value_is_one_value() {
        for value in ["n", "a = b # c ; d", "[db]", "\"x\"", "/a b"] {
            assert_eq!(check_value(value), Ok(()), "{value}");
        }
        for value in ["", " ", " a", "a ", "a\t", "a\nb", "a\rb", "a\0b", "a\u{85}b"] {
            assert!(check_value(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn an_old_name_of_what_is_written_is_known() {
        for (old, new) in [
            ("repo-path", "repo1-path"),
            ("repo-s3-bucket", "repo1-s3-bucket"),
            ("backup-host", "repo1-host"),
            ("backup-user", "repo1-host-user"),
            ("db-path", "pg1-path"),
            ("db2-port", "pg2-port"),
        ] {
            assert_eq!(current_name(old).as_deref(), Some(new));
        }
        for name in
            ["repo1-path", "backup-standby", "db-timeout", "db-exclude", "repo-cipher-type", "pg1-path", "dbx-path"]
        {
            assert_eq!(current_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_secret_is_told_from_its_place() {
        for name in ["repo1-cipher-pass", "repo4-s3-key-secret", "repo-s3-key", "repo2-azure-key"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["repo1-gcs-key", "repo1-s3-key-type", "repo1-host-key-file", "repo1-s3-kms-key-id"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn who_is_let_in_is_not_for_the_spec() {
        assert!(refusal("tls-server-auth", "x").is_some());
        assert!(refusal("tls-server-port", "9999").is_some() && refusal("tls-server-port", "8432").is_none());
        assert!(weakness("repo2-storage-verify-tls", "n").is_some());
        assert!(weakness("repo2-storage-verify-tls", "y").is_none());
        assert!(weakness("repo1-path", "n").is_none());
    }
}
