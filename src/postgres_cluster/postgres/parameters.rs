//! Checks parameters of Postgres that have no effect, or another effect than written: Postgres does not have them, another
//! field of the spec overrides them, or pgrender or Patroni sets them. Parameters that cannot be written at all are refused in
//! `dynamic_configuration.rs`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{parameter, parameter_name, parameter_risk, parameter_value};
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::patroni::setting;
use crate::postgres_cluster::postgres;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// The parameters that must be the same on all instances: the lowest value that Patroni accepts, and the value that it uses
/// otherwise (`ConfigHandler.CMDLINE_OPTIONS`).
const LEAST: [(&str, i64, i64); 6] = [
    ("max_connections", 25, 100),
    ("max_wal_senders", 3, 10),
    ("max_prepared_transactions", 0, 0),
    ("max_locks_per_transaction", 32, 64),
    ("max_replication_slots", 4, 10),
    ("max_worker_processes", 2, 8),
];

/// Sections whose parameters override those in `parameters`, in the versions of Patroni that have them.
const OF_ROLES: [&str; 3] = ["parameters_primary", "parameters_replica", "parameters_standby_leader"];

/// Reports each of these parameters.
pub(crate) fn check(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    let mut checker =
        Checker { cluster, fixed: postgres::configuration::fixed(cluster), context, suggestions: words::SUGGESTIONS };
    let dynamic = &cluster.patroni.dynamic_configuration;
    let section =
        |name: &str| dynamic.get("postgresql").and_then(|section| section.get(name)).and_then(Value::as_object);
    let path = FieldPath::of("spec.patroni.dynamicConfiguration.postgresql");
    if let Some(parameters) = section("parameters") {
        checker.dynamic(parameters, &path.key("parameters"));
    }
    for role in OF_ROLES {
        for (name, value) in section(role).into_iter().flatten() {
            checker.of_role(name, value, path.key(role).key(name));
        }
    }
    for name in spec.config.iter().flat_map(|config| config.parameters.keys()) {
        let lower = name.to_lowercase();
        if let Some(value) = cluster.postgres.parameters.get(&lower) {
            checker.parameter(&lower, value, &FieldPath::of("spec.config.parameters").key(name));
        }
    }
}

struct Checker<'a, 'b> {
    cluster: &'a Cluster,
    /// The parameters that pgrender always sets.
    fixed: BTreeMap<String, String>,
    context: &'a mut Context<'b>,
    /// For how many more unknown names a suggestion is searched.
    suggestions: usize,
}

impl Checker<'_, '_> {
    /// Checks `parameters` of Patroni's dynamic configuration.
    fn dynamic(&mut self, parameters: &Map<String, Value>, path: &FieldPath) {
        let mut found = BTreeMap::new();
        for (name, value) in parameters.iter().filter(|(name, _)| parameter::check_name(name).is_ok()) {
            let value = match value {
                // `dynamic_configuration.rs` refuses lists and mappings.
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
                other => text(other),
            };
            let lower = name.to_lowercase();
            let at = path.key(name);
            if let Some(first) = found.insert(lower.clone(), name) {
                let message = format!(
                    "is the same parameter as `{first}`, because Postgres does not distinguish upper and lower case: \
                     keep only one"
                );
                self.context.warning(at, message);
                continue;
            }
            let wins = self.cluster.postgres.parameters.get(&lower);
            if wins.is_some_and(|wins| !same(wins, &value)) {
                let message = "has no effect: `spec.config.parameters` also has this parameter and takes precedence; \
                               keep only one";
                self.context.warning(at, message);
                continue;
            }
            if lower == "log_directory" {
                let directory = postgres::configuration::log_directory(self.cluster.postgres_version, &value);
                if directory.changed {
                    self.context.warning(at.clone(), format!("logs are written to `{}`", directory.path));
                }
            }
            self.parameter(&lower, &value, &at);
        }
    }

