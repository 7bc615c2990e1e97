//! Repositories, what they keep, and when backups are taken.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::model::{Repository, Schedule};
use super::schedule::words;
use super::view::View;
use crate::kubernetes::CronJob;
use crate::naming::label;
use crate::postgres_cluster::pgbackrest::cron::next_run;

/// The repositories, from the configuration file that instances read.
pub(super) fn repositories(view: &View, time: i64) -> Vec<Repository> {
    let file = view.file(&format!("{}-pgbackrest-config", view.cluster), "pgbackrest_instance.conf");
    let options: BTreeMap<&str, &str> =
        file.into_iter().flat_map(str::lines).filter_map(|line| line.split_once(" = ")).collect();
    let names = (1..=4).map(|number| format!("repo{number}"));
    let there = names.filter(|name| options.contains_key(format!("{name}-path").as_str()));
    there.map(|name| one(view, name, &options, time)).collect()
}

fn one(view: &View, name: String, options: &BTreeMap<&str, &str>, time: i64) -> Repository {
    let option = |key: &str| options.get(format!("{name}-{key}").as_str()).copied();
    let path = option("path").unwrap_or_default();
    let place = match option("type") {
        Some("s3") => {
            let (bucket, endpoint) =
                (option("s3-bucket").unwrap_or_default(), option("s3-endpoint").map(without_user).unwrap_or_default());
            format!("S3, bucket `{bucket}` at `{endpoint}`, path `{path}`")
        }
        Some("gcs") => {
            format!("Google Cloud Storage, bucket `{}`, path `{path}`", option("gcs-bucket").unwrap_or_default())
        }
        Some("azure") => {
            format!("Azure Blob Storage, container `{}`, path `{path}`", option("azure-container").unwrap_or_default())
        }
        _ => format!("a volume of the repo host, PersistentVolumeClaim `{}-{name}`", view.cluster),
    };
    let is_here = |job: &&CronJob| label(job, label::PGBACKREST_REPO) == Some(name.as_str());
    let schedules = view.cron_jobs().filter(is_here).map(|job| {
        let what = match label(job, label::PGBACKREST_CRONJOB) {
            Some("diff") => "differential backup",
            Some("incr") => "incremental backup",
            _ => "full backup",
        };
        schedule(job, what.to_owned(), time)
    });
    Repository { place, retention: retention(&name, &option), schedules: schedules.collect(), name }
}

/// An address without the name and the password that it may have before an `@`.
fn without_user(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").map_or(("", endpoint), |(scheme, rest)| (scheme, rest));
    // A password may have an `@` or a `/` itself, so the last one counts.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

/// What is kept (pgBackRest's options `repo-retention-…`).
fn retention<'a>(name: &str, option: &impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut kept = Vec::new();
    match (option("retention-full"), option("retention-full-type")) {
        (Some(days), Some("time")) => kept.push(format!("full backups of {days} days")),
        (Some(count), _) => kept.push(format!("{count} full backups")),
        (None, _) => kept.push(format!("every full backup: set `{name}-retention-full` in `global` to limit them")),
    }
    kept.extend(option("retention-diff").map(|count| format!("{count} differential backups")));
    kept.extend(option("retention-archive").map(|count| {
        let of = option("retention-archive-type").unwrap_or("full");
        format!("the archive of {count} backups of type `{of}`")
    }));
    kept
}

/// The restore drill.
pub(super) fn restore_drill(view: &View, time: i64) -> Option<Schedule> {
    let name = format!("{}-restore-drill", view.cluster);
    let job = view.cron_jobs().find(|job| job.metadata.name.as_deref() == Some(name.as_str()))?;
    let settings = view.file(&name, "restore-drill.json").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let settings = settings.unwrap_or_default();
    let sql = settings["sql"].as_str().map(|sql| format!(", and runs the SQL of `{sql}`")).unwrap_or_default();
    let what = format!("restores the newest backup of repo{} and checks it{sql}", settings["repository"]);
    Some(schedule(job, what, time))
}

fn schedule(job: &CronJob, what: String, time: i64) -> Schedule {
    let spec = job.spec.as_ref();
    let schedule = spec.map(|spec| spec.schedule.clone()).unwrap_or_default();
    let suspended = spec.and_then(|spec| spec.suspend) == Some(true);
    Schedule {
        cron_job: job.metadata.name.clone().unwrap_or_default(),
        what,
        words: words(&schedule),
        next: next_run(&schedule, time).filter(|_| !suspended).and_then(text),
        schedule,
        suspended,
    }
}

/// A time in RFC 3339.
pub(super) fn text(time: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(time).ok()?.format(&Rfc3339).ok()
}

fn label<'a>(job: &'a CronJob, key: &str) -> Option<&'a str> {
    job.metadata.labels.as_ref()?.get(key).map(String::as_str)
}
