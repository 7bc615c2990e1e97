//! Checks values of Postgres' own parameters. If Patroni cannot read a value, it leaves out the parameter, with only a line in
//! its log (Patroni's `postgresql/validator.py`, `utils.py`), and Postgres uses the default.

use super::parameter_name;

const SIZES: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
const TIMES: [&str; 6] = ["us", "ms", "s", "min", "h", "d"];

/// Returns what is wrong with the value of a parameter, and what to write instead.
pub fn fault(name: &str, value: &str) -> Option<String> {
    let kind = parameter_name::kind(name);
    let (kind, details) = kind.split_once(' ').unwrap_or((kind, ""));
    let value = value.trim();
    let is_known = |words: &str| words.split_whitespace().any(|word| word == value.to_lowercase());
    let instead = match kind {
        "switch" if switch(value).is_none() && !is_known(details) => match details {
            "" => "write `on` or `off`".to_owned(),
            words => format!("write `on`, `off` or one of `{}`", words.replace(' ', "`, `")),
        },
        // Some enumerations have the empty text as their first value.
        "enum" if !(is_known(details) || value.is_empty() && details.starts_with(' ')) => {
            format!("write one of `{}`", details.trim_start().replace(' ', "`, `"))
        }
        "integer" | "real" => number(value, kind, details)?,
        _ => return None,
    };
    let value = crate::diagnostic::words::quote(value);
    Some(format!("Patroni cannot read {value} and ignores the parameter, so Postgres uses its default: {instead}"))
}

/// Returns whether a value means on or off; `None` if it is not a word for these, in any case.
pub fn switch(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Some(true),
        "off" | "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Returns what to write instead of a number that cannot be parsed. `base` is the unit of a number without one.
fn number(value: &str, kind: &str, base: &str) -> Option<String> {
    let units: &[&str] = match base.trim_start_matches(|c: char| c.is_ascii_digit()) {
        "" => &[],
        "B" | "kB" | "MB" => &SIZES,
        _ => &TIMES,
    };
    let length = length_of_number(value, kind == "real");
    let (number, unit) = value.split_at(length);
    let unit = unit.trim();
    if length > 0 && (unit.is_empty() || units.contains(&unit)) {
        return None;
    }
    let meant = units.iter().find(|known| length > 0 && means(unit, known));
    Some(match meant {
        Some(meant) => format!("write `{number}{meant}`"),
        None if units.is_empty() && kind == "real" => "write a number without a unit, with `.` for decimals".to_owned(),
        None if units.is_empty() => "write a whole number, without a unit".to_owned(),
        None => format!("write a number with one of the units `{}`", units.join("`, `")),
    })
}

/// Returns the length of the number at the beginning of the text, in bytes. It has base 8, 10 or 16, or a point or an exponent.
fn length_of_number(value: &str, is_real: bool) -> usize {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let sign = usize::from(value.starts_with(['-', '+']));
    let rest = &value[sign..];
    if let Some(rest) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"))
        && !is_real
    {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
        return if digits == 0 { sign + 1 } else { sign + 2 + digits };
    }
    let whole = digits(rest);
    let fraction = rest[whole..].strip_prefix('.').map_or(0, |rest| 1 + digits(rest));
    if whole + fraction == 0 || (whole == 0 && fraction == 1) {
        return 0;
    }
    let mantissa = sign + whole + fraction;
    let exponent = value[mantissa..].strip_prefix(['e', 'E']).map_or(0, |rest| {
        let sign = usize::from(rest.starts_with(['-', '+']));
        match digits(&rest[sign..]) {
            0 => 0,
            digits => 1 + sign + digits,
        }
    });
    mantissa + exponent
}

/// Whether an unknown unit probably means the unit `known`.
fn means(unit: &str, known: &str) -> bool {
    let unit = unit.to_lowercase();
    let words: &[&str] = match known {
        "B" => &["b", "byte", "bytes"],
        "kB" => &["k", "kb", "ki", "kib"],
        "MB" => &["m", "mb", "mi", "mib"],
        "GB" => &["g", "gb", "gi", "gib"],
        "TB" => &["t", "tb", "ti", "tib"],
        "ms" => &["ms", "msec", "millisecond", "milliseconds"],
        "s" => &["s", "sec", "secs", "second", "seconds"],
        "min" => &["m", "min", "mins", "minute", "minutes"],
        "h" => &["h", "hr", "hrs", "hour", "hours"],
        "d" => &["d", "day", "days"],
        _ => &[],
    };
    words.contains(&unit.as_str())
}
