//! Checks which recovery the options of `pgbackrest restore` ask for: `--type`, and the options that depend on it. pgBackRest and
//! Postgres refuse the same, but only when the cluster has stopped (`config.yaml` of pgBackRest; postgresql.org, "Recovery Target").

use super::time;
use crate::diagnostic::words;

/// The types of recovery after which a cluster is a primary.
const TYPES: [&str; 6] = ["default", "immediate", "lsn", "name", "time", "xid"];

/// The types that have a target.
const WITH_TARGET: [&str; 4] = ["lsn", "name", "time", "xid"];

/// The types with which `--target-exclusive` has a meaning.
const EXCLUSIVE: [&str; 3] = ["lsn", "time", "xid"];

/// The longest name of a restore point (`MAXFNAMELEN` in Postgres's `xlog_internal.h`, with the zero byte).
const LONGEST_NAME: usize = 63;

/// The first transaction that is not for Postgres itself (`FirstNormalTransactionId`).
const FIRST_TRANSACTION: u64 = 3;

/// Checks the options, whose values `value` returns.
///
/// # Errors
/// The name of the option that is wrong, and why.
pub(super) fn check<'a>(value: &dyn Fn(&str) -> Option<&'a str>) -> Result<(), (&'static str, String)> {
    let kind = value("type").unwrap_or("default");
    if !TYPES.contains(&kind) {
        let message = format!(
            "`--type={kind}` does not give a cluster that can be written to: write one of {}",
            words::list(TYPES)
        );
        return Err(("type", message));
    }
    match value("target") {
        None if WITH_TARGET.contains(&kind) => {
            return Err(("type", format!("`--type={kind}` needs a target: add `--target=…`")));
        }
        Some(_) if !WITH_TARGET.contains(&kind) => {
            let message = format!("`--type={kind}` has no target: remove it, or write {}", types(&WITH_TARGET));
            return Err(("target", message));
        }
        Some(target) => {
            let fault = of_kind(kind, target, value("set").is_some());
            fault.map_err(|why| ("target", format!("{} {why}", words::quote(target))))?;
        }
        None => {}
    }
    if value("target-exclusive").is_some() && !EXCLUSIVE.contains(&kind) {
        let message = format!("`--target-exclusive` is only for {}: remove it", types(&EXCLUSIVE));
        return Err(("target-exclusive", message));
    }
    if let Some(timeline) = value("target-timeline") {
        if kind == "immediate" {
            let message = "`--type=immediate` stops before another timeline could begin: remove `--target-timeline`";
            return Err(("target-timeline", message.to_owned()));
        }
        if !is_timeline(timeline) {
            let message =
                format!("{} is not a timeline: write its number, `latest` or `current`", words::quote(timeline));
            return Err(("target-timeline", message));
        }
    }
    match value("set").filter(|set| !is_label(set)) {
        Some(set) => {
            let message = format!(
                "{} is not the label of a backup: write one that `pgbackrest info` shows, for example `20260131-010000F`, or \
                 remove it for the newest backup",
                words::quote(set)
            );
            Err(("set", message))
        }
        None => Ok(()),
    }
}

fn types(kinds: &[&str]) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| format!("`--type={kind}`")).collect();
    let (last, others) = kinds.split_last().expect("there should be a type");
    format!("{} or {last}", others.join(", "))
}

/// Checks a target of a type. `has_set` is whether the backup is given: then only Postgres reads a time.
fn of_kind(kind: &str, target: &str, has_set: bool) -> Result<(), String> {
    if target.contains(['\'', '\\']) {
        return Err(
            "has a quote or a backslash, which pgBackRest writes unchanged into Postgres's configuration: write a target without \
             them"
                .to_owned(),
        );
    }
    match kind {
        "time" => time::check(target, has_set),
        "lsn" if !is_lsn(target) => {
            Err("is not a position in the WAL: write one as `pg_current_wal_lsn()` shows it, for example `0/3000060`"
                .to_owned())
        }
        "xid" if number(target).is_none_or(|xid| xid < FIRST_TRANSACTION) => {
            Err("is not a transaction: write its number, as `pg_current_xact_id()` shows it".to_owned())
        }
        "name" if target.len() > LONGEST_NAME => {
            Err(format!("is longer than {LONGEST_NAME} bytes, so no restore point has this name: correct it"))
        }
        _ => Ok(()),
    }
}

