//! Tests that pgBackRest accepts the options of a restore that pgrender accepts, and no others. Its repository is empty, so a
//! restore with valid options fails because there is no backup.

use std::fs;
use std::path::Path;
use std::process::Command;

use pgrender::postgres_cluster::restore::configuration::in_place_arguments;
use pgrender::postgres_cluster::restore::model::RestoreInPlace;
use pgrender::postgres_cluster::restore::options::{KNOWN, checked};
use serde_json::json;

use crate::common::tools::{program, run, success};
use crate::values::spec::resolved;

/// Returns what pgBackRest says about words like those that a cluster has for a restore.
fn said(pgbackrest: &Path, words: Vec<String>, directory: &Path) -> String {
    let place = |name: &str| directory.join(name).display().to_string();
    fs::create_dir_all(place("data")).unwrap();
    let spec = json!({"backups": {"pgbackrest": {"image": "i", "repos": [{"name": "repo1", "gcs": {"bucket": "x"}}]}}});
    let cluster = resolved(17, &spec).unwrap();
    let restore = RestoreInPlace { trigger: "x".to_owned(), repository: 1, options: words };
    let arguments = in_place_arguments(&cluster, &restore)
        .into_iter()
        .map(|word| if word.starts_with("--pg1-path=") { format!("--pg1-path={}", place("data")) } else { word });
    let mut command = Command::new(pgbackrest);
    command.args(["--config=/dev/null", &format!("--repo1-path={}", place("repo"))]);
    command.args([format!("--lock-path={}", place("lock"))]).args(arguments);
    let output = run(command.arg("restore"));
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Whether pgBackRest looked for a backup: `[075]` says that there is none, and `[037]` and less that an option is wrong.
fn is_accepted(said: &str) -> bool {
    said.contains("[075]")
}

#[test]
fn pgbackrest_takes_the_options_that_are_accepted_and_no_others() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let time = |time: &str| format!("--type=time --target='{time}'");
    let mut options: Vec<String> = [
        "--log-level-console=detail",
        "--log-level-console=off --log-level-stderr=error",
        "--no-delta --force",
        "--delta=n",
        "--no-link-all",
        "--no-force",
        "--type=xid --target=745 --no-target-exclusive",
        "--type=xid --target=745 --target-exclusive=n",
        "--type=name --target=a --target-exclusive",
        "--type=immediate",
        "--type=immediate --target-exclusive",
        "--type=immediate --target=x",
        "--type=immediate --target-timeline=2",
        "--type=default --target=x",
        "--type=lsn",
        "--type=lsn --target=nonsense",
        "--type=xid",
        "--target-timeline=current",
        "--target-timeline=",
        "--set=",
        "--db-include=a --db-include=b --db-exclude=c",
        "--delta --no-delta",
        "--process-max=2 --process-max=3",
        "--archive-timeout=60",
        "--buffer-size=big",
    ]
    .map(str::to_owned)
    .to_vec();
    for offset in [
        "", "Z", "+", "+0", "+00", "+5", "+0530", "+05:30", "+05:20", "+14", "+14:15", "+15", "-12", "-12:15", "-13",
        " +00", "+00:",
    ] {
        options.push(time(&format!("2026-01-31 12:00:00{offset}")));
    }
    for moment in [
        "2026-01-31T12:00:00",
        "2026-01-31",
        "2026-01-31 12:00",
        "2026-1-31 12:00:00",
        "2026-13-45 12:00:00",
        "2026-02-29 12:00:00",
        "2024-02-29 12:00:00",
        "2026-04-31 12:00:00",
        "2026-01-31 24:00:00",
        "2026-01-31 23:60:00",
        "2026-01-31 23:59:60",
        "2026-01-31 23:59:59.123456",
        "2026-01-31 23:59:59.1234567",
        "2026-01-31 23:59:59,5+01",
        "2026-01-31 23:59:59.",
        "1969-12-31 23:59:59",
        "1970-01-01 00:00:00",
        "yesterday",
    ] {
        options.push(time(moment));
    }
    let (mut good, mut bad) = (0, 0);
    for options in options {
        let words = checked(std::slice::from_ref(&options));
        let is_good = words.is_ok();
        let words = words.unwrap_or_else(|_| shlex::split(&options).unwrap());
        let said = said(&pgbackrest, words, directory.path());
        assert_eq!(is_accepted(&said), is_good, "{options}: {said}");
        if is_good { good += 1 } else { bad += 1 }
    }
    assert!(good > 15 && bad > 30, "{good} {bad}");
}

#[test]
fn pgbackrest_has_every_option_that_is_accepted() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    for name in KNOWN {
        let value = match name {
            "type" => "name --target=a",
            "target" => "a --type=name",
            "target-exclusive" => "y --type=xid --target=745",
            "set" => "20260131-010000F",
            "target-timeline" => "2",
            "buffer-size" => "1MiB",
            "log-level-console" | "log-level-stderr" => "error",
            "beta" | "delta" | "force" | "link-all" | "log-subprocess" | "log-timestamp" | "neutral-umask" => "y",
            "sck-block" | "sck-keep-alive" => "n",
            "protocol-timeout" => "100",
            _ => "7",
        };
        let words = checked(&[format!("--{name}={value}")]).unwrap();
        let said = said(&pgbackrest, words, directory.path());
        assert!(is_accepted(&said), "{name}: {said}");
    }
    let help = success(Command::new(&pgbackrest).args(["help", "restore"]));
    let names = help.lines().filter_map(|line| line.strip_prefix("  --")?.split(' ').next());
    for name in names.filter(|name| !KNOWN.contains(name)) {
        let (_, message) = checked(&[format!("--{name}=x")]).unwrap_err();
        assert!(!message.contains("does not have"), "{message}");
    }
}