    /// Checks a parameter that overrides one of [`Self::fixed`] for one role.
    fn of_role(&mut self, name: &str, value: &Value, path: FieldPath) {
        let lower = name.to_lowercase();
        if self.fixed.contains_key(&lower) || lower == "data_directory" || lower == "hba_file" || lower == "ident_file"
        {
            let message =
                "is set to a fixed value for all instances, because the cluster does not work without it: remove it";
            self.context.error(path, message);
        } else if let Some(stake) = parameter_risk::risk(&lower, &text(value)) {
            self.context.warning(path, stake);
        }
    }

    /// Checks a parameter that no other field of the spec overrides. Its name is in lower case.
    fn parameter(&mut self, name: &str, value: &str, path: &FieldPath) {
        if name == "data_directory" {
            let message = "Postgres would use another data directory than Patroni: remove it, because the path of \
                           PGDATA is fixed";
            self.context.error(path.clone(), message);
        } else if let Some(message) = parameter::library_fault(name, value) {
            self.context.error(path.clone(), message);
        } else if let Some(message) = self
            .overridden(name, value)
            .or_else(|| self.unknown(name))
            .or_else(|| below(name, value))
            .or_else(|| unread(name, value))
            .or_else(|| parameter_risk::risk(name, value).map(str::to_owned))
        {
            self.context.warning(path.clone(), message);
        } else if name == "password_encryption" && !value.eq_ignore_ascii_case("scram-sha-256") {
            let message = "if a role changes its own password, rules with `scram-sha-256`, such as those of pgrender, \
                           reject it: write `scram-sha-256`, or remove it";
            self.context.warning(path.clone(), message);
        }
    }

    /// Returns the value that is used instead, if it differs.
    fn overridden(&self, name: &str, value: &str) -> Option<String> {
        if let Some(fixed) = self.fixed.get(name) {
            let instead = self.instead(name);
            return (!same(fixed, value)).then(|| format!("has no effect: the value is always `{fixed}`; {instead}"));
        }
        let counts = |counts: &str, instead: &str| {
            (!same(counts, value)).then(|| format!("has no effect: Patroni always sets `{counts}`; {instead}"))
        };
        let synchronous = self.cluster.patroni.dynamic_configuration.get("synchronous_mode");
        let synchronous = setting::is_on(synchronous)
            || synchronous.and_then(Value::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("quorum"));
        match name {
            "listen_addresses" => counts("*", "remove it"),
            "port" => counts(&self.cluster.port.to_string(), "remove it, and write `spec.port`"),
            "cluster_name" => counts(&self.cluster.scope(), "remove it"),
            "hot_standby" => counts("on", "remove it"),
            "recovery_target_timeline" => counts("latest", "remove it"),
            "config_file" => Some("has no effect: Patroni starts Postgres with its own file; remove it".to_owned()),
            "synchronous_standby_names" if synchronous => {
                Some("has no effect: in synchronous mode, Patroni sets it; remove it".to_owned())
            }
            "primary_conninfo" | "primary_slot_name" => {
                Some("has no effect: Patroni sets it for each replica; remove it".to_owned())
            }
            _ if name.starts_with("recovery_target") => {
                Some("has no effect: Patroni does not use recovery targets in a running cluster; remove it".to_owned())
            }
            _ => None,
        }
    }

