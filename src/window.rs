//! The certificate window: the span of time in which leaf certificates keep the same bytes.
//!
//! Windows are counted from 1970 and are the same for every cluster. A certificate lives longer than its window, so that
//! one that was rendered on the last day of a window still serves for months.

use std::fmt;

use thiserror::Error;
use time::{Date, OffsetDateTime};

const DAY: i64 = 24 * 60 * 60;

/// The most days that a window may have: a year, so that the first one that [`EARLIEST`] allows begins within the
/// validity of the CA.
const WINDOW_DAYS_MAX: u16 = 365;

/// The longest life of a leaf certificate, in days: Apple's clients refuse one that is longer (their `HT210176`), whoever
/// signed it.
const LIFETIME_DAYS_MAX: u16 = 825;

/// How many days are left at least, once a window has ended, to render and apply the certificates of the next.
const MARGIN_DAYS: u16 = 30;

/// Clocks of clients may be late by this much (PGO's `internal/pki` has the same hour).
const TOLERANCE: i64 = 60 * 60;

/// 2020-01-01 00:00:00 UTC. A clock before this is not set.
const EARLIEST: i64 = 1_577_836_800;

/// The start of every CA's validity, 2019-01-01 00:00:00 UTC: before the first window that [`EARLIEST`] allows.
pub(crate) const AUTHORITY_NOT_BEFORE: i64 = 1_546_300_800;

/// The end of every CA's validity, 2049-12-31 23:59:59 UTC: the last second that X.509 writes with a year of two digits.
/// It does not depend on the window, so that a trust bundle only changes when a CA is rotated.
pub(crate) const AUTHORITY_NOT_AFTER: i64 = 2_524_607_999;

/// Why there is no window for a time.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TimeError {
    /// Before 2020.
    #[error(
        "the time to render for, `{0}` seconds after 1970, is before 2020; set the clock, or give the time with `--time` or \
         `SOURCE_DATE_EPOCH`"
    )]
    Early(i64),
    /// So late that a certificate would outlive its CA.
    #[error(
        "the time to render for, `{0}` seconds after 1970, is too late for certificate authorities that end with 2049; give \
         another with `--time` or `SOURCE_DATE_EPOCH`"
    )]
    Late(i64),
}

/// Why a schedule is none.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ScheduleError {
    /// A window of no days, or of more than a year.
    #[error("a certificate window of `{0}` days is out of range, write 1 to {WINDOW_DAYS_MAX} days")]
    Window(u16),
    /// A life that clients refuse.
    #[error("a certificate lifetime of `{0}` days is out of range, write at most {LIFETIME_DAYS_MAX} days")]
    Lifetime(u16),
    /// A life that does not bear the window.
    #[error(
        "a certificate window of `{window}` days is too long for a lifetime of `{lifetime}` days: certificates must outlast \
         their window by {MARGIN_DAYS} days, so write a shorter window or a lifetime of at least {} days",
        window + MARGIN_DAYS
    )]
    Margin {
        /// Days of the window.
        window: u16,
        /// Days of the lifetime.
        lifetime: u16,
    },
}

/// How often leaf certificates are replaced and how long they live. Whatever it is, a certificate outlasts its window by 30
/// days.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    window_days: u16,
    lifetime_days: u16,
}

impl Schedule {
    /// A window of so many days, 1 to 365, and a life of so many from its start: at least 30 more than the window, and at
    /// most 825.
    pub fn new(window_days: u16, lifetime_days: u16) -> Result<Self, ScheduleError> {
        if !(1..=WINDOW_DAYS_MAX).contains(&window_days) {
            return Err(ScheduleError::Window(window_days));
        }
        if lifetime_days > LIFETIME_DAYS_MAX {
            return Err(ScheduleError::Lifetime(lifetime_days));
        }
        if lifetime_days < window_days + MARGIN_DAYS {
            return Err(ScheduleError::Margin { window: window_days, lifetime: lifetime_days });
        }
        Ok(Self { window_days, lifetime_days })
    }

    /// The days of a window.
    pub fn window_days(self) -> u16 {
        self.window_days
    }

    /// The days of a life.
    pub fn lifetime_days(self) -> u16 {
        self.lifetime_days
    }

    fn window(self) -> i64 {
        i64::from(self.window_days) * DAY
    }

    fn lifetime(self) -> i64 {
        i64::from(self.lifetime_days) * DAY
    }
}

impl Default for Schedule {
    /// Half a year, and 397 days, which is what the CA/Browser Forum and Apple allowed for public certificates when this was
    /// chosen, so that no client finds it too long.
    fn default() -> Self {
        Self { window_days: 182, lifetime_days: 397 }
    }
}

/// One window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    start: i64,
    schedule: Schedule,
}

