//! The longest time between two runs of cron schedules, from which follows when a backup is too old.

use std::iter;
use std::ops::RangeInclusive;

use time::Date;

use super::cron::Cron;
use crate::parse::duration;

/// The years in which runs are looked for: five with two leap days, so that every schedule that ever runs does so twice.
const YEARS: RangeInclusive<i32> = 2024..=2028;
const NANOSECONDS_PER_HOUR: u64 = 3_600_000_000_000;

/// Returns the longest time between two runs of any of `schedules`, in hours, rounded up; `None` if they run less than twice. The
/// minutes do not matter. The schedules must be valid.
pub(crate) fn longest_gap_hours<'a>(schedules: impl Iterator<Item = &'a str> + Clone) -> Option<u32> {
    let every = schedules.clone().filter_map(|schedule| interval_hours(schedule.strip_prefix("@every ")?)).min();
    let crons: Vec<Cron> = schedules.filter_map(Cron::parse).collect();
    let (mut longest, mut last) = (None, None);
    for (number, day) in (0..).zip(days()) {
        let today: Vec<&Cron> = crons.iter().filter(|cron| cron.runs_on(day)).collect();
        for hour in (0..24).filter(|hour| today.iter().any(|cron| cron.hours.contains(hour))) {
            let now = number * 24 + hour;
            longest = longest.max(last.map(|last| now - last));
            last = Some(now);
        }
    }
    [longest, every].into_iter().flatten().min()
}

/// All days of [`YEARS`].
fn days() -> impl Iterator<Item = Date> {
    let first = Date::from_ordinal_date(*YEARS.start(), 1).ok();
    iter::successors(first, |day| day.next_day()).take_while(|day| YEARS.contains(&day.year()))
}

/// The length of an interval in hours, rounded up. A fraction, which is rare, gives `None`.
fn interval_hours(interval: &str) -> Option<u32> {
    let nanoseconds = duration::nanoseconds(interval).filter(|_| !interval.contains('.'))?;
    u64::try_from(nanoseconds).ok()?.div_ceil(NANOSECONDS_PER_HOUR).max(1).try_into().ok()
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
        let day = days().last().unwrap();
        // 2028-12-31 is a Sunday.
        let weekday = day.weekday().number_days_from_sunday();
        assert_eq!((day.year(), u8::from(day.month()), day.day(), weekday), (2028, 12, 31, 0));
        assert_eq!(days().count(), 5 * 365 + 2);
    }
}
