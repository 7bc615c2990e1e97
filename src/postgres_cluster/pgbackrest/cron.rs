//! The values on which a cron schedule runs, and the next run.
//!
//! A crate for cron expressions would read another dialect: Kubernetes accepts what robfig/cron accepts, and `schedule.rs` reads
//! exactly that. `tests/integration/describe/schedules.rs` compares the runs with those of robfig/cron.

use std::iter;

use time::{Date, OffsetDateTime, Time};

use super::schedule::{DESCRIPTORS, FIELDS, is_any, span};

/// The days in which the next run is looked for: five years, as in robfig/cron (`SpecSchedule.Next`).
const DAYS: usize = 5 * 366;

/// The fields of a schedule: the values on which it runs.
#[derive(Debug)]
pub(crate) struct Cron {
    pub(crate) minutes: Vec<u32>,
    pub(crate) hours: Vec<u32>,
    pub(crate) days: Vec<u32>,
    pub(crate) months: Vec<u32>,
    pub(crate) weekdays: Vec<u32>,
    /// Whether a day must fulfil both kinds of days. If neither of them allows every day, one is enough (robfig/cron,
    /// `dayMatches`).
    pub(crate) both_days: bool,
}

impl Cron {
    /// Reads a valid schedule; `None` if it is an interval.
    pub(crate) fn parse(schedule: &str) -> Option<Self> {
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
            values.sort_unstable();
            values.dedup();
            Some(values)
        };
        Some(Self {
            minutes: values(0)?,
            hours: values(1)?,
            days: values(2)?,
            months: values(3)?,
            weekdays: values(4)?,
            both_days: is_any(days) || is_any(weekdays),
        })
    }

    /// Whether it runs on a day.
    pub(crate) fn runs_on(&self, day: Date) -> bool {
        let of_month = self.days.contains(&day.day().into());
        let of_week = self.weekdays.contains(&day.weekday().number_days_from_sunday().into());
        let fits = if self.both_days { of_month && of_week } else { of_month || of_week };
        fits && self.months.contains(&u8::from(day.month()).into())
    }
}

/// The first run of a valid schedule after a time, both in seconds since 1970 and with the schedule in UTC. `None` for an
/// interval, which begins when the CronJob is created, and for a schedule that does not run in the next five years.
pub fn next_run(schedule: &str, after: i64) -> Option<i64> {
    let cron = Cron::parse(schedule)?;
    let after = OffsetDateTime::from_unix_timestamp(after).ok()?;
    let days = iter::successors(Some(after.date()), |day| day.next_day()).take(DAYS);
    days.filter(|day| cron.runs_on(*day)).find_map(|day| {
        let times = cron.hours.iter().flat_map(|hour| cron.minutes.iter().map(move |minute| (*hour, *minute)));
        let mut runs = times.filter_map(|(hour, minute)| {
            let time = Time::from_hms(u8::try_from(hour).ok()?, u8::try_from(minute).ok()?, 0).ok()?;
            Some(day.with_time(time).assume_utc())
        });
        runs.find(|run| *run > after).map(OffsetDateTime::unix_timestamp)
    })
}

/// What the descriptors mean, in their order.
const MEANINGS: [&str; DESCRIPTORS.len()] =
    ["0 0 1 1 *", "0 0 1 1 *", "0 0 1 * *", "0 0 * * 0", "0 0 * * *", "0 0 * * *", "0 * * * *"];