/// Whether a text is two hexadecimal numbers of 32 bits (Postgres's `pg_lsn_in_internal`).
fn is_lsn(text: &str) -> bool {
    let is_half = |half: &str| (1..=8).contains(&half.len()) && half.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_once('/').is_some_and(|(high, low)| is_half(high) && is_half(low))
}

/// Reads a number as C's `strtoul` does with base 0, except an octal one, which nobody means.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hexadecimal) if hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(hexadecimal, 16).ok()
        }
        None if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') => text.parse().ok(),
        _ => None,
    }
}

fn is_timeline(text: &str) -> bool {
    ["latest", "current"].contains(&text)
        || number(text).is_some_and(|number| number > 0 && u32::try_from(number).is_ok())
}

/// Whether a text has the form of a label: a full backup, or another one that depends on it (pgBackRest's `backupLabelFormat`).
fn is_label(text: &str) -> bool {
    let is_moment = |text: &str| {
        text.split_once('-').is_some_and(|(date, time)| {
            date.len() == 8 && time.len() == 6 && (date.bytes().chain(time.bytes())).all(|byte| byte.is_ascii_digit())
        })
    };
    let (full, dependent) = text.split_once('_').map_or((text, None), |(full, rest)| (full, Some(rest)));
    full.strip_suffix('F').is_some_and(is_moment)
        && dependent.is_none_or(|rest| rest.strip_suffix(['D', 'I']).is_some_and(is_moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks options such as `type=time`, and returns the name of the one that is wrong.
    fn wrong(options: &[&str]) -> Option<&'static str> {
        let value = |name: &str| {
            options
                .iter()
                .filter_map(|option| option.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        check(&value).err().map(|(name, _)| name)
    }

    #[test]
    fn what_postgres_can_reach_is_accepted() {
        for options in [
            &[][..],
            &["type=default", "target-timeline=latest"],
            &["target-timeline=current"],
            &["target-timeline=12"],
            &["target-timeline=0x1A"],
            &["type=immediate", "set=20260131-010000F"],
            &["type=name", "target=before the upgrade", "set=20260131-010000F_20260201-010000D"],
            &["type=lsn", "target=0/3000060", "target-exclusive="],
            &["type=lsn", "target=ABCDEF01/1"],
            &["type=xid", "target=745", "target-exclusive=y", "set=20260131-010000F_20260201-010000I"],
            &["type=xid", "target=0x2f1"],
            &["type=time", "target=2026-01-31 12:00:00+00", "target-exclusive="],
        ] {
            assert_eq!(wrong(options), None, "{options:?}");
        }
    }

    #[test]
    fn what_fails_in_the_pod_is_refused() {
        for (options, name) in [
            (&["type=standby"][..], "type"),
            (&["type=time"], "type"),
            (&["type=name"], "type"),
            (&["target=x"], "target"),
            (&["type=default", "target=x"], "target"),
            (&["type=immediate", "target=x"], "target"),
            (&["type=name", "target=it's"], "target"),
            (&["type=lsn", "target=nonsense"], "target"),
            (&["type=lsn", "target=0/"], "target"),
            (&["type=lsn", "target=0/123456789"], "target"),
            (&["type=lsn", "target=0x0/1"], "target"),
            (&["type=xid", "target=nonsense"], "target"),
            (&["type=xid", "target=2"], "target"),
            (&["type=xid", "target=-5"], "target"),
            (&["type=xid", "target=0123"], "target"),
            (&["type=xid", "target=99999999999999999999"], "target"),
            (&["type=time", "target=yesterday"], "target"),
            (&["target-exclusive=n"], "target-exclusive"),
            (&["type=immediate", "target-exclusive="], "target-exclusive"),
            (&["type=name", "target=a", "target-exclusive="], "target-exclusive"),
            (&["type=immediate", "target-timeline=2"], "target-timeline"),
            (&["target-timeline=abc"], "target-timeline"),
            (&["target-timeline=0"], "target-timeline"),
            (&["target-timeline=-1"], "target-timeline"),
            (&["target-timeline=0x"], "target-timeline"),
            (&["target-timeline=4294967296"], "target-timeline"),
            (&["set=latest"], "set"),
            (&["set=20260131-010000"], "set"),
            (&["set=20260131-010000F_"], "set"),
            (&["set=20260131-010000D"], "set"),
            (&["set=2026013a-010000F"], "set"),
        ] {
            assert_eq!(wrong(options), Some(name), "{options:?}");
        }
        let long = format!("target={}", "x".repeat(64));
        assert_eq!(wrong(&["type=name", &long]), Some("target"));
    }
}
