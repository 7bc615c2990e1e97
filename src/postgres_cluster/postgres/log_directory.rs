//! Decides where Postgres can write its logs. Directories with Postgres' own files are not allowed: log rotation could delete,
//! or a log could overwrite, what the database needs (PGO's `sanitizeLogDirectory`).

use crate::postgres_cluster::directories::{clean_path, data_directory_of};

/// The default of `log_directory`.
pub(crate) const DEFAULT: &str = "/pgdata/logs/postgres";

/// Prefixes of the files of Postgres, Patroni and pgBackRest in the data directory.
const DATA_DIRECTORY_PREFIXES: [&str; 9] =
    ["archive", "base", "current", "global", "patroni", "pg_", "PG_", "postgresql", "postmaster"];

/// A value of `log_directory` that is safe to use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogDirectory {
    /// An absolute path.
    pub path: String,
    /// Whether it differs from the directory of the user, so that the user needs a warning.
    pub changed: bool,
}

/// Returns the directory that the user's `log_directory` means, or a safe one instead. A relative path is relative to the data
/// directory, as in Postgres.
pub fn log_directory(postgres_version: u16, value: &str) -> LogDirectory {
    let data_directory = data_directory_of(postgres_version);
    let path = clean_path(value);
    if path == "log" {
        return LogDirectory { path: format!("{data_directory}/log"), changed: false };
    }
    if path.is_empty() || path == "/" || is_sensitive(&path) {
        let volume = ["/pgtmp", "/pgwal"].into_iter().find(|volume| below(&path, volume).is_some());
        return LogDirectory { path: format!("{}/logs/postgres", volume.unwrap_or("/pgdata")), changed: true };
    }
    if path.starts_with('/') {
        return LogDirectory { path, changed: false };
    }
    LogDirectory { path: format!("{data_directory}/{path}"), changed: true }
}

/// Returns the part of `path` below `directory`; empty for `directory` itself, and `None` if it is not below it.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(directory)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Whether the clean `path` is, or is inside, a directory with Postgres' own files.
fn is_sensitive(path: &str) -> bool {
    if path.starts_with('/') {
        let inside = ["/pgdata", "/pgtmp", "/pgwal"].into_iter().find_map(|volume| below(path, volume));
        return inside.and_then(|inside| inside.split('/').next()).is_some_and(is_volume_entry_of_postgres);
    }
    let segment_file = path.len() >= 24 && path.bytes().take(24).all(|byte| byte.is_ascii_hexdigit());
    DATA_DIRECTORY_PREFIXES.into_iter().any(|prefix| path.starts_with(prefix))
        || segment_file
        || path.ends_with(".history")
        || path.ends_with(".partial")
}

/// Whether the name is `pg17`, `pg17_wal` or `pgsql_tmp`: entries of Postgres at the root of a volume.
fn is_volume_entry_of_postgres(name: &str) -> bool {
    let version = name.strip_prefix("pg").map(|rest| rest.strip_suffix("_wal").unwrap_or(rest));
    let is_version =
        version.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    is_version || name == "pgsql_tmp"
}

#[cfg(test)]
mod tests {
    use super::log_directory;

    #[test]
    fn logs_go_where_the_user_says_when_that_is_safe() {
        for (value, path) in [
            ("log", "/pgdata/pg17/log"),
            ("./log/", "/pgdata/pg17/log"),
            ("/pgdata/logs//postgres/", "/pgdata/logs/postgres"),
            ("/volumes/logs", "/volumes/logs"),
            ("/pgdata/pg17_logs", "/pgdata/pg17_logs"),
            ("/pgdatabase/pg17", "/pgdatabase/pg17"),
        ] {
            let directory = log_directory(17, value);
            assert_eq!((directory.path.as_str(), directory.changed), (path, false), "{value}");
        }
    }

    #[test]
    fn logs_never_go_among_the_files_of_postgres() {
        for (value, path) in [
            ("", "/pgdata/logs/postgres"),
            ("..", "/pgdata/logs/postgres"),
            ("/", "/pgdata/logs/postgres"),
            ("base/1", "/pgdata/logs/postgres"),
            ("pg_wal", "/pgdata/logs/postgres"),
            ("../pg_wal", "/pgdata/logs/postgres"),
            ("000000010000000000000001", "/pgdata/logs/postgres"),
            ("00000002.history", "/pgdata/logs/postgres"),
            ("/pgdata/pg17", "/pgdata/logs/postgres"),
            ("/pgdata/logs/../pg17/base", "/pgdata/logs/postgres"),
            ("/pgwal/pg17_wal", "/pgwal/logs/postgres"),
            ("/pgtmp/pgsql_tmp/x", "/pgtmp/logs/postgres"),
            ("some/where", "/pgdata/pg17/some/where"),
            ("../../elsewhere", "/pgdata/pg17/elsewhere"),
        ] {
            let directory = log_directory(17, value);
            assert_eq!((directory.path.as_str(), directory.changed), (path, true), "{value}");
        }
    }
}