impl Window {
    /// The window of `schedule` that `time` is in, in seconds since 1970-01-01 00:00:00 UTC. An error for a time before 2020 (a clock
    /// that is not set) and for one so late that certificates would outlive their CA.
    pub fn containing(time: i64, schedule: Schedule) -> Result<Self, TimeError> {
        if time < EARLIEST {
            return Err(TimeError::Early(time));
        }
        let window = Self { start: time - time % schedule.window(), schedule };
        if window.not_after() > AUTHORITY_NOT_AFTER {
            return Err(TimeError::Late(time));
        }
        Ok(window)
    }

    /// The first second of the window.
    pub fn start(self) -> i64 {
        self.start
    }

    /// The first second after the window: from then on a render gives new certificates.
    pub fn end(self) -> i64 {
        self.start.saturating_add(self.schedule.window())
    }

    /// The first second in which its certificates are valid.
    pub fn not_before(self) -> i64 {
        self.start - TOLERANCE
    }

    /// The last second in which its certificates are valid.
    pub fn not_after(self) -> i64 {
        self.not_before().saturating_add(self.schedule.lifetime())
    }

    /// When its certificates end, and when there are new ones.
    pub fn renewal(self) -> Renewal {
        Renewal { due: self.end(), last: self.not_after() }
    }
}

/// When to render again. Its text tells it to whoever renders, and is the same anywhere in the window, because it may be
/// committed with what was rendered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Renewal {
    /// The first second in which there are new certificates.
    pub due: i64,
    /// The last second in which the present ones are valid.
    pub last: i64,
}

impl Renewal {
    /// What holds for both.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self { due: self.due.min(other.due), last: self.last.min(other.last) }
    }
}

impl fmt::Display for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [due, last] = [self.due, self.last].map(day);
        write!(
            f,
            "certificates are valid until {last}; new ones are due on {due} (UTC): render again and apply between the two"
        )
    }
}

/// The day of a time. One that is out of the range of dates, which no window is, gives 1970-01-01.
pub(crate) fn day(time: i64) -> Date {
    OffsetDateTime::from_unix_timestamp(time).unwrap_or(OffsetDateTime::UNIX_EPOCH).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containing(time: i64) -> Result<Window, TimeError> {
        Window::containing(time, Schedule::default())
    }

    #[test]
    fn windows_follow_each_other_without_gap() {
        let window = containing(1_800_000_000).unwrap();
        assert!(window.start() <= 1_800_000_000 && 1_800_000_000 < window.end());
        assert_eq!(containing(window.start()).unwrap(), window);
        assert_eq!(containing(window.end() - 1).unwrap(), window);
        assert_eq!(containing(window.end()).unwrap().start(), window.end());
    }

    #[test]
    fn a_certificate_of_the_last_second_of_a_window_lives_for_more_than_half_a_year() {
        let window = containing(1_800_000_000).unwrap();
        assert!(window.not_after() - window.end() > 214 * DAY);
        assert!(window.not_before() < window.start());
    }

    #[test]
    fn a_clock_that_is_not_set_is_an_error() {
        for time in [i64::MIN, -1, 0, EARLIEST - 1] {
            assert_eq!(containing(time), Err(TimeError::Early(time)));
        }
        assert!(containing(EARLIEST).unwrap().not_before() > AUTHORITY_NOT_BEFORE);
    }

    #[test]
    fn no_certificate_outlives_its_authority() {
        for time in [AUTHORITY_NOT_AFTER, i64::MAX] {
            assert_eq!(containing(time), Err(TimeError::Late(time)));
        }
        // 2048-01-01
        assert!(containing(2_461_449_600).unwrap().not_after() <= AUTHORITY_NOT_AFTER);
    }

    #[test]
    fn a_schedule_leaves_time_to_render_again() {
        for (window, lifetime) in [(1, 31), (182, 397), (365, 395), (365, 825)] {
            let window = Window::containing(EARLIEST, Schedule::new(window, lifetime).unwrap()).unwrap();
            assert!(window.not_after() - window.end() >= i64::from(MARGIN_DAYS) * DAY - TOLERANCE);
            assert!(window.not_before() >= AUTHORITY_NOT_BEFORE);
        }
        assert_eq!(Schedule::new(0, 397), Err(ScheduleError::Window(0)));
        assert_eq!(Schedule::new(366, 825), Err(ScheduleError::Window(366)));
        assert_eq!(Schedule::new(182, 826), Err(ScheduleError::Lifetime(826)));
        assert_eq!(Schedule::new(182, 211), Err(ScheduleError::Margin { window: 182, lifetime: 211 }));
        let Schedule { window_days, lifetime_days } = Schedule::default();
        assert_eq!(Schedule::new(window_days, lifetime_days), Ok(Schedule::default()));
    }

    #[test]
    fn the_renewal_names_the_end_of_the_window_and_of_the_certificates() {
        let renewal = containing(1_767_225_600).unwrap().renewal().to_string();
        assert_eq!(
            renewal,
            "certificates are valid until 2026-11-23; new ones are due on 2026-04-23 (UTC): render again and apply \
             between the two"
        );
    }
}
