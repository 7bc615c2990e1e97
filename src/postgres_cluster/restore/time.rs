//! Checks the time of `--type=time`. pgBackRest reads it to choose a backup (`getEpoch` in `command/restore/restore.c`), and then
//! Postgres reads it.

use time::{Date, Month};

/// How pgBackRest wants it.
const FORM: &str = "write `YYYY-MM-DD HH:MM:SS+00`, with the offset from UTC as `+HH` or `+HH:MM`";

/// The words that Postgres does not accept as a target, because they mean another time at each start
/// (`check_recovery_target_time`).
const RELATIVE: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// Checks a time. If the backup is given (`has_set`), pgBackRest does not read the time, and Postgres accepts more forms.
pub(super) fn check(text: &str, has_set: bool) -> Result<(), String> {
    let Err(what) = read(text) else { return Ok(()) };
    let is_relative = RELATIVE.contains(&text.trim().to_ascii_lowercase().as_str());
    let has_digit = text.contains(|character: char| character.is_ascii_digit());
    match what {
        Some(what) => Err(format!("is not a time, because {what}: correct it")),
        None if !has_set => Err(format!("is not a time that pgBackRest can read: {FORM}")),
        None if is_relative => Err(format!("is another time each day, which Postgres does not accept: {FORM}")),
        None if !has_digit => Err(format!("is not a time: {FORM}")),
        None => Ok(()),
    }
}

/// Reads a time in pgBackRest's form. An error has the part that is out of its range, or nothing if the form is another one.
fn read(text: &str) -> Result<(), Option<&'static str>> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(after(rest, '-')?, 2)?;
    let (day, rest) = digits(after(rest, '-')?, 2)?;
    let (hour, rest) = digits(after(rest, ' ')?, 2)?;
    let (minute, rest) = digits(after(rest, ':')?, 2)?;
    let (second, rest) = digits(after(rest, ':')?, 2)?;
    let offset = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let rest = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            if !(1..=6).contains(&(fraction.len() - rest.len())) {
                return Err(None);
            }
            rest
        }
        None => rest,
    };
    let date = |day: u32| {
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
    };
    for (is_good, what) in [
        (year >= 1970, "its year is before 1970"),
        (date(1).is_some(), "its month is not one from 01 to 12"),
        (date(day).is_some(), "its month does not have this day"),
        (hour <= 23, "its hour is not one from 00 to 23"),
        (minute <= 59, "its minute is not one from 00 to 59"),
        (second <= 59, "its second is not one from 00 to 59"),
    ] {
        if !is_good {
            return Err(Some(what));
        }
    }
    check_offset(offset)
}

/// Reads the offset from UTC: nothing, or a sign with hours and perhaps minutes.
fn check_offset(text: &str) -> Result<(), Option<&'static str>> {
    if text.is_empty() {
        return Ok(());
    }
    let most = if text.starts_with('-') { 12 * 60 } else { 14 * 60 };
    let rest = text.strip_prefix(['+', '-']).ok_or(None)?;
    let (hours, rest) = digits(rest, 2)?;
    let minutes = match rest.strip_prefix(':').unwrap_or(rest) {
        "" if rest.is_empty() => 0,
        minutes => match digits(minutes, 2)? {
            (minutes, "") => minutes,
            _ => return Err(None),
        },
    };
    let is_good = hours * 60 + minutes <= most && minutes < 60 && minutes % 15 == 0;
    if is_good { Ok(()) } else { Err(Some("no place has this offset from UTC")) }
}

/// Reads a number of `count` digits, and returns the rest.
fn digits(text: &str, count: usize) -> Result<(u32, &str), Option<&'static str>> {
    let (number, rest) = text.split_at_checked(count).ok_or(None)?;
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok((number.parse().map_err(|_| None)?, rest))
    } else {
        Err(None)
    }
}

fn after(text: &str, separator: char) -> Result<&str, Option<&'static str>> {
    text.strip_prefix(separator).ok_or(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_backup_pgbackrest_reads_the_time() {
        for text in ["2026-01-31 12:00:00", "2026-01-31 12:00:00.123456+05:30", "2024-02-29 23:59:59,5-0330"] {
            assert_eq!(check(text, false), Ok(()), "{text}");
        }
        for text in [
            "2026-13-01 12:00:00",
            "2026-00-01 12:00:00",
            "2026-02-29 12:00:00",
            "2026-04-31 12:00:00",
            "2026-01-31 24:00:00",
            "2026-01-31 12:60:00",
            "2026-01-31 12:00:60",
            "1969-12-31 12:00:00",
            "2026-01-31 12:00:00+15",
            "2026-01-31 12:00:00+00:10",
        ] {
            let [free, fixed] = [check(text, false), check(text, true)];
            assert!(free.is_err() && free == fixed, "{text}: {free:?} {fixed:?}");
        }
    }

    #[test]
    fn with_a_backup_only_postgres_reads_the_time() {
        for text in ["2026-01-31T12:00:00Z", "2026-01-31 12:00 Europe/Berlin", "Jan 31 2026", "2026-01-31"] {
            assert!(check(text, false).is_err() && check(text, true).is_ok(), "{text}");
        }
        for text in ["now", " Today ", "nonsense"] {
            assert!(check(text, false).is_err() && check(text, true).is_err(), "{text}");
        }
    }
}
