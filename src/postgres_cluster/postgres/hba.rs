//! The lines of `pg_hba.conf`, which say who can connect from where and how (PGO's `internal/postgres/hba.go`). Postgres uses
//! the first line that matches.

use serde_json::Value;

use crate::naming::{MONITORING_USER, PGBOUNCER_USER, REPLICATION_MAP, REPLICATION_USER};
use crate::postgres_cluster::cluster::Cluster;

/// Returns every line. The lines for pgrender's own roles come first, so that no rule of the user can override them. If the
/// user has no rules, any role with a password can connect over TLS.
pub fn hba(cluster: &Cluster) -> Vec<String> {
    let mut lines = vec![
        // For Patroni and the caretaker, over the socket.
        r#"local all "postgres" "peer""#.to_owned(),
        // For replicas, and for pg_rewind, which needs a database. The map says whose certificates are accepted.
        format!(r#"hostssl replication "{REPLICATION_USER}" all "cert" map={REPLICATION_MAP}"#),
        format!(r#"hostssl "postgres" "{REPLICATION_USER}" all "cert" map={REPLICATION_MAP}"#),
        format!(r#"host all "{REPLICATION_USER}" all "reject""#),
    ];
    if cluster.exporter.is_some() {
        lines.extend([
            format!(r#"host all "{MONITORING_USER}" "127.0.0.0/8" "scram-sha-256""#),
            format!(r#"host all "{MONITORING_USER}" "::1/128" "scram-sha-256""#),
            format!(r#"host all "{MONITORING_USER}" all "reject""#),
        ]);
    }
    if cluster.pgbouncer.is_some() {
        lines.extend([
            // pgBouncer looks up verifiers in this database. In any other database, functions that other roles created could
            // run as its role.
            format!(r#"hostssl "postgres" "{PGBOUNCER_USER}" all "scram-sha-256""#),
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

/// Returns the lines in `patroni.dynamicConfiguration`.
fn dynamic_rules(cluster: &Cluster) -> impl Iterator<Item = String> {
    let section = cluster.patroni.dynamic_configuration.get("postgresql");
    let rules = section.and_then(|section| section.get("pg_hba")).and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}
