//! Cron expressions, as the API server accepts them for a CronJob (`cron.ParseStandard` of github.com/robfig/cron v3).

/// The fields in order: name, lowest, highest, names of values from the lowest on.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Checks a schedule.
///
/// # Errors
/// What is wrong with it, in words that follow the name of the field.
pub(super) fn check(schedule: &str) -> Result<(), String> {
    if schedule.contains("TZ") {
        return Err("a schedule cannot name a time zone; it is in the time zone of the controller manager".to_owned());
    }
    if let Some(interval) = schedule.strip_prefix("@every ") {
        let valid = !interval.is_empty() && interval.starts_with(|c: char| c.is_ascii_digit());
        return if valid { Ok(()) } else { Err(format!("`{interval}` is not a duration such as `6h`")) };
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
        part.split(',').try_for_each(|range| check_range(range, field)).map_err(|why| format!("{}: {why}", field.0))
    })
}

/// One of `*`, `?`, `n`, `n-m`, each with or without `/step`.
fn check_range(range: &str, (_, lowest, highest, names): (&str, u32, u32, &[&str])) -> Result<(), String> {
    let (span, step) = range.split_once('/').map_or((range, None), |(span, step)| (span, Some(step)));
    if step.is_some_and(|step| step.parse::<u32>().map_or(true, |step| step == 0)) {
        return Err(format!("`{range}` needs a step above 0"));
    }
    if span == "*" || span == "?" {
        return Ok(());
    }
    let value = |text: &str| -> Result<u32, String> {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = by_name.and_then(|n| u32::try_from(n).ok()).map(|n| n + lowest).or_else(|| text.parse().ok());
        value
            .filter(|value| (lowest..=highest).contains(value))
            .ok_or_else(|| format!("`{text}` is not between {lowest} and {highest}"))
    };
    let (first, last) = span.split_once('-').map_or((span, None), |(first, last)| (first, Some(last)));
    let first = value(first)?;
    match last.map(value).transpose()? {
        Some(last) if last < first => Err(format!("`{span}` ends before it begins")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_accepts_is_accepted() {
        for schedule in ["0 1 * * 0", "0 */4 * * *", "30 2 1-7 jan,JUL mon-fri", "@daily", "@every 6h", "0  1 ? * *"] {
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
        ] {
            assert!(check(schedule).is_err(), "{schedule}");
        }
    }
}
