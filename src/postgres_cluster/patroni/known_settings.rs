//! Checks the settings in `spec.patroni.dynamicConfiguration`. Patroni silently ignores unknown settings, so they are reported
//! here. Settings that pgrender writes itself are reported too.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::setting::{self, Kind, LOCAL, POSTGRESQL, POSTGRESQL_LOCAL, STANDBY_CLUSTER, Setting, TOP};
use super::slots;
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::postgres_cluster::postgres::parameter_name;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::secrets::issuer;
use crate::postgres_cluster::spec::{PatroniSpec, StandbySpec};

/// Settings that have an effect only in the synchronous mode (Patroni, "Replication modes").
const OF_SYNCHRONOUS_MODE: [&str; 5] = [
    "master_stop_timeout",
    "maximum_lag_on_syncnode",
    "primary_stop_timeout",
    "synchronous_mode_strict",
    "synchronous_node_count",
];

/// Settings that have an effect only with `postgresql.use_slots`, which is off by default (Patroni, "Dynamic Configuration
/// Settings").
const OF_SLOTS: [&str; 4] = ["member_slots_ttl", "permanent_replication_slots", "permanent_slots", "slots"];

/// Settings whose rules replace all others, in the versions of Patroni that have them.
const RULES_OF_ROLES: [&str; 6] = [
    "pg_hba_primary",
    "pg_hba_replica",
    "pg_hba_standby_leader",
    "pg_ident_primary",
    "pg_ident_replica",
    "pg_ident_standby_leader",
];

/// Names of a section that users sometimes repeat inside the section, or write around its contents.
const WRAPPERS: [(&str, &[&str]); 3] = [
    ("", &["config", "configuration", "dcs", "dynamicConfiguration", "dynamic_configuration"]),
    ("postgresql", &["config", "configuration", "postgres", "postgresql"]),
    ("standby_cluster", &["standby_cluster"]),
];

/// Fields of `spec.patroni` itself.
const OF_SPEC: [&str; 4] = ["leaderLeaseDurationSeconds", "logging", "switchover", "syncPeriodSeconds"];

/// Settings for which `dynamic_configuration.rs` refuses a wrong type.
const REFUSED_ELSEWHERE: [&str; 7] = [
    "postgresql.parameters",
    "postgresql.parameters_primary",
    "postgresql.parameters_replica",
    "postgresql.parameters_standby_leader",
    "postgresql.pg_hba",
    "postgresql.pg_ident",
    "standby_cluster.host",
];

/// Settings that the files of each instance also have. Those override the dynamic configuration.
const SET_IN_INSTANCES: [&str; 4] =
    ["basebackup", "create_replica_method", "create_replica_methods", "use_unix_socket"];

/// Checks the names and types of all settings. `standby` is `spec.standby` if it is enabled.
pub(crate) fn check(spec: &PatroniSpec, standby: Option<&StandbySpec>, context: &mut Context) {
    let configuration = &spec.dynamic_configuration;
    let mut checker = Checker { context, suggestions: words::SUGGESTIONS };
    let path = FieldPath::of("spec.patroni.dynamicConfiguration");
    let section = |name: &str| configuration.get(name).and_then(Value::as_object);
    for (name, value) in written(configuration) {
        checker.setting(&TOP, name, value, "", &path);
    }
    checker.set_elsewhere(spec, &path);
    checker.without_effect(configuration, &path);
    checker.failsafe_mode(configuration, &path);
    if let Some(postgresql) = section("postgresql") {
        checker.postgresql(postgresql, section("standby_cluster"), &path.key("postgresql"));
    }
    if let Some(source) = section("standby_cluster") {
        checker.standby_cluster(source, standby, &path.key("standby_cluster"));
    }
    slots::check(configuration, &path, context);
}

/// Returns the entries that have a value. A null counts as no value.
fn written(section: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    section.iter().filter(|(_, value)| !value.is_null())
}

struct Checker<'a, 'b> {
    context: &'a mut Context<'b>,
    /// For how many more unknown names a suggestion is searched.
    suggestions: usize,
}

impl Checker<'_, '_> {
    /// Checks one setting in the section `place`. `settings` are those that the section has.
    fn setting(&mut self, settings: &[Setting], name: &str, value: &Value, place: &str, path: &FieldPath) {
        let path = path.key(name);
        let Some(kind) = setting::kind(settings, name) else {
            let message = misplaced(name, value, place).unwrap_or_else(|| self.unknown(settings, name, place));
            return self.context.warning(path, message);
        };
        let Some(fault) = setting::fault(kind, value) else { return };
        let is_section = place.is_empty() && ["postgresql", "standby_cluster"].contains(&name);
        if kind == Kind::Integer || is_section {
            self.context.error(path, fault);
        } else if !REFUSED_ELSEWHERE.contains(&joined(place, name).as_str()) {
            self.context.warning(path, fault);
        }
    }

