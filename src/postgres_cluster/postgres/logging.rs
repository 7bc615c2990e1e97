//! How Postgres writes logs to files that the collector reads.

use crate::postgres_cluster::collector::model::Collector;

/// Whether this version writes its logs as JSON. Earlier ones write CSV.
pub fn is_json(version: u16) -> bool {
    version >= 15
}

/// Returns the parameters. Postgres writes one file for each part of a period of time, and begins again with the first file when
/// the period is over (PostgreSQL, `log_truncate_on_rotation`). So no line is lost before the retention period is over, and the
/// files do not grow for ever. They are those of PGO (`internal/collector/postgres.go`).
pub(crate) fn parameters(version: u16, collector: &Collector) -> [(&'static str, &'static str); 7] {
    let (file_name, age) = match collector.retention_hours {
        ..=1 => ("postgresql-%M.log", "1min"),
        2..=24 => ("postgresql-%H.log", "1h"),
        25..=168 => ("postgresql-%a.log", "1d"),
        169..=672 => ("postgresql-%d.log", "1d"),
        _ => ("postgresql-%j.log", "1d"),
    };
    [
        ("log_destination", if is_json(version) { "jsonlog" } else { "csvlog" }),
        ("log_filename", file_name),
        ("log_rotation_age", age),
        ("log_rotation_size", "0"),
        ("log_timezone", "UTC"),
        ("log_truncate_on_rotation", "on"),
        ("logging_collector", "on"),
    ]
}
