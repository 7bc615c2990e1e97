//! The longest time between two runs of cron schedules, from which follows when a backup is too old.

use super::schedule::{DESCRIPTORS, FIELDS, is_any, span};
use crate::parse::duration;

/// The days in which runs are looked for: five years with two leap days, so that every schedule that ever runs does so twice.
/// The first one is 2024-01-01, a Monday.
const DAYS: u32 = 5 * 365 + 2;
const FIRST_YEAR: u32 = 2024;
const FIRST_WEEKDAY: u32 = 1;
const NANOSECONDS_PER_HOUR: u64 = 3_600_000_000_000;

/// Returns the longest time between two runs of any of `schedules`, in hours, rounded up; `None` if they run less than twice. The
/// minutes do not matter. The schedules must be valid.
pub(crate) fn longest_gap_hours<'a>(schedules: impl Iterator<Item = &'a str> + Clone) -> Option<u32> {
    let every = schedules.clone().filter_map(|schedule| interval_hours(schedule.strip_prefix("@every ")?)).min();
    let crons: Vec<Cron> = schedules.filter_map(Cron::parse).collect();
    let (mut longest, mut last) = (None, None);
    let mut day = Date { year: FIRST_YEAR, month: 1, day: 1, weekday: FIRST_WEEKDAY };
    for number in 0..DAYS {
        let today: Vec<&Cron> = crons.iter().filter(|cron| cron.runs_on(&day)).collect();
        for hour in (0..24).filter(|hour| today.iter().any(|cron| cron.hours.contains(hour))) {
            let now = number * 24 + hour;
            longest = longest.max(last.map(|last| now - last));
            last = Some(now);
        }
        day = day.next();
    }
    [longest, every].into_iter().flatten().min()
}

/// The length of an interval in hours, rounded up. A fraction, which is rare, gives `None`.
fn interval_hours(interval: &str) -> Option<u32> {
    let nanoseconds = duration::nanoseconds(interval).filter(|_| !interval.contains('.'))?;
    u64::try_from(nanoseconds).ok()?.div_ceil(NANOSECONDS_PER_HOUR).max(1).try_into().ok()
}

/// The fields of a schedule: the values on which it runs.
struct Cron {
    hours: Vec<u32>,
    days: Vec<u32>,
    months: Vec<u32>,
    weekdays: Vec<u32>,
    /// Whether a day must fulfil both kinds of days. If neither of them allows every day, one is enough (robfig/cron,
    /// `dayMatches`).
    both_days: bool,
}

impl Cron {
    fn parse(schedule: &str) -> Option<Self> {
        let position = DESCRIPTORS.iter().position(|descriptor| *descriptor == schedule);
        let schedule = position.map_or(schedule, |position| MEANINGS[position]);
        let parts: Vec<&str> = schedule.split_whitespace().collect();
        let [_, _, days, _, weekdays] = parts[..] else { return None };
        let values = |index: usize| -> Option<Vec<u32>> {
            let mut values = Vec::new();
            for range in parts[index].split(',') {
                let (first, last, step) = span(range, FIELDS[index]).ok()?;
                values.extend((first..=last).filter(|value| (value - first) % step == 0));
            }
            Some(values)
        };
        Some(Self {
            hours: values(1)?,
            days: values(2)?,
            months: values(3)?,
            weekdays: values(4)?,
            both_days: is_any(days) || is_any(weekdays),
        })
    }

    fn runs_on(&self, day: &Date) -> bool {
        let (of_month, of_week) = (self.days.contains(&day.day), self.weekdays.contains(&day.weekday));
        let fits = if self.both_days { of_month && of_week } else { of_month || of_week };
        fits && self.months.contains(&day.month)
    }
}

/// What the descriptors mean, in their order.
const MEANINGS: [&str; DESCRIPTORS.len()] =
    ["0 0 1 1 *", "0 0 1 1 *", "0 0 1 * *", "0 0 * * 0", "0 0 * * *", "0 0 * * *", "0 * * * *"];

/// A day of the calendar. Weekdays count from Sunday, 0.
struct Date {
    year: u32,
    month: u32,
    day: u32,
    weekday: u32,
}

impl Date {
    fn next(&self) -> Self {
        let weekday = (self.weekday + 1) % 7;
        let length = match self.month {
            // No year that is divisible by 100 is among them.
            2 if self.year.is_multiple_of(4) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match (self.day == length, self.month) {
            (false, month) => Self { year: self.year, month, day: self.day + 1, weekday },
            (true, 12) => Self { year: self.year + 1, month: 1, day: 1, weekday },
            (true, month) => Self { year: self.year, month: month + 1, day: 1, weekday },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(schedules: &[&str]) -> Option<u32> {
        longest_gap_hours(schedules.iter().copied())
    }

    #[test]
    fn the_gap_of_one_schedule() {
        for (schedule, hours) in [
            ("0 1 * * *", 24),
            ("*/5 * * * *", 1),
            ("0 */6 * * *", 6),
            ("0 */5 * * *", 5),
            ("0 8-18 * * *", 14),
            ("0 1 * * 0", 7 * 24),
            ("0 1 * * mon-fri", 3 * 24),
            ("0 1 1 * *", 31 * 24),
            ("0 1 31 * *", 61 * 24),
            // Either kind of day is enough.
            ("0 1 1 * 0", 7 * 24),
            ("0 0 1 1 *", 366 * 24),
            ("0 0 29 2 *", (4 * 365 + 1) * 24),
            ("@daily", 24),
            ("@hourly", 1),
            ("@weekly", 7 * 24),
            ("@every 90m", 2),
            ("@every 48h", 48),
        ] {
            assert_eq!(gap(&[schedule]), Some(hours), "{schedule}");
        }
    }

    #[test]
    fn the_gap_of_several_schedules_is_that_between_any_of_them() {
        assert_eq!(gap(&["0 1 * * 0", "0 1 * * 1-6"]), Some(24));
        assert_eq!(gap(&["0 1 * * 0", "0 1 * * 3"]), Some(4 * 24));
        assert_eq!(gap(&["0 1 * * 0", "@every 6h"]), Some(6));
        assert_eq!(gap(&["0 23 * * 0", "0 1 * * 1"]), Some(6 * 24 + 22));
    }

    #[test]
    fn what_never_runs_twice_has_no_gap() {
        assert_eq!(gap(&[]), None);
        assert_eq!(gap(&["0 0 31 2 *"]), None);
        assert_eq!(gap(&["@every 1.5h"]), None);
    }

    #[test]
    fn the_calendar_is_right() {
        let mut day = Date { year: FIRST_YEAR, month: 1, day: 1, weekday: FIRST_WEEKDAY };
        for _ in 1..DAYS {
            day = day.next();
        }
        // 2028-12-31 is a Sunday.
        assert_eq!((day.year, day.month, day.day, day.weekday), (2028, 12, 31, 0));
    }
}
