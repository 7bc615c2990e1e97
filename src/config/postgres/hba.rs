//! Who may connect from where and how: the lines of `pg_hba.conf` (PGO's `internal/postgres/hba.go`). Postgres takes
//! the first that matches.

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
            // Where it asks for verifiers. In any other database, functions of others may wait for it.
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

/// The lines inside `patroni.dynamicConfiguration`.
fn dynamic_rules(cluster: &Cluster) -> impl Iterator<Item = String> {
    let section = cluster.patroni.dynamic_configuration.get("postgresql");
    let rules = section.and_then(|section| section.get("pg_hba")).and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}
