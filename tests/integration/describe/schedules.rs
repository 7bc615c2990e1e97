//! Compares the next runs of schedules with those of Kubernetes' parser.

use pgrender::postgres_cluster::pgbackrest::cron::next_run;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::values::schedules::{schedules, verdicts};

#[test]
fn the_next_runs_are_those_of_kubernetes() {
    let schedules = schedules();
    let Some(verdicts) = verdicts(&schedules, &[]) else { return };
    let mut compared = 0;
    for (schedule, verdict) in schedules.iter().zip(&verdicts).filter(|(_, verdict)| verdict["error"] == "") {
        if schedule.starts_with("@every") {
            assert_eq!(next_run(schedule, 1_767_225_600), None, "{schedule}");
            continue;
        }
        // 2026-01-01, as in the program that is compared with.
        let mut after = 1_767_225_600;
        for expected in verdict["times"].as_array().unwrap() {
            let next = next_run(schedule, after).unwrap_or_default();
            let text = OffsetDateTime::from_unix_timestamp(next).unwrap().format(&Rfc3339).unwrap();
            assert_eq!(Some(text.as_str()), expected.as_str(), "{schedule}");
            after = next;
            compared += 1;
        }
        if verdict["times"].as_array().unwrap().is_empty() {
            assert_eq!(next_run(schedule, after), None, "{schedule}");
        }
    }
    assert!(compared > 5_000, "{compared}");
}