    /// Says why a parameter is fixed, and what to write instead.
    fn instead(&self, name: &str) -> &'static str {
        match name {
            "archive_mode" | "archive_command" if self.cluster.backups.is_some() => {
                "pgBackRest archives the WAL, so remove it"
            }
            "archive_mode" | "archive_command" => {
                "without pgBackRest, WAL is not archived: remove it, and write `spec.backups.pgbackrest`"
            }
            "restore_command" => "replicas read WAL from pgBackRest's archive, so remove it",
            "wal_level" => "replicas and logical decoding need this value, so remove it",
            "unix_socket_directories" => "the programs of the pod use the socket in this directory, so remove it",
            "log_file_mode" => "sidecars of the same group must be able to read the logs, so remove it",
            // Without the collector, none of them is fixed.
            "logging_collector" => "the OpenTelemetry collector reads the files of logs, so remove it",
            _ if name.starts_with("log_") => "the OpenTelemetry collector reads the logs in this form, so remove it",
            _ if name.starts_with("ssl") => {
                "TLS is always on: remove it, and to use your own certificates, set `spec.customTLSSecret`"
            }
            _ => "remove it",
        }
    }

    /// Returns the message for a parameter that this version of Postgres does not have.
    fn unknown(&mut self, name: &str) -> Option<String> {
        let version = self.cluster.postgres_version;
        // The names of parameters of extensions contain a dot. Patroni converts these two into each other
        // (`get_server_parameters`).
        if name.contains('.') || ["wal_keep_segments", "wal_keep_size"].contains(&name) {
            return None;
        }
        if let Some(versions) = parameter_name::versions(name) {
            let why = match (versions.from, versions.until) {
                _ if versions.contain(version) => return None,
                (Some(from), _) if version < from => format!("it is new in {from}"),
                (_, Some(until)) => format!("it was removed in {until}"),
                _ => return None,
            };
            let instead = successor(name).map_or_else(|| "remove it".to_owned(), |name| format!("write `{name}`"));
            return Some(format!(
                "Postgres {version} does not have this parameter, because {why}, and Patroni ignores it: {instead}"
            ));
        }
        match setting::home(name) {
            Some("") => {
                return Some(
                    "is a setting of Patroni and has no effect here: write it at the top level of \
                     `dynamicConfiguration`"
                        .to_owned(),
                );
            }
            Some("postgresql") => {
                let message = format!(
                    "is not a parameter of Postgres and has no effect here: write `postgresql.{name}`, next to \
                     `parameters`"
                );
                return Some(message);
            }
            _ => {}
        }
        if let Some(successor) = successor(name) {
            return Some(format!(
                "Postgres {version} no longer has this parameter, and Patroni ignores it: write `{successor}`"
            ));
        }
        let near = self.suggestions.checked_sub(1).and_then(|rest| {
            self.suggestions = rest;
            words::nearest(name, parameter_name::names())
        });
        Some(match near {
            Some(near) => {
                format!("Postgres does not have this parameter, and Patroni ignores it: did you mean `{near}`?")
            }
            None => "Postgres does not have this parameter, and Patroni ignores it: remove it".to_owned(),
        })
    }
}

/// Returns a value as Patroni writes it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns why Patroni cannot read a value. A value that cannot be written at all is already refused.
fn unread(name: &str, value: &str) -> Option<String> {
    parameter::check_value(name, value).ok().and_then(|()| parameter_value::fault(name, value))
}

/// Returns the parameter that replaced a removed one (PostgreSQL, "Release Notes").
fn successor(name: &str) -> Option<&'static str> {
    let successors = [
        ("checkpoint_segments", "max_wal_size"),
        ("force_parallel_mode", "debug_parallel_query"),
        ("logical_replication_mode", "debug_logical_replication_streaming"),
    ];
    successors.iter().find(|(old, _)| *old == name).map(|(_, new)| *new)
}

/// Returns the message for a value that is too low for Patroni, with the value that Patroni uses instead.
fn below(name: &str, value: &str) -> Option<String> {
    let (_, least, default) = LEAST.iter().find(|(known, ..)| *known == name)?;
    let number = value.trim().parse::<i64>();
    let low = number.map_or_else(|_| value.trim().is_empty(), |number| number < *least);
    low.then(|| {
        format!("is below the minimum of Patroni, so Patroni uses its default, {default}: write {least} or more")
    })
}

/// Whether two texts mean the same value.
fn same(one: &str, other: &str) -> bool {
    let switch = parameter_value::switch(one);
    one == other || (switch.is_some() && switch == parameter_value::switch(other))
}
