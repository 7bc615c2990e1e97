//! When Postgres and pgBouncer read a setting.

/// The parameters of Postgres that are read only at its start (`context` is `postmaster` in `pg_settings`), with the versions in
/// which that is so if it is not so in all.
const RESTART: &str = include_str!("restart_parameters.txt");

/// The settings of pgBouncer that are read only at its start (`changeable` is `no` in `SHOW CONFIG`).
pub const PGBOUNCER_RESTART: [&str; 14] = [
    "disable_pqexec",
    "job_name",
    "listen_addr",
    "listen_backlog",
    "listen_port",
    "pidfile",
    "pkt_buf",
    "resolv_conf",
    "so_reuseport",
    "track_extra_parameters",
    "unix_socket_dir",
    "unix_socket_group",
    "unix_socket_mode",
    "user",
];

/// The parameters of extensions that are read only at the start.
const EXTENSIONS_RESTART: [&str; 3] = ["cron.database_name", "cron.host", "pg_stat_statements.max"];

/// The extensions whose other parameters are read at any time.
const EXTENSIONS_RELOAD: [&str; 5] = ["auto_explain", "pg_stat_statements", "pgaudit", "plpgsql", "plpython"];

/// When Postgres reads a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reads {
    /// Whenever its configuration is reloaded.
    AnyTime,
    /// Only at its start.
    AtStart,
    /// That depends on an extension.
    Unknown,
}

/// When Postgres of a major version reads a parameter. Names are compared without regard to case, as Postgres does.
pub fn reads(name: &str, version: u64) -> Reads {
    let name = name.to_ascii_lowercase();
    if EXTENSIONS_RESTART.contains(&name.as_str()) {
        return Reads::AtStart;
    }
    if let Some((extension, _)) = name.split_once('.') {
        return if EXTENSIONS_RELOAD.contains(&extension) { Reads::AnyTime } else { Reads::Unknown };
    }
    let is_restart = RESTART.lines().any(|line| {
        let mut words = line.split(' ');
        words.next() == Some(name.as_str()) && words.next().is_none_or(|range| includes(range, version))
    });
    if is_restart { Reads::AtStart } else { Reads::AnyTime }
}

/// Whether two values are the same in different units (PostgreSQL, "Parameter Names and Values").
pub fn is_same(old: &str, new: &str) -> bool {
    match (in_base_unit(old), in_base_unit(new)) {
        (Some((old, unit)), Some((new, other))) => unit == other && (old - new).abs() < f64::EPSILON,
        _ => false,
    }
}

/// The value of a number with a unit in bytes or microseconds.
fn in_base_unit(text: &str) -> Option<(f64, &'static str)> {
    const UNITS: [(&str, f64, &str); 11] = [
        ("kB", 1024.0, "B"),
        ("MB", 1_048_576.0, "B"),
        ("GB", 1_073_741_824.0, "B"),
        ("TB", 1_099_511_627_776.0, "B"),
        ("us", 1.0, "us"),
        ("ms", 1e3, "us"),
        ("min", 6e7, "us"),
        ("h", 3.6e9, "us"),
        ("d", 8.64e10, "us"),
        ("s", 1e6, "us"),
        ("B", 1.0, "B"),
    ];
    let text = text.trim();
    UNITS.iter().find_map(|(suffix, factor, base)| {
        let number = text.strip_suffix(suffix)?.trim_end().parse::<f64>().ok()?;
        Some((number * factor, *base))
    })
}

/// Whether a range such as `12-14`, `14-` or `-17` includes a version. The end is the first version that it does not include.
fn includes(range: &str, version: u64) -> bool {
    let (from, until) = range.split_once('-').unwrap_or((range, range));
    let bound = |text: &str, absent: u64| text.parse().unwrap_or(absent);
    (bound(from, 0)..bound(until, u64::MAX)).contains(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_differ() {
        assert_eq!(reads("autovacuum_max_workers", 17), Reads::AtStart);
        assert_eq!(reads("autovacuum_max_workers", 18), Reads::AnyTime);
        assert_eq!(reads("restore_command", 13), Reads::AtStart);
        assert_eq!(reads("restore_command", 14), Reads::AnyTime);
        assert_eq!(reads("Shared_Buffers", 17), Reads::AtStart);
        assert_eq!(reads("work_mem", 17), Reads::AnyTime);
        assert_eq!(reads("pgaudit.log", 17), Reads::AnyTime);
        assert_eq!(reads("zoo.animals", 17), Reads::Unknown);
    }

    #[test]
    fn units_differ_and_values_do_not() {
        for (one, other) in
            [("512MB", "524288kB"), ("0.5GB", "512 MB"), ("60s", "1min"), ("1h", "3600s"), ("1kB", "1024B")]
        {
            assert!(is_same(one, other), "{one} {other}");
        }
        for (one, other) in [("512MB", "512kB"), ("60", "1min"), ("1s", "1MB"), ("on", "off"), ("100", "100")] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }
}