    /// Returns the message for a name that is not a setting of its section.
    fn unknown(&mut self, settings: &[Setting], name: &str, place: &str) -> String {
        let local =
            (place.is_empty() && LOCAL.contains(&name)) || (place == "postgresql" && POSTGRESQL_LOCAL.contains(&name));
        if local {
            return "does nothing: Patroni reads it in its own files only, where pgrender writes what an instance needs; remove it"
                .to_owned();
        }
        if let Some(home) = setting::home(name).filter(|home| *home != place) {
            return match home {
                "" => "does nothing here: Patroni reads it at the top of `dynamicConfiguration`; write it there"
                    .to_owned(),
                home => {
                    format!("does nothing here: Patroni reads it below `{home}` only; write `{}`", joined(home, name))
                }
            };
        }
        if place.is_empty() && POSTGRESQL_LOCAL.contains(&name) {
            return "does nothing: Patroni reads it in its own files only; remove it".to_owned();
        }
        if name.contains('.') {
            let message = "does nothing here: Patroni reads parameters of Postgres below `postgresql.parameters` only; write it there";
            return message.to_owned();
        }
        match self.meant(settings, name, place) {
            Some(meant) => format!("Patroni knows no such setting, and ignores it: did you mean `{meant}`?"),
            None => "Patroni knows no such setting here, and ignores it: remove it, or write one of Patroni's page \"Dynamic \
                     Configuration Settings\""
                .to_owned(),
        }
    }

    /// Returns the setting that was probably meant, with its section. If two are equally similar, the one in the same section
    /// is chosen.
    fn meant(&mut self, settings: &[Setting], name: &str, place: &str) -> Option<String> {
        self.suggestions = self.suggestions.checked_sub(1)?;
        let names = |settings: &[Setting]| settings.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let all = [
            (place, names(settings)),
            ("", names(&TOP)),
            ("postgresql", names(&POSTGRESQL)),
            ("postgresql.parameters", parameter_name::names().collect()),
        ];
        let near = all.into_iter().filter_map(|(home, names)| Some((home, words::with_distance(name, names)?)));
        // If several are equally similar, this takes the first.
        near.min_by_key(|(_, (distance, _))| *distance).map(|(home, (_, near))| joined(home, near))
    }

