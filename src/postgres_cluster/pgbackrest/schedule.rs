//! Checks cron expressions as the API server does for a CronJob (`cron.ParseStandard` of github.com/robfig/cron v3).

use std::collections::BTreeSet;

/// A field: name, lowest value, highest value, and names of values, beginning with the lowest.
pub(super) type Field = (&'static str, u32, u32, &'static [&'static str]);

/// The fields in their order.
pub(super) const FIELDS: [Field; 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// The schedules that are words, without `@every`.
pub(super) const DESCRIPTORS: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Checks a schedule.
///
/// # Errors
/// The error says what is wrong, in words that follow the name of the field.
pub(crate) fn check(schedule: &str) -> Result<(), String> {
    if schedule.contains("TZ") {
        return Err(
            "a schedule cannot set a time zone: remove it; Kubernetes uses the time zone of the controller manager"
                .to_owned(),
        );
    }
    if let Some(interval) = schedule.strip_prefix("@every ") {
        return if seconds(interval).is_some() {
            Ok(())
        } else {
            Err(format!("`{interval}` is not a valid duration: write a duration such as `6h`"))
        };
    }
    if schedule.starts_with('@') {
        let known = DESCRIPTORS.contains(&schedule);
        return if known { Ok(()) } else { Err(format!("`{schedule}` is not one of {}", DESCRIPTORS.join(", "))) };
    }
    let parts: Vec<_> = schedule.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!(
            "a schedule has five fields (minute, hour, day of month, month, day of week), this has {}",
            parts.len()
        ));
    }
    parts.iter().zip(FIELDS).try_for_each(|(part, field)| {
        part.split(',').try_for_each(|range| span(range, field).map(drop)).map_err(|why| format!("{}: {why}", field.0))
    })
}

/// Returns a note if the API server accepts a schedule that will not run as written.
pub(crate) fn note(schedule: &str) -> Option<String> {
    let parts: Vec<_> = schedule.split_whitespace().collect();
    let [_, _, days, months, weekdays] = parts[..] else { return None };
    for (part, field) in parts.iter().zip(FIELDS) {
        for range in part.split(',') {
            let (first, last, step) = span(range, field).ok()?;
            if step > 1 && step > last - first {
                let (name, ..) = field;
                return Some(format!(
                    "{name}: `{range}` matches only {first}, because the next step is greater than {last}: write a \
                     smaller step, or `{first}` if you mean that"
                ));
            }
        }
    }
    never_comes(days, months, weekdays).then(|| {
        "never runs, because none of these months has this day: write an earlier day, or `1` for the first day of the \
         month"
            .to_owned()
    })
}

/// Whether the day of the month does not exist in any of the months. If the schedule has both kinds of days, either one is
/// enough, as in robfig/cron (`dayMatches`); a day of the week occurs in every month.
fn never_comes(days: &str, months: &str, weekdays: &str) -> bool {
    let [.., of_month, of_year, _] = FIELDS;
    if is_any(days) || !is_any(weekdays) {
        return false;
    }
    let earliest = days.split(',').filter_map(|range| span(range, of_month).ok()).map(|(first, ..)| first).min();
    let longest = (1..=12).filter(|month| {
        months
            .split(',')
            .filter_map(|range| span(range, of_year).ok())
            .any(|(first, last, step)| (first..=last).contains(month) && (month - first) % step == 0)
    });
    let longest = longest.map(|month| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    });
    earliest > longest.max()
}

/// Whether a field of days allows every day in robfig/cron (`starBit`). With a larger step, it does not.
pub(super) fn is_any(field: &str) -> bool {
    field.split(',').any(|range| ["*", "?", "*/1", "?/1"].contains(&range))
}

/// Whether two runs of a valid schedule can be less than an hour apart.
pub(crate) fn is_more_often_than_hourly(schedule: &str) -> bool {
    if let Some(interval) = schedule.strip_prefix("@every ") {
        return seconds(interval).is_some_and(|seconds| seconds < 3600.0);
    }
    let [minute, ..] = FIELDS;
    let spans = schedule.split_whitespace().next().into_iter().flat_map(|part| part.split(','));
    let spans = spans.filter_map(|range| span(range, minute).ok());
    let minutes =
        spans.flat_map(|(first, last, step)| (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)));
    minutes.collect::<BTreeSet<_>>().len() > 1
}

/// Parses a duration as Go does (`time.ParseDuration`): numbers with a unit each. There is no unit for days.
fn seconds(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = rest.strip_suffix(after).filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))?;
        // `ms` begins with `m`.
        let units = UNITS.iter().filter_map(|(unit, factor)| Some((after.strip_prefix(unit)?, factor)));
        let (next, factor) = units.min_by_key(|(next, _)| next.len())?;
        sum += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    (!text.is_empty()).then_some(sum)
}

