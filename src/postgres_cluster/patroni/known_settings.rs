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
            return "has no effect: Patroni reads it only from its local configuration, which pgrender writes for each \
                    instance; remove it"
                .to_owned();
        }
        if let Some(home) = setting::home(name).filter(|home| *home != place) {
            return match home {
                "" => "has no effect here: Patroni reads it only at the top level of `dynamicConfiguration`; write it \
                       there"
                    .to_owned(),
                home => {
                    format!("has no effect here: Patroni reads it only below `{home}`; write `{}`", joined(home, name))
                }
            };
        }
        if place.is_empty() && POSTGRESQL_LOCAL.contains(&name) {
            return "has no effect: Patroni reads it only from its local configuration; remove it".to_owned();
        }
        if name.contains('.') {
            let message = "has no effect here: Patroni reads parameters of Postgres only below \
                           `postgresql.parameters`; write it there";
            return message.to_owned();
        }
        match self.meant(settings, name, place) {
            Some(meant) => format!("Patroni does not have this setting and ignores it: did you mean `{meant}`?"),
            None => "Patroni does not have this setting here and ignores it: remove it, or write a setting from the \
                     page \"Dynamic Configuration Settings\" of Patroni's documentation"
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
                    "in versions of Patroni that have this setting, it replaces every line, also the lines for the \
                     cluster's own roles, so no replica can connect: remove it, and write `{plain}`"
                );
                self.context.error(at, message);
            } else if name == "recovery_conf" {
                let message = "has no effect: Patroni reads it only if `parameters` has no recovery parameter, but \
                               `restore_command` is always there; write its parameters in `parameters`";
                self.context.warning(at, message);
            } else if name == "use_pg_rewind" && !setting::is_on(Some(value)) {
                self.context.warning(
                    at,
                    "has no effect: it is always `true`, so that a former leader can become a replica; remove it",
                );
            } else if SET_IN_INSTANCES.contains(&name.as_str()) && *value != Value::Bool(true) {
                let message = "has no effect: the local configuration of each instance sets it and takes precedence \
                               over the dynamic configuration; remove it";
                self.context.warning(at, message);
            } else if is_replica_method(name, value) {
                self.context.warning(at, "has no effect: pgrender configures how replicas are created; remove it");
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
                let message = format!("has no effect: `spec.standby` sets it; remove it, and write `{elsewhere}`");
                self.context.warning(path.key(name), message);
            }
        }
        let source = ["host", "port", "restore_command"]
            .iter()
            .any(|name| section.get(*name).is_some_and(|value| !value.is_null()));
        if standby.is_none() && !source && written(section).next().is_some() {
            let message = "has no source to replicate from, so the cluster would start as an independent primary: \
                           write `host`, `port` or `restore_command`, or `spec.standby` instead";
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
                let message = format!(
                    "has no effect: `spec.patroni.{field}` takes precedence, and its value is {counts}; write it there"
                );
                self.context.warning(path.key(name), message);
            }
        }
    }

    /// Warns about the failsafe mode if the user chose the issuer. In this mode, members send each other the password of the
    /// REST API. An attacker who receives it also needs a certificate, which such an issuer signs for others too.
    fn failsafe_mode(&mut self, configuration: &Map<String, Value>, path: &FieldPath) {
        if setting::is_on(configuration.get("failsafe_mode")) && self.context.options.certificate_source.has_issuer() {
            let message = "sends the password of Patroni's REST API to each pod with the labels of this cluster, and \
                           a client with this password and a certificate of your issuer can use the API: use it only \
                           if nobody else can label pods in this namespace";
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
                "has no effect without synchronous mode: also write `synchronous_mode: true`, or remove it"
            } else if OF_SLOTS.contains(&name.as_str()) && !setting::is_on(use_slots) {
                "has no effect without replication slots, which are disabled here: write `postgresql.use_slots: \
                 true`, or remove it"
            } else {
                continue;
            };
            self.context.warning(path.key(name), message);
        }
        let slot = configuration.get("standby_cluster").and_then(|source| source.get("primary_slot_name"));
        if slot.is_some_and(Value::is_string) && !setting::is_on(use_slots) {
            let message =
                "has no effect without replication slots, which are disabled here: write `postgresql.use_slots: true`";
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
        return Some("has no effect: write its content one level higher, without this key".to_owned());
    }
    if place.is_empty() && name == "bootstrap" && value.get("dcs").is_some() {
        return Some("has no effect: write the content of `dcs` at the top level, without these two keys".to_owned());
    }
    let is_of_spec = place.is_empty() && OF_SPEC.contains(&name);
    is_of_spec.then(|| format!("has no effect here: `{name}` is a field of `spec.patroni`; write it there"))
}

fn joined(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}