    /// Checks `postgresql`. `standby` is the section that lists the methods by which a standby cluster is created.
    fn postgresql(&mut self, section: &Map<String, Value>, standby: Option<&Map<String, Value>>, path: &FieldPath) {
        let methods = standby.and_then(|standby| standby.get("create_replica_methods")).and_then(Value::as_array);
        let methods: BTreeSet<&str> = methods.into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, value) in written(section) {
            let at = path.key(name);
            if methods.contains(name.as_str()) {
                continue;
            }
            if RULES_OF_ROLES.contains(&name.as_str()) {
                let plain = if name.starts_with("pg_hba") { "pg_hba" } else { "pg_ident" };
                let message = format!(
                    "in a version of Patroni that knows it, it takes the place of every line, those of the cluster's own roles too, so \
                     that no replica connects: remove it, and write `{plain}`"
                );
                self.context.error(at, message);
            } else if name == "recovery_conf" {
                let message = "does nothing: Patroni reads it only where no such parameter is among `parameters`, and \
                               `restore_command` always is; write them there";
                self.context.warning(at, message);
            } else if name == "use_pg_rewind" && !setting::is_on(Some(value)) {
                self.context
                    .warning(at, "does nothing: it is always `true`, so that a former leader can follow; remove it");
            } else if SET_IN_INSTANCES.contains(&name.as_str()) && *value != Value::Bool(true) {
                let message = "does nothing: the files of each instance say it, and win over the dynamic configuration; remove it";
                self.context.warning(at, message);
            } else if is_replica_method(name, value) {
                self.context.warning(at, "does nothing: pgrender writes how replicas are made; remove it");
            } else {
                self.setting(&POSTGRESQL, name, value, "postgresql", path);
            }
        }
    }

    /// Checks `standby_cluster`. `spec.standby` overrides some of its settings.
    fn standby_cluster(&mut self, section: &Map<String, Value>, standby: Option<&StandbySpec>, path: &FieldPath) {
        for (name, value) in written(section) {
            let elsewhere = match (name.as_str(), standby) {
                ("host", Some(standby)) if standby.host.is_some() => "spec.standby.host",
                ("port", Some(standby)) if standby.port.is_some() => "spec.standby.port",
                ("restore_command" | "create_replica_methods", Some(_)) => "spec.standby.repoName",
                _ => "",
            };
            if elsewhere.is_empty() {
                self.setting(&STANDBY_CLUSTER, name, value, "standby_cluster", path);
            } else {
                let message = format!("does nothing: `spec.standby` says it; remove it, and write `{elsewhere}`");
                self.context.warning(path.key(name), message);
            }
        }
        let source = ["host", "port", "restore_command"]
            .iter()
            .any(|name| section.get(*name).is_some_and(|value| !value.is_null()));
        if standby.is_none() && !source && written(section).next().is_some() {
            let message = "names nothing to follow, so the cluster starts as a primary of its own: write `host`, `port` or \
                           `restore_command`, or `spec.standby` instead";
            self.context.error(path.clone(), message);
        }
    }

    /// Reports settings that other fields of the spec override.
    fn set_elsewhere(&mut self, spec: &PatroniSpec, path: &FieldPath) {
        for (name, field, counts) in [
            ("ttl", "leaderLeaseDurationSeconds", spec.leader_lease_duration_seconds),
            ("loop_wait", "syncPeriodSeconds", spec.sync_period_seconds),
        ] {
            let value = spec.dynamic_configuration.get(name).filter(|value| !value.is_null());
            let same =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned) == counts.to_string();
            if value.is_some_and(|value| !same(value)) {
                let message = format!("does nothing: `spec.patroni.{field}` counts, which is {counts}; write it there");
                self.context.warning(path.key(name), message);
            }
        }
    }

    /// Warns about the failsafe mode if the user chose the issuer. In this mode, members send each other the password of the
    /// REST API. An attacker who receives it also needs a certificate, which such an issuer signs for others too.
    fn failsafe_mode(&mut self, configuration: &Map<String, Value>, path: &FieldPath) {
        if setting::is_on(configuration.get("failsafe_mode")) && issuer::has_issuer(self.context.options) {
            let message = "sends the password of Patroni's API to each pod that has the labels of this cluster, and with a certificate of \
                           your issuer it opens the API: use it where nobody else may label pods of this namespace";
            self.context.warning(path.key("failsafe_mode"), message);
        }
    }

    /// Reports settings that have no effect without another setting.
    fn without_effect(&mut self, configuration: &Map<String, Value>, path: &FieldPath) {
        let mode = configuration.get("synchronous_mode");
        let quorum = mode.and_then(Value::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("quorum"));
        let use_slots = configuration.get("postgresql").and_then(|postgresql| postgresql.get("use_slots"));
        for (name, value) in written(configuration) {
            // A value that turns a setting off, and an empty list of slots, do not need the other setting.
            let off = setting::fault(Kind::Switch, value).is_none() && !setting::is_on(Some(value));
            let message = if off || value.as_object().is_some_and(Map::is_empty) {
                continue;
            } else if OF_SYNCHRONOUS_MODE.contains(&name.as_str()) && !quorum && !setting::is_on(mode) {
                "does nothing without the synchronous mode: write `synchronous_mode: true` beside it, or remove it"
            } else if OF_SLOTS.contains(&name.as_str()) && !setting::is_on(use_slots) {
                "does nothing without replication slots, which are off here: write `postgresql.use_slots: true`, or remove it"
            } else {
                continue;
            };
            self.context.warning(path.key(name), message);
        }
        let slot = configuration.get("standby_cluster").and_then(|source| source.get("primary_slot_name"));
        if slot.is_some_and(Value::is_string) && !setting::is_on(use_slots) {
            let message =
                "does nothing without replication slots, which are off here: write `postgresql.use_slots: true`";
            self.context.warning(path.key("standby_cluster").key("primary_slot_name"), message);
        }
    }
}

/// Whether this is a method that creates a replica. The user chooses its name (Patroni, "Replica imaging and bootstrap").
fn is_replica_method(name: &str, value: &Value) -> bool {
    let has_command = value.as_object().is_some_and(|method| method.contains_key("command"));
    name == "pgbackrest" || (has_command && setting::kind(&POSTGRESQL, name).is_none())
}

/// Returns the message for a section that is one level too deep, and for a field of `spec.patroni`.
fn misplaced(name: &str, value: &Value, place: &str) -> Option<String> {
    let is_wrapper = |(of, names): &(&str, &[&str])| *of == place && names.contains(&name);
    if value.is_object() && WRAPPERS.iter().any(is_wrapper) {
        return Some("does nothing: write what is in it one level up, without this name".to_owned());
    }
    if place.is_empty() && name == "bootstrap" && value.get("dcs").is_some() {
        return Some("does nothing: write what is in its `dcs` one level up, without these names".to_owned());
    }
    let is_of_spec = place.is_empty() && OF_SPEC.contains(&name);
    is_of_spec.then(|| format!("does nothing here: `{name}` is a field of `spec.patroni`; write it there"))
}

fn joined(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}
