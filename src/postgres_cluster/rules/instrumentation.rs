//! The rules for `spec.instrumentation`: batches, retention, queries.

use serde_json::Value;

use super::{Rule, text};
use crate::parse::duration::nanoseconds;

const MINUTE: i64 = 60 * 1_000_000_000;
const HOUR: i64 = 60 * MINUTE;

fn within(duration: &Value, least: i64, most: i64) -> bool {
    duration.as_str().and_then(nanoseconds).is_some_and(|duration| (least..=most).contains(&duration))
}

/// Both fields have defaults, so both exist.
fn both_zero_or_none(batches: &Value) -> bool {
    let no_records = batches["minRecords"].as_i64() == Some(0);
    let no_delay = text(batches, "/maxDelay").and_then(nanoseconds) == Some(0);
    no_records == no_delay
}

fn records_in_order(batches: &Value) -> bool {
    batches.get("maxRecords").is_none_or(|most| batches["minRecords"].as_i64() <= most.as_i64())
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        text: "self.name != 'K8S_POD_NAMESPACE' && self.name != 'K8S_POD_NAME' && self.name != 'PGPASSWORD'",
        holds: |variable| {
            text(variable, "/name")
                .is_some_and(|name| !["K8S_POD_NAMESPACE", "K8S_POD_NAME", "PGPASSWORD"].contains(&name))
        },
        message: "`K8S_POD_NAMESPACE`, `K8S_POD_NAME` and `PGPASSWORD` are set already: choose another name",
    },
    Rule {
        text: "(has(self.minRecords) && self.minRecords == 0) == (has(self.maxDelay) && self.maxDelay == duration('0'))",
        holds: both_zero_or_none,
        message: "to turn batches off, write both `minRecords: 0` and `maxDelay: \"0\"`",
    },
    Rule {
        text: "!has(self.maxRecords) || self.minRecords <= self.maxRecords",
        holds: records_in_order,
        message: "`minRecords` cannot be larger than `maxRecords`",
    },
    Rule {
        text: r#"duration("0") <= self && self <= duration("5m")"#,
        holds: |delay| within(delay, 0, 5 * MINUTE),
        message: "must be at most five minutes",
    },
    Rule {
        text: r#"duration("1h") <= self && self <= duration("8760h")"#,
        holds: |period| within(period, HOUR, 8760 * HOUR),
        message: "must be at least one hour and at most 365 days",
    },
    Rule {
        text: r#"duration("0") <= self && self <= duration("60m")"#,
        holds: |interval| within(interval, 0, 60 * MINUTE),
        message: "must be at most 60 minutes",
    },
    Rule {
        text: r#"self != "." && !self.startsWith("..")"#,
        holds: |key| key.as_str().is_some_and(|key| key != "." && !key.starts_with("..")),
        message: "cannot be `.` or begin with `..`",
    },
];
