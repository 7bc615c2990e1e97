//! The rules for `spec.config.parameters`: users cannot set parameters that PGO sets, or that would break the cluster.

use serde_json::Value;

use super::{Rule, has, has_key_with_prefix};

fn lacks(parameters: &Value, names: &[&str]) -> bool {
    !names.iter().any(|name| has(parameters, name))
}

/// Whether no parameter changes `ssl` or `ssl_*`. The two exceptions only choose among safe values.
fn leaves_tls_alone(parameters: &Value) -> bool {
    let free = ["ssl_groups", "ssl_ecdh_curve"];
    let keys = parameters.as_object().into_iter().flat_map(|object| object.keys());
    lacks(parameters, &["ssl"]) && !keys.into_iter().any(|key| key.starts_with("ssl_") && !free.contains(&key.as_str()))
}

fn needs_a_version_with_groups(spec: &Value) -> bool {
    spec.pointer("/config/parameters/ssl_groups").is_none() || spec["postgresVersion"].as_i64() > Some(17)
}

/// The rules of the whole spec.
pub(crate) const OF_SPEC: &[Rule] = &[Rule {
    text: "!has(self.?config.parameters.ssl_groups) || self.postgresVersion > 17",
    holds: needs_a_version_with_groups,
    message: "`config.parameters.ssl_groups` needs `postgresVersion` 18 or later: remove it",
}];

/// The rules of the parameters alone.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        text: "!has(self.config_file) && !has(self.data_directory)",
        holds: |parameters| lacks(parameters, &["config_file", "data_directory"]),
        message: "the path of PGDATA is fixed: remove `config_file` and `data_directory`",
    },
    Rule {
        text: "!has(self.external_pid_file)",
        holds: |parameters| lacks(parameters, &["external_pid_file"]),
        message: "the PID file is fixed: remove `external_pid_file`",
    },
    Rule {
        text: "!has(self.hba_file) && !has(self.ident_file)",
        holds: |parameters| lacks(parameters, &["hba_file", "ident_file"]),
        message: "the authentication files are fixed: remove `hba_file` and `ident_file`, write `authentication.rules`",
    },
    Rule {
        text: "!has(self.listen_addresses)",
        holds: |parameters| lacks(parameters, &["listen_addresses"]),
        message: "Postgres always listens on the network: remove `listen_addresses`",
    },
    Rule {
        text: "!has(self.port)",
        holds: |parameters| lacks(parameters, &["port"]),
        message: "the port is set in `spec.port`: remove `port`, and write `spec.port`",
    },
    Rule {
        text: r#"!has(self.ssl) && !self.exists(k, k.startsWith("ssl_") && !(k == 'ssl_groups' || k == 'ssl_ecdh_curve'))"#,
        holds: leaves_tls_alone,
        message: "TLS is always on: remove `ssl` and every `ssl_…` except `ssl_groups` and `ssl_ecdh_curve`",
    },
    Rule {
        text: r#"!self.exists(k, k.startsWith("unix_socket_"))"#,
        holds: |parameters| !has_key_with_prefix(parameters, "unix_socket_"),
        message: "the socket is fixed: remove every `unix_socket_…`",
    },
    Rule {
        text: r#"!has(self.wal_level) || self.wal_level in ["logical"]"#,
        holds: |parameters| parameters.get("wal_level").is_none_or(|level| level == "logical"),
        message: "`wal_level` is always `logical`: write `wal_level: logical`, or remove `wal_level`",
    },
    Rule {
        text: "!has(self.wal_log_hints)",
        holds: |parameters| lacks(parameters, &["wal_log_hints"]),
        message: "`wal_log_hints` is always on, because pg_rewind needs it: remove `wal_log_hints`",
    },
    Rule {
        text: "!has(self.archive_mode) && !has(self.archive_command) && !has(self.restore_command)",
        holds: |parameters| lacks(parameters, &["archive_mode", "archive_command", "restore_command"]),
        message: "pgBackRest archives the WAL: remove `archive_mode`, `archive_command` and `restore_command`",
    },
    Rule {
        text: r#"!has(self.recovery_target) && !self.exists(k, k.startsWith("recovery_target_"))"#,
        holds: |parameters| {
            lacks(parameters, &["recovery_target"]) && !has_key_with_prefix(parameters, "recovery_target_")
        },
        message: "a recovery target is an option of a restore: remove every `recovery_target…`, write the options of \
                  `dataSource`",
    },
    Rule {
        text: "!has(self.hot_standby)",
        holds: |parameters| lacks(parameters, &["hot_standby"]),
        message: "replicas always accept queries: remove `hot_standby`",
    },
    Rule {
        text: "!has(self.synchronous_standby_names)",
        holds: |parameters| lacks(parameters, &["synchronous_standby_names"]),
        message: "Patroni sets the synchronous standbys: remove `synchronous_standby_names`",
    },
    Rule {
        text: "!has(self.primary_conninfo) && !has(self.primary_slot_name)",
        holds: |parameters| lacks(parameters, &["primary_conninfo", "primary_slot_name"]),
        message: "Patroni connects the replicas to the primary: remove `primary_conninfo` and `primary_slot_name`",
    },
    Rule {
        text: "!has(self.recovery_min_apply_delay)",
        holds: |parameters| lacks(parameters, &["recovery_min_apply_delay"]),
        message: "delayed replication is not supported: remove `recovery_min_apply_delay`",
    },
    Rule {
        text: "!has(self.cluster_name)",
        holds: |parameters| lacks(parameters, &["cluster_name"]),
        message: "the name comes from the PostgresCluster: remove `cluster_name`",
    },
    Rule {
        text: "!has(self.logging_collector)",
        holds: |parameters| lacks(parameters, &["logging_collector"]),
        message: "the log collector must run: remove `logging_collector`",
    },
    Rule {
        text: "!has(self.log_file_mode)",
        holds: |parameters| lacks(parameters, &["log_file_mode"]),
        message: "the mode of log files is fixed: remove `log_file_mode`",
    },
];