/// Parses `*`, `?`, `n` or `n-m`, each with an optional `/step`, into the first value, the last value and the step. `n/step`
/// goes to the highest value.
pub(super) fn span(range: &str, (name, lowest, highest, names): Field) -> Result<(u32, u32, u32), String> {
    let (span, step) = range.split_once('/').map_or((range, None), |(span, step)| (span, Some(step)));
    let is_stepped = step.is_some();
    let step = step.map_or(Some(1), |step| step.parse::<u32>().ok()).filter(|step| *step > 0);
    let step = step.ok_or_else(|| format!("`{range}` needs a step of at least 1"))?;
    if span == "*" || span == "?" {
        return Ok((lowest, highest, step));
    }
    let value = |text: &str| -> Result<u32, String> {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = by_name.and_then(|n| u32::try_from(n).ok()).map(|n| n + lowest).or_else(|| text.parse().ok());
        value.filter(|value| (lowest..=highest).contains(value)).ok_or_else(|| {
            let sunday = if name == "day of week" && text == "7" { "; Sunday is `0`" } else { "" };
            format!("`{text}` is out of range: write a number from {lowest} to {highest}{sunday}")
        })
    };
    let (first, last) = span.split_once('-').map_or((span, None), |(first, last)| (first, Some(last)));
    let first = value(first)?;
    match last.map(value).transpose()? {
        Some(last) if last < first => Err(format!("`{span}` ends before it begins")),
        Some(last) => Ok((first, last, step)),
        None if is_stepped => Ok((first, highest, step)),
        None => Ok((first, first, step)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_accepts_is_accepted() {
        for schedule in [
            "0 1 * * 0",
            "0 */4 * * *",
            "30 2 1-7 jan,JUL mon-fri",
            "@daily",
            "@every 6h",
            "@every 1h30m",
            "0  1 ? * *",
        ] {
            assert_eq!(check(schedule), Ok(()), "{schedule}");
        }
    }

    #[test]
    fn what_it_refuses_is_refused() {
        for schedule in [
            "0 1 * *",
            "0 1 * * 7",
            "60 1 * * *",
            "0 1 0 * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "@often",
            "TZ=UTC 0 1 * * *",
            "a b c d e",
            "@every 1d",
            "@every 6",
            "@every h",
            "@every 1.2.3h",
        ] {
            assert!(check(schedule).is_err(), "{schedule}");
        }
        assert!(check("0 1 * * 7").unwrap_err().contains("Sunday is `0`"));
    }

    #[test]
    fn what_does_not_act_as_it_says_is_noted() {
        for (schedule, words) in [
            ("*/70 * * * *", "minute: `*/70` matches only 0"),
            ("0 */24 * * *", "hour: `*/24` matches only 0"),
            ("0 5/20 * * *", "hour: `5/20` matches only 5"),
            ("0 2-6/8 * * *", "hour: `2-6/8` matches only 2"),
            ("0 0 1,*/31 * *", "day of month: `*/31` matches only 1"),
            ("0 0 * * */7", "day of week: `*/7` matches only 0"),
            ("0 0 31 2 *", "never runs"),
            ("0 0 31 4,jun,9-9,NOV *", "never runs"),
            ("0 0 30,31 2 ?", "never runs"),
            ("0 0 31 2/20 *", "month: `2/20` matches only 2"),
        ] {
            assert_eq!(check(schedule), Ok(()), "{schedule}");
            let note = note(schedule).unwrap_or_default();
            assert!(note.contains(words), "{schedule}: {note}");
        }
        for schedule in [
            "@daily",
            "@every 6h",
            "*/59 * * * *",
            "*/40 * * * *",
            "0 0 29 2 *",
            "0 0 31 2 1",
            "0 0 31 */2 *",
            "0 0 31 2,3 *",
            "0 0 1,31 2 *",
            "0 0 */7 2 *",
        ] {
            assert_eq!(note(schedule), None, "{schedule}");
        }
    }

    #[test]
    fn what_runs_twice_in_an_hour_is_more_often_than_hourly() {
        for schedule in
            ["* * * * *", "*/59 * * * *", "0,30 3 * * *", "5-6 0 1 1 *", "? 0 * * *", "@every 1s", "@every 59m59.9s"]
        {
            assert!(is_more_often_than_hourly(schedule), "{schedule}");
        }
        for schedule in ["0 * * * *", "7,7 * * * *", "59/2 * * * *", "@hourly", "@daily", "@every 1h", "@every 60m"] {
            assert!(!is_more_often_than_hourly(schedule), "{schedule}");
        }
    }
}
