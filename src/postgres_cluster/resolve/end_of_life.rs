//! Warns about versions of Postgres that no longer get fixes.

use time::{Date, Month};

use super::context::Context;
use crate::diagnostic::FieldPath;

/// The day in November on which the final release of a version is planned (<https://www.postgresql.org/support/versioning/>).
const LAST_RELEASES: [(u16, i32, u8); 7] =
    [(11, 2023, 9), (12, 2024, 14), (13, 2025, 13), (14, 2026, 12), (15, 2027, 11), (16, 2028, 9), (17, 2029, 8)];

/// Warns about a version from one month after its final release, at the same time as PGO does with an event
/// (`internal/postgres/versions.go`).
pub(crate) fn warn(version: u16, context: &mut Context) {
    let Some((_, year, day)) = LAST_RELEASES.iter().find(|(other, ..)| *other == version) else { return };
    let Ok(month_after) = Date::from_calendar_date(*year, Month::December, *day) else { return };
    if context.options.time >= month_after.midnight().assume_utc().unix_timestamp() {
        let message =
            format!("Postgres {version} has received no fixes since November {year}: upgrade to a later version");
        context.warning(FieldPath::of("spec.postgresVersion"), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Collector;
    use crate::options::Options;

    fn warned(version: u16, time: i64) -> bool {
        let options = Options { time, ..Options::default() };
        let mut context = Context { options: &options, diagnostics: Collector::default() };
        warn(version, &mut context);
        !context.diagnostics.diagnostics().is_empty()
    }

    /// `date --utc --date 2025-12-13 +%s`.
    const DECEMBER_13_2025: i64 = 1_765_584_000;

    #[test]
    fn a_version_has_a_month_after_its_last_release() {
        assert!(!warned(13, DECEMBER_13_2025 - 1));
        assert!(warned(13, DECEMBER_13_2025));
        assert!(!warned(14, DECEMBER_13_2025));
    }

    #[test]
    fn a_version_whose_end_is_unknown_has_none() {
        assert!(!warned(18, i64::MAX));
    }
}
