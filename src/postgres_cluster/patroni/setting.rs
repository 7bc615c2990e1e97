//! The settings of Patroni's dynamic configuration (Patroni, "Dynamic Configuration Settings" and "YAML Configuration
//! Settings"; its `global_config.py` and `config.py`). Patroni silently ignores all others.

use serde_json::Value;

use crate::postgres_cluster::postgres::parameter_name;

/// How Patroni interprets the value of a setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Python's `int`. If the conversion fails, Patroni ignores the whole new configuration.
    Integer,
    /// Patroni's `parse_int`, which returns the default for a value that is not a number.
    Number,
    /// Like `Number`, with an optional unit of time.
    Duration,
    /// Patroni's `parse_bool`: `true`, `on`, `yes`, `1` and their opposites. Any other value means off.
    Switch,
    /// Python's truth value: every text that is not empty is true, even `"false"`.
    Truth,
    /// A `Switch`, or `quorum`.
    SynchronousMode,
    /// A text.
    Text,
    /// A list.
    List,
    /// A mapping.
    Mapping,
    /// Any value.
    Any,
}

/// A setting: its name, and the kind of its value.
pub type Setting = (&'static str, Kind);

/// Settings at the top level.
pub const TOP: [Setting; 24] = [
    ("check_timeline", Kind::Switch),
    ("failsafe_mode", Kind::Switch),
    ("ignore_slots", Kind::List),
    ("loop_wait", Kind::Any),
    ("master_start_timeout", Kind::Number),
    ("master_stop_timeout", Kind::Number),
    ("max_timelines_history", Kind::Number),
    ("maximum_lag_on_failover", Kind::Number),
    ("maximum_lag_on_syncnode", Kind::Number),
    ("member_slots_ttl", Kind::Duration),
    ("pause", Kind::Switch),
    ("permanent_replication_slots", Kind::Mapping),
    ("permanent_slots", Kind::Mapping),
    ("postgresql", Kind::Mapping),
    ("primary_race_backoff", Kind::Number),
    ("primary_start_timeout", Kind::Number),
    ("primary_stop_timeout", Kind::Number),
    ("retry_timeout", Kind::Integer),
    ("slots", Kind::Mapping),
    ("standby_cluster", Kind::Mapping),
    ("synchronous_mode", Kind::SynchronousMode),
    ("synchronous_mode_strict", Kind::Switch),
    ("synchronous_node_count", Kind::Number),
    ("ttl", Kind::Any),
];

/// Settings in `postgresql`.
pub const POSTGRESQL: [Setting; 36] = [
    ("basebackup", Kind::Any),
    ("before_stop", Kind::Text),
    ("bin_dir", Kind::Text),
    ("bin_name", Kind::Mapping),
    ("callbacks", Kind::Mapping),
    ("config_base_name", Kind::Text),
    ("create_replica_method", Kind::List),
    ("create_replica_methods", Kind::List),
    ("custom_conf", Kind::Text),
    ("database", Kind::Text),
    ("krbsrvname", Kind::Text),
    ("parameters", Kind::Mapping),
    ("parameters_primary", Kind::Mapping),
    ("parameters_replica", Kind::Mapping),
    ("parameters_standby_leader", Kind::Mapping),
    ("pg_ctl_timeout", Kind::Number),
    ("pg_hba", Kind::List),
    ("pg_hba_primary", Kind::List),
    ("pg_hba_replica", Kind::List),
    ("pg_hba_standby_leader", Kind::List),
    ("pg_hosts", Kind::List),
    ("pg_hosts_primary", Kind::List),
    ("pg_hosts_replica", Kind::List),
    ("pg_hosts_standby_leader", Kind::List),
    ("pg_ident", Kind::List),
    ("pg_ident_primary", Kind::List),
    ("pg_ident_replica", Kind::List),
    ("pg_ident_standby_leader", Kind::List),
    ("pre_promote", Kind::Text),
    ("recovery_conf", Kind::Mapping),
    ("remove_data_directory_on_diverged_timelines", Kind::Truth),
    ("remove_data_directory_on_rewind_failure", Kind::Truth),
    ("use_pg_rewind", Kind::Truth),
    ("use_slots", Kind::Switch),
    ("use_unix_socket", Kind::Truth),
    ("use_unix_socket_repl", Kind::Truth),
];

/// Settings in `standby_cluster`.
pub const STANDBY_CLUSTER: [Setting; 7] = [
    ("archive_cleanup_command", Kind::Text),
    ("create_replica_methods", Kind::List),
    ("host", Kind::Text),
    ("port", Kind::Any),
    ("primary_slot_name", Kind::Text),
    ("recovery_min_apply_delay", Kind::Any),
    ("restore_command", Kind::Text),
];

/// Settings of a slot in `slots`.
pub const SLOT: [Setting; 4] =
    [("cluster_type", Kind::Text), ("database", Kind::Text), ("plugin", Kind::Text), ("type", Kind::Text)];

/// Settings of an item of `ignore_slots`.
pub const IGNORED_SLOT: [Setting; 4] =
    [("database", Kind::Text), ("name", Kind::Text), ("plugin", Kind::Text), ("type", Kind::Text)];

/// Settings that Patroni reads only in its own files, at the top level. pgrender writes those that an instance needs.
pub const LOCAL: [&str; 19] = [
    "bootstrap",
    "citus",
    "consul",
    "ctl",
    "etcd",
    "etcd3",
    "exhibitor",
    "kubernetes",
    "log",
    "name",
    "namespace",
    "raft",
    "restapi",
    "scope",
    "tags",
    "thread_pool_size",
    "thread_stack_size",
    "watchdog",
    "zookeeper",
];

/// Settings in `postgresql` that Patroni reads only in its own files.
pub const POSTGRESQL_LOCAL: [&str; 7] =
    ["authentication", "config_dir", "connect_address", "data_dir", "listen", "pgpass", "proxy_address"];

/// Returns the kind of the setting `name`, or `None` if it is not one of `settings`.
pub fn kind(settings: &[Setting], name: &str) -> Option<Kind> {
    settings.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// Returns what is wrong with the value of a setting: how Patroni would interpret it, and what to write instead.
pub fn fault(kind: Kind, value: &Value) -> Option<&'static str> {
    let good = match kind {
        Kind::Any => true,
        Kind::Integer => value.is_number() || text(value).is_some_and(|text| text.parse::<i64>().is_ok()),
        Kind::Number => value.is_number() || text(value).is_some_and(is_number),
        Kind::Duration => value.is_number() || text(value).is_some_and(is_duration),
        Kind::Switch => is_switch(value),
        Kind::Truth => value.is_boolean(),
        Kind::SynchronousMode => {
            is_switch(value) || text(value).is_some_and(|text| text.eq_ignore_ascii_case("quorum"))
        }
        Kind::Text => value.is_string(),
        Kind::List => value.is_array(),
        Kind::Mapping => value.is_object(),
    };
    let fault = match kind {
        Kind::Integer => {
            "is not a whole number, so Patroni does not apply the dynamic configuration: write a whole number without \
             a unit"
        }
        Kind::Number => "is not a number, so Patroni uses its default: write a number without a unit",
        Kind::Duration => {
            "is not a valid time, so Patroni uses its default: write a number of seconds, or a number with a unit \
             such as `30min`"
        }
        Kind::Switch => "is not a boolean, so Patroni treats it as `false`: write `true` or `false`",
        Kind::Truth => {
            "is not a boolean, and Patroni treats every string as `true`: write `true` or `false` without quotes"
        }
        Kind::SynchronousMode => "is not a valid value, so Patroni treats it as `off`: write `on`, `off` or `quorum`",
        Kind::Text => "must be a string",
        Kind::List => "must be a list",
        Kind::Mapping => "must be a mapping of names to values",
        Kind::Any => return None,
    };
    (!good).then_some(fault)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim)
}

