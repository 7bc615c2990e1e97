//! Cron schedules in words: "every Sunday at 01:00 UTC".

use crate::postgres_cluster::pgbackrest::cron::Cron;

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How many times of a day are listed.
const LISTED: usize = 6;

/// Returns a valid schedule in words.
pub(super) fn words(schedule: &str) -> String {
    if let Some(interval) = schedule.strip_prefix("@every ") {
        return format!("every {interval}, counted from when the CronJob is created");
    }
    let Some(cron) = Cron::parse(schedule) else { return schedule.to_owned() };
    let parts = [days(&cron), Some(times(&cron)), months(&cron)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The days, unless it runs on all of them at all hours.
fn days(cron: &Cron) -> Option<String> {
    let of_month = (cron.days.len() < 31).then(|| {
        let noun = if cron.days.len() == 1 { "day" } else { "the days" };
        format!("on {noun} {} of the month", list(&spans(&cron.days, |day| day.to_string())))
    });
    let of_week = (cron.weekdays.len() < 7).then(|| {
        let name = |day: u32| WEEKDAYS.get(day as usize).copied().unwrap_or_default().to_owned();
        format!("every {}", list(&spans(&cron.weekdays, name)))
    });
    match (of_month, of_week) {
        (None, None) => (cron.hours.len() < 24).then(|| "every day".to_owned()),
        (Some(days), None) | (None, Some(days)) => Some(days),
        (Some(of_month), Some(of_week)) => {
            let both = if cron.both_days { "if it is also" } else { "and" };
            Some(format!("{of_month} {both} {of_week}"))
        }
    }
}

fn times(cron: &Cron) -> String {
    let (hours, minutes) = (&cron.hours, &cron.minutes);
    if hours.len() * minutes.len() <= LISTED {
        let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| format!("{hour:02}:{minute:02}")));
        return format!("at {} UTC", list(&times.collect::<Vec<_>>()));
    }
    let of_hour = match (step(minutes, 60), minutes.as_slice()) {
        (Some(1), _) => "every minute".to_owned(),
        (Some(step), _) => format!("every {step} minutes"),
        (None, [minute]) => format!("at minute {minute}"),
        (None, several) => format!("at the minutes {}", list(&spans(several, |minute| minute.to_string()))),
    };
    match step(hours, 24) {
        Some(1) if step(minutes, 60).is_none() => format!("{of_hour} of every hour"),
        Some(1) => of_hour,
        Some(step) => format!("{of_hour} of every {step} hours from 00:00 UTC"),
        None => format!("{of_hour} of the hours {} UTC", list(&spans(hours, |hour| format!("{hour:02}")))),
    }
}

fn months(cron: &Cron) -> Option<String> {
    if cron.months.len() == 12 {
        return None;
    }
    let name = |month: u32| MONTHS.get(month as usize - 1).copied().unwrap_or_default().to_owned();
    Some(format!("in {}", list(&spans(&cron.months, name))))
}

/// The step between values that begin at 0 and have the same distance, up to the end of the range.
fn step(values: &[u32], range: u32) -> Option<u32> {
    let [0, second, ..] = values else { return None };
    let all: Vec<u32> = (0..range).step_by(*second as usize).collect();
    (values == all && range.is_multiple_of(*second)).then_some(*second)
}

/// The values, with three or more that follow each other as one span.
fn spans(values: &[u32], name: impl Fn(u32) -> String) -> Vec<String> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == *value => *last = *value,
            _ => found.push((*value, *value)),
        }
    }
    let written = found.into_iter().flat_map(|(first, last)| match last - first {
        0 => vec![name(first)],
        1 => vec![name(first), name(last)],
        _ => vec![format!("{} to {}", name(first), name(last))],
    });
    written.collect()
}

/// Joins words with commas and a final "and".
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_said_in_words() {
        for (schedule, expected) in [
            ("0 1 * * 0", "every Sunday at 01:00 UTC"),
            ("0 1 * * 1-6", "every Monday to Saturday at 01:00 UTC"),
            ("30 2,14 * * mon,wed,fri", "every Monday, Wednesday and Friday at 02:30 and 14:30 UTC"),
            ("0 */4 * * *", "every day at 00:00, 04:00, 08:00, 12:00, 16:00 and 20:00 UTC"),
            ("0 */2 * * *", "every day at minute 0 of every 2 hours from 00:00 UTC"),
            ("@hourly", "at minute 0 of every hour"),
            ("* * * * *", "every minute"),
            ("*/15 8-18 * * *", "every day every 15 minutes of the hours 08 to 18 UTC"),
            ("5,35 * * * *", "at the minutes 5 and 35 of every hour"),
            ("30 3 1 * *", "on day 1 of the month at 03:30 UTC"),
            ("0 0 1,15 * 0", "on the days 1 and 15 of the month and every Sunday at 00:00 UTC"),
            ("0 0 1 1,7 *", "on day 1 of the month at 00:00 UTC in January and July"),
            ("@yearly", "on day 1 of the month at 00:00 UTC in January"),
            ("@every 6h", "every 6h, counted from when the CronJob is created"),
        ] {
            assert_eq!(words(schedule), expected, "{schedule}");
        }
    }
}
