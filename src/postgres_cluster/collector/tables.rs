//! What the collector measures about each table of the databases in `perDBMetricTargets`. The names are PGO's.

use serde_json::{Value, json};

use super::parts::literal;

const SQL: &str = include_str!("tables.sql");

/// The columns that identify a table.
const LABELS: [&str; 3] = ["dbname", "schemaname", "relname"];

/// How the values of a metric behave.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// They go up and down.
    Gauge,
    /// They go up until the statistics are reset.
    Sum,
}

/// Each metric, the column of its values, how they behave, and a description.
const METRICS: [(&str, &str, Kind, &str); 16] = [
    ("ccp_table_size_bytes", "bytes", Kind::Gauge, "Size with indexes and TOAST"),
    ("ccp_stat_user_tables_seq_scan", "seq_scan", Kind::Sum, "Sequential scans"),
    ("ccp_stat_user_tables_seq_tup_read", "seq_tup_read", Kind::Sum, "Live rows that sequential scans read"),
    ("ccp_stat_user_tables_idx_scan", "idx_scan", Kind::Sum, "Index scans"),
    ("ccp_stat_user_tables_idx_tup_fetch", "idx_tup_fetch", Kind::Sum, "Live rows that index scans fetched"),
    ("ccp_stat_user_tables_n_tup_ins", "n_tup_ins", Kind::Sum, "Rows that were inserted"),
    ("ccp_stat_user_tables_n_tup_upd", "n_tup_upd", Kind::Sum, "Rows that were updated"),
    ("ccp_stat_user_tables_n_tup_del", "n_tup_del", Kind::Sum, "Rows that were deleted"),
    ("ccp_stat_user_tables_n_tup_hot_upd", "n_tup_hot_upd", Kind::Sum, "Rows that were updated without their indexes"),
    (
        "ccp_stat_user_tables_n_tup_newpage_upd",
        "n_tup_newpage_upd",
        Kind::Sum,
        "Rows that were updated onto another page",
    ),
    ("ccp_stat_user_tables_n_live_tup", "n_live_tup", Kind::Gauge, "Estimated live rows"),
    ("ccp_stat_user_tables_n_dead_tup", "n_dead_tup", Kind::Gauge, "Estimated dead rows"),
    ("ccp_stat_user_tables_vacuum_count", "vacuum_count", Kind::Sum, "How often VACUUM ran"),
    ("ccp_stat_user_tables_autovacuum_count", "autovacuum_count", Kind::Sum, "How often autovacuum ran"),
    ("ccp_stat_user_tables_analyze_count", "analyze_count", Kind::Sum, "How often ANALYZE ran"),
    ("ccp_stat_user_tables_autoanalyze_count", "autoanalyze_count", Kind::Sum, "How often autovacuum ran ANALYZE"),
];

/// The names of the metrics.
pub(crate) fn names() -> impl Iterator<Item = String> {
    METRICS.into_iter().map(|(name, ..)| name.to_owned())
}

/// Returns the queries without the metrics in `removed`; `None` if nothing remains. `server` is a label of all metrics.
pub(crate) fn queries(removed: &[String], server: &str) -> Option<Value> {
    let metrics = METRICS.into_iter().filter(|(name, ..)| !removed.iter().any(|other| other == name));
    let metrics: Vec<_> = metrics
        .map(|(name, column, kind, description)| {
            json!({
                "attribute_columns": LABELS,
                "data_type": if kind == Kind::Sum { "sum" } else { "gauge" },
                "description": description,
                "metric_name": name,
                "static_attributes": {"server": server},
                "value_column": column,
            })
        })
        .collect();
    (!metrics.is_empty()).then(|| json!([{"metrics": metrics, "sql": literal(SQL)}]))
}