fn is_number(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

fn is_duration(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    is_number(number.trim_end()) && ["", "us", "ms", "s", "min", "h", "d"].contains(&&text[number.len()..])
}

fn is_switch(value: &Value) -> bool {
    let word = match value {
        Value::String(text) => text.to_lowercase(),
        Value::Bool(_) => return true,
        other => other.to_string(),
    };
    ["on", "true", "yes", "1", "off", "false", "no", "0"].contains(&word.as_str())
}

/// Whether a switch is on, as Patroni reads it.
pub fn is_on(value: Option<&Value>) -> bool {
    let word = match value {
        None => return false,
        Some(Value::String(text)) => text.to_lowercase(),
        Some(other) => other.to_string(),
    };
    ["on", "true", "yes", "1"].contains(&word.as_str())
}

/// Returns the section where a name is a setting: `postgresql`, `postgresql.parameters`, …; empty for the top level. `None` if
/// it is not a setting anywhere.
pub fn home(name: &str) -> Option<&'static str> {
    if kind(&TOP, name).is_some() {
        Some("")
    } else if kind(&POSTGRESQL, name).is_some() {
        Some("postgresql")
    } else if parameter_name::versions(name).is_some() {
        Some("postgresql.parameters")
    } else if kind(&STANDBY_CLUSTER, name).is_some() {
        Some("standby_cluster")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_what_patroni_makes_of_it() {
        for (kind, good, bad) in [
            (Kind::Integer, vec![json!(10), json!("10")], vec![json!("10s"), json!(""), json!([]), json!(true)]),
            (Kind::Number, vec![json!(-1), json!("1048576")], vec![json!("1MB"), json!("many"), json!({})]),
            (Kind::Duration, vec![json!(0), json!("30min"), json!("5 s")], vec![json!("30 minutes"), json!("min")]),
            (Kind::Switch, vec![json!(true), json!("ON"), json!(0), json!("no")], vec![json!("enabled"), json!(2)]),
            (Kind::Truth, vec![json!(false)], vec![json!("false"), json!(1)]),
            (Kind::SynchronousMode, vec![json!("Quorum"), json!("off")], vec![json!("strict"), json!({})]),
            (Kind::Text, vec![json!("a")], vec![json!(1)]),
            (Kind::List, vec![json!([])], vec![json!("a"), json!({})]),
            (Kind::Mapping, vec![json!({})], vec![json!([]), json!("a")]),
            (Kind::Any, vec![json!(1)], vec![]),
        ] {
            assert!(good.iter().all(|value| fault(kind, value).is_none()), "{kind:?} {good:?}");
            assert!(bad.iter().all(|value| fault(kind, value).is_some()), "{kind:?} {bad:?}");
        }
    }

    #[test]
    fn a_name_has_a_home() {
        assert_eq!(home("loop_wait"), Some(""));
        assert_eq!(home("use_slots"), Some("postgresql"));
        assert_eq!(home("Max_Connections"), Some("postgresql.parameters"));
        assert_eq!(home("primary_slot_name"), Some("postgresql.parameters"));
        assert_eq!(home("host"), Some("standby_cluster"));
        assert_eq!(home("nowhere"), None);
    }
}
