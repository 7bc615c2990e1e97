//! The certificate window: the span of time in which leaf certificates keep the same bytes.
//!
//! Windows are counted from 1970 and are the same for every cluster. A certificate lives longer than its window, so that
//! one that was rendered on the last day of a window still serves for months.

use thiserror::Error;

const DAY: i64 = 24 * 60 * 60;

/// How long leaf certificates keep the same bytes.
const LENGTH: i64 = 182 * DAY;

/// How long a leaf certificate is valid after the start of its window; 397 days is what the CA/Browser Forum and Apple
/// allowed when this was chosen, so that no client finds it too long.
const LIFETIME: i64 = 397 * DAY;

/// Clocks of clients may be late by this much (PGO's `internal/pki` has the same hour).
const TOLERANCE: i64 = 60 * 60;

/// 2020-01-01 00:00:00 UTC. A clock before this is not set.
const EARLIEST: i64 = 1_577_836_800;

/// The start of every CA's validity, 2019-01-01 00:00:00 UTC: before the first window that [`EARLIEST`] allows.
pub(super) const AUTHORITY_NOT_BEFORE: i64 = 1_546_300_800;

/// The end of every CA's validity, 2049-12-31 23:59:59 UTC: the last second that X.509 writes with a year of two digits.
/// It does not depend on the window, so that a trust bundle only changes when a CA is rotated.
pub(super) const AUTHORITY_NOT_AFTER: i64 = 2_524_607_999;

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

/// One window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    start: i64,
}

impl Window {
    /// The window that `time` is in, in seconds since 1970-01-01 00:00:00 UTC. An error for a time before 2020 (a clock
    /// that is not set) and for one so late that certificates would outlive their CA.
    pub fn containing(time: i64) -> Result<Self, TimeError> {
        if time < EARLIEST {
            return Err(TimeError::Early(time));
        }
        let window = Self { start: time - time % LENGTH };
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
        self.start.saturating_add(LENGTH)
    }

    /// The first second in which its certificates are valid.
    pub fn not_before(self) -> i64 {
        self.start - TOLERANCE
    }

    /// The last second in which its certificates are valid.
    pub fn not_after(self) -> i64 {
        self.not_before().saturating_add(LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_each_other_without_gap() {
        let window = Window::containing(1_800_000_000).unwrap();
        assert!(window.start() <= 1_800_000_000 && 1_800_000_000 < window.end());
        assert_eq!(Window::containing(window.start()).unwrap(), window);
        assert_eq!(Window::containing(window.end() - 1).unwrap(), window);
        assert_eq!(Window::containing(window.end()).unwrap().start(), window.end());
    }

    #[test]
    fn a_certificate_of_the_last_second_of_a_window_lives_for_more_than_half_a_year() {
        let window = Window::containing(1_800_000_000).unwrap();
        assert!(window.not_after() - window.end() > 214 * DAY);
        assert!(window.not_before() < window.start());
    }

    #[test]
    fn a_clock_that_is_not_set_is_an_error() {
        for time in [i64::MIN, -1, 0, EARLIEST - 1] {
            assert_eq!(Window::containing(time), Err(TimeError::Early(time)));
        }
        assert!(Window::containing(EARLIEST).unwrap().not_before() > AUTHORITY_NOT_BEFORE);
    }

    #[test]
    fn no_certificate_outlives_its_authority() {
        for time in [AUTHORITY_NOT_AFTER, i64::MAX] {
            assert_eq!(Window::containing(time), Err(TimeError::Late(time)));
        }
        // 2048-01-01
        assert!(Window::containing(2_461_449_600).unwrap().not_after() <= AUTHORITY_NOT_AFTER);
    }
}
