//! Parses durations as the API server does.
//!
//! The server parses a string with `format: duration` with Go's `time.ParseDuration` first. If this fails, it searches for
//! numbers with units (`k8s.io/kube-openapi/pkg/validation/strfmt`), so `PT5M`, `1w 2d` and `300 secs` are durations too.

/// The units: their length in nanoseconds, the names that must match exactly, and a prefix that matches longer names.
const UNITS: [(i64, &[&str], &str); 8] = [
    (1, &["ns"], "nano"),
    (1_000, &["us", "µs"], "micro"),
    (1_000_000, &["ms"], "milli"),
    (1_000_000_000, &["s"], "sec"),
    (60_000_000_000, &["m"], "min"),
    (3_600_000_000_000, &["h", "hr"], "hour"),
    (86_400_000_000_000, &["d"], "day"),
    (604_800_000_000_000, &["w", "wk"], "week"),
];

/// Returns the length of a duration in nanoseconds, or `None` if the server would not accept the text.
///
/// The patterns of the CRD do not allow a sign or a fraction, so Go's forms with these are not implemented.
pub(crate) fn nanoseconds(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut total = None;
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (number, after) = split_while(&rest[start..], |character| character.is_ascii_digit());
        let after = after.trim_start_matches([' ', '\t', '\n', '\u{c}', '\r']);
        let (unit, after) = split_while(after, |character| character.is_ascii_alphabetic() || character == 'µ');
        rest = after;
        if unit.is_empty() {
            continue;
        }
        // A number that does not fit into 64 bits is an error; a product that does not fit wraps, as in Go.
        let number: i64 = number.parse().ok()?;
        if let Some(size) = unit_size(&unit.to_lowercase()) {
            let part = number.wrapping_mul(size);
            total = Some(total.unwrap_or(0_i64).wrapping_add(part));
        }
    }
    total
}

fn unit_size(unit: &str) -> Option<i64> {
    let found = UNITS.iter().find(|(_, names, beginning)| names.contains(&unit) || unit.starts_with(beginning));
    found.map(|(size, ..)| *size)
}

/// Splits `text` after the longest prefix whose characters all satisfy `fits`.
fn split_while(text: &str, fits: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|character| !fits(character)).unwrap_or(text.len()))
}

/// The same in whole milliseconds, without the rest.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    Some(nanoseconds(text)? / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_forms_that_the_server_takes() {
        for (text, seconds) in [
            ("0", 0),
            ("5s", 5),
            (" 3s", 3),
            ("5 MIN", 300),
            ("PT5M", 300),
            ("300 secs", 300),
            ("2m30s", 150),
            ("1w 2d", 9 * 86_400),
            ("1 wk", 7 * 86_400),
            ("2hr", 7_200),
            ("3 hours", 10_800),
        ] {
            assert_eq!(nanoseconds(text), Some(seconds * SECOND), "{text}");
        }
        assert_eq!(nanoseconds("200ms"), Some(200_000_000));
        assert_eq!(nanoseconds("1 millis"), Some(1_000_000));
    }

    #[test]
    fn what_has_no_number_with_a_unit_is_not_a_duration() {
        for text in ["", "5", "soon", "5 x", "99999999999999999999s"] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}
