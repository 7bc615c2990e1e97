//! Compares the check of backup schedules with the parser of Kubernetes.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::tools::program;
use crate::values::told::told;

/// Returns what is reported about a schedule.
fn lines(schedule: &str) -> Vec<String> {
    let s3 = json!({"bucket": "b", "endpoint": "e", "region": "r"});
    let repository = json!({"name": "repo1", "s3": s3, "schedules": {"full": schedule}});
    told(&json!({"backups": {"pgbackrest": {"image": "i", "repos": [repository]}}}))
}

/// Returns schedules with ranges and steps around the limits of every field, and combinations of days.
pub(crate) fn schedules() -> Vec<String> {
    let mut schedules = Vec::new();
    for field in 0..5 {
        for span in [
            "*", "?", "0", "1", "5", "6", "7", "12", "31", "59", "60", "2-6", "6-2", "5-7", "sun", "Mon-fri", "jun-DEC",
        ] {
            for step in ["", "/0", "/1", "/2", "/3", "/5", "/7", "/12", "/24", "/31", "/40", "/60", "/9999", "/x"] {
                let mut fields = ["0", "0", "*", "*", "*"].map(str::to_owned);
                fields[field] = format!("{span}{step}");
                schedules.push(fields.join(" "));
            }
        }
    }
    for days in ["*", "?", "1", "29", "30", "31", "30,31", "1,31", "30-31", "*/1", "*/7", "*,31", "31/2"] {
        for months in ["*", "2", "feb", "2-2", "4,6", "*/2", "2/2", "4-9/5", "9,NOV"] {
            for weekdays in ["*", "?", "1", "*/1", "*/2", "mon,*", "1-5"] {
                schedules.push(format!("0 0 {days} {months} {weekdays}"));
            }
        }
    }
    for interval in ["6h", "1h30m", "1.5h", "10m", "6", "h", "1d", "1w", "6 h", "100ms", "5min"] {
        schedules.push(format!("@every {interval}"));
    }
    schedules.extend(["@daily", "@often", "0 0 * *", "0 0 0 * * *"].map(str::to_owned));
    schedules
}

/// Returns the verdict of the parser for each: an error, or the first times, and with the argument `gaps` also the longest time
/// between two runs.
pub(crate) fn verdicts(schedules: &[String], arguments: &[&str]) -> Option<Vec<Value>> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cron");
    let mut command = Command::new(program("go")?);
    let mut child = command
        .args(["-C", directory, "run", "."])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(json!(schedules).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn what_is_said_of_a_schedule_is_what_kubernetes_makes_of_it() {
    let schedules = schedules();
    let Some(verdicts) = verdicts(&schedules, &[]) else { return };
    let (mut never, mut steps) = (0, Vec::new());
    for (schedule, verdict) in schedules.iter().zip(&verdicts) {
        let told = lines(schedule);
        let is_refused = told.iter().any(|line| line.contains("error: "));
        assert_eq!(is_refused, verdict["error"] != "", "{schedule}: {told:?}, {verdict}");
        if is_refused {
            continue;
        }
        if let Some((_, rest)) =
            told.first().and_then(|line| line.split_once(": `")).filter(|(_, rest)| rest.contains("matches only"))
        {
            let (range, rest) = rest.split_once("` matches only ").unwrap();
            let (value, _) = rest.split_once(", because").unwrap();
            steps.push((schedule.replacen(range, value, 1), verdict["times"].clone()));
            continue;
        }
        let is_never = told.iter().any(|line| line.contains("never runs"));
        assert_eq!(is_never, verdict["times"] == json!([]), "{schedule}: {told:?}, {verdict}");
        never += usize::from(is_never);
    }
    assert!(never > 20 && steps.len() > 100, "{never} {}", steps.len());
    // A schedule that is reported to run at only one value has the same times as that value.
    let (instead, times): (Vec<String>, Vec<Value>) = steps.into_iter().unzip();
    for ((schedule, times), verdict) in instead.iter().zip(times).zip(self::verdicts(&instead, &[]).unwrap()) {
        assert_eq!(verdict["times"], times, "{schedule}");
    }
}
