//! Checks values of pgBackRest's options (`build/config/config.yaml`, `config/parse.c`). If a value is invalid, every
//! pgBackRest command that has the option fails.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::option_name;

/// Returns what is wrong with the value of an option in `options`, and what to write instead.
pub fn fault(name: &str, value: &str, options: &BTreeMap<String, String>) -> Option<String> {
    let (kind, details) = option_name::kind(name).map(|kind| kind.split_once(' ').unwrap_or((kind, "")))?;
    let why = match kind {
        "switch" if !["y", "n"].contains(&value) => "is not a boolean: write `y` or `n`".to_owned(),
        "one-of" if !details.split(' ').any(|word| word == value) => {
            format!("is not a valid value of this option: write one of `{}`", details.replace(' ', "`, `"))
        }
        "integer" => {
            let range = if name == "compress-level" { levels(options) } else { range(details) };
            if value.parse().is_ok_and(|number: i64| range.contains(&number)) {
                return None;
            }
            format!("is not valid: write a whole number from {} to {}", range.start(), range.end())
        }
        "seconds" => {
            let (least, most) = details.split_once(' ').unwrap_or_default();
            if is_time(value, least.parse().unwrap_or_default(), most.parse().unwrap_or(f64::MAX)) {
                return None;
            }
            format!("is not a valid time: write a number of seconds from {least} to {most}")
        }
        "size" if !is_size(value) => {
            "is not a valid size: write a number of bytes, or a number with a unit such as `16MiB`".to_owned()
        }
        "path" if !value.starts_with('/') || value.contains("//") => {
            "is not a valid path: write a path that begins with `/` and does not contain `//`".to_owned()
        }
        "host" if value.starts_with("http://") => unencrypted(value),
        "pair" if !value.split_once('=').is_some_and(|(key, value)| !key.is_empty() && !value.is_empty()) => {
            "is not a key and a value: write `key=value`".to_owned()
        }
        _ => return None,
    };
    Some(format!("pgBackRest does not accept this value: `{value}` {why}"))
}

/// The message for the address of a storage without TLS, which pgBackRest does not support.
pub fn unencrypted(address: &str) -> String {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    format!(
        "does not use TLS, but pgBackRest needs TLS for a storage: write `{host}`, and if a private CA signed its \
         certificate, write this CA in `repoN-storage-ca-file`"
    )
}

fn range(details: &str) -> RangeInclusive<i64> {
    let (least, most) = details.split_once(' ').unwrap_or_default();
    least.parse().unwrap_or(i64::MIN)..=most.parse().unwrap_or(i64::MAX)
}

/// Returns the levels of the chosen compression. The default compression is gzip.
fn levels(options: &BTreeMap<String, String>) -> RangeInclusive<i64> {
    match options.get("compress-type").map(String::as_str) {
        Some("bz2") => 1..=9,
        Some("lz4") => -5..=12,
        Some("zst") => -7..=22,
        _ => -1..=9,
    }
}

/// Whether the value is a number of seconds from `least` to `most`, or a number with a unit. The range is checked only without a
/// unit, because versions before 2.54 ignore the unit.
fn is_time(value: &str, least: f64, most: f64) -> bool {
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = value.strip_suffix(unit).and_then(|number| number.parse::<f64>().ok());
    let known = ["ms", "s", "m", "h", "d", "w"];
    number.is_some_and(|number| if unit.is_empty() { (least..=most).contains(&number) } else { known.contains(&unit) })
}

/// Whether the value is digits with an optional unit such as `k`, `KB` or `KiB`.
fn is_size(value: &str) -> bool {
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit());
    let known = ["", "b", "k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib", "p", "pb", "pib"];
    unit.len() < value.len() && known.contains(&unit.to_ascii_lowercase().as_str())
}
