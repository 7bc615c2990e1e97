//! The certificate window: the time span in which leaf certificates keep the same bytes.
//!
//! Windows are counted from 1970 and are the same for every cluster. The lifetime of a certificate is longer than its window,
//! so a certificate that was rendered on the last day of a window is still valid for months.

use std::fmt;

use thiserror::Error;
use time::{Date, OffsetDateTime};

const DAY: i64 = 24 * 60 * 60;

/// The maximum length of a window, in days: one year. The first window that [`EARLIEST`] allows then begins within the validity
/// of the CA.
const WINDOW_DAYS_MAX: u16 = 365;

/// The maximum lifetime of a leaf certificate, in days. Apple's clients refuse a certificate with a longer lifetime, whoever
/// signed it (Apple's `HT210176`).
const LIFETIME_DAYS_MAX: u16 = 825;

/// The minimum number of days between the end of a window and the end of its certificates. In this time, the user renders and
/// applies the certificates of the next window.
const MARGIN_DAYS: u16 = 30;

/// How late the clocks of clients may be, in seconds (PGO's `internal/pki` allows one hour too).
const TOLERANCE: i64 = 60 * 60;

/// 2020-01-01 00:00:00 UTC. A time before this means that the clock is not set.
const EARLIEST: i64 = 1_577_836_800;

/// The start of every CA's validity, 2019-01-01 00:00:00 UTC. It is before the first window that [`EARLIEST`] allows.
pub(crate) const AUTHORITY_NOT_BEFORE: i64 = 1_546_300_800;

/// The end of every CA's validity, 2049-12-31 23:59:59 UTC: the last second that X.509 writes with a year of two digits. It
/// does not depend on the window, so a trust bundle changes only when a CA is rotated.
pub(crate) const AUTHORITY_NOT_AFTER: i64 = 2_524_607_999;

/// Why a time is in no valid window.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TimeError {
    /// The time is before 2020. The value is the time in seconds since 1970.
    #[error(
        "the time to render for, `{0}` seconds after 1970, is before 2020: set the clock, or set the time with \
         `--time` or `SOURCE_DATE_EPOCH`"
    )]
    Early(i64),
    /// A certificate would be valid for longer than its CA. The value is the time in seconds since 1970.
    #[error(
        "the time to render for, `{0}` seconds after 1970, is too late, because certificate authorities expire at the \
         end of 2049: set another time with `--time` or `SOURCE_DATE_EPOCH`"
    )]
    Late(i64),
}

/// Why a schedule is not valid.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ScheduleError {
    /// The window has 0 days or more than a year. The value is its length in days.
    #[error("a certificate window of `{0}` days is out of range: write 1 to {WINDOW_DAYS_MAX} days")]
    Window(u16),
    /// The lifetime is so long that clients refuse the certificates. The value is the lifetime in days.
    #[error("a certificate lifetime of `{0}` days is out of range: write at most {LIFETIME_DAYS_MAX} days")]
    Lifetime(u16),
    /// The lifetime is too short for the window.
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

/// How often leaf certificates are replaced, and how long they are valid. Every certificate is valid for at least 30 days after
/// the end of its window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    window_days: u16,
    lifetime_days: u16,
}

impl Schedule {
    /// A schedule with a window of `window_days`, 1 to 365, and a lifetime of `lifetime_days`, which is counted from the start
    /// of the window. The lifetime must be at least 30 days longer than the window, and at most 825 days. An error says which
    /// rule is broken.
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

    /// The length of a window, in days.
    pub fn window_days(self) -> u16 {
        self.window_days
    }

    /// The lifetime of a certificate, in days.
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
    /// A window of 182 days and a lifetime of 397 days. The CA/Browser Forum and Apple allowed this lifetime for public
    /// certificates when it was chosen, so no client refuses it.
    fn default() -> Self {
        Self { window_days: 182, lifetime_days: 397 }
    }
}

/// One window of a schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    start: i64,
    schedule: Schedule,
}

impl Window {
    /// The window of `schedule` that contains `time`, in seconds since 1970-01-01 00:00:00 UTC. An error if the time is before
    /// 2020, because the clock is not set, or so late that certificates would be valid for longer than their CA.
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

    /// The first second of the window, since 1970.
    pub fn start(self) -> i64 {
        self.start
    }

    /// The first second after the window, since 1970. From this time on, a run makes new certificates.
    pub fn end(self) -> i64 {
        self.start.saturating_add(self.schedule.window())
    }

    /// The first second in which its certificates are valid, since 1970.
    pub fn not_before(self) -> i64 {
        self.start - TOLERANCE
    }

    /// The last second in which its certificates are valid, since 1970.
    pub fn not_after(self) -> i64 {
        self.not_before().saturating_add(self.schedule.lifetime())
    }

    /// When its certificates end, and when new ones can be rendered.
    pub fn renewal(self) -> Renewal {
        Renewal { due: self.end(), last: self.not_after() }
    }
}

/// When to render again. Its text is a message to the user. It is the same at any time in the window, because users may commit
/// it together with the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Renewal {
    /// The first second in which a run makes new certificates, since 1970.
    pub due: i64,
    /// The last second in which the present certificates are valid, since 1970.
    pub last: i64,
}

impl Renewal {
    /// The earlier time of each of the two.
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
            "certificates are valid until {last}, and new certificates are available from {due} (UTC): render and \
             apply again between these dates"
        )
    }
}

/// The day of a time in seconds since 1970. A time outside the range of dates, which no window contains, gives 1970-01-01.
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
            "certificates are valid until 2026-11-23, and new certificates are available from 2026-04-23 (UTC): render and apply again between these dates"
        );
    }
}
