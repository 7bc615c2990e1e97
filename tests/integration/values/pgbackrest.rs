//! Tests how pgBackRest reads its file: the first thing that it logs at the level `debug` is every option.

use std::fs;
use std::path::Path;
use std::process::Command;

use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::pgbackrest::configuration::cloud_conf;
use serde_json::{Map, Value, json};

use crate::common::tools::{program, run};
use crate::values::spec::{resolved, strings};

/// Options of a repository that accept any text: three that are fields of a repository, and one for `global`.
const OPTIONS: [&str; 4] = ["s3-bucket", "s3-endpoint", "s3-region", "s3-kms-key-id"];

/// A cluster with four repositories in S3, and these texts in turn as the values of [`OPTIONS`].
fn cluster(texts: &[&String]) -> Option<Cluster> {
    let text = |number: usize| texts.get(number).map_or("x", |text| text.as_str());
    let mut global = Map::new();
    let mut repositories = Vec::new();
    for index in 1..=4 {
        let first = (index - 1) * OPTIONS.len();
        let s3 = json!({"bucket": text(first), "endpoint": text(first + 1), "region": text(first + 2)});
        repositories.push(json!({"name": format!("repo{index}"), "s3": s3}));
        global.insert(format!("repo{index}-s3-kms-key-id"), json!(text(first + 3)));
        global.insert(format!("repo{index}-s3-key-type"), json!("auto"));
    }
    let pgbackrest = json!({"image": "i", "repos": repositories, "global": global});
    resolved(17, &json!({"backups": {"pgbackrest": pgbackrest}})).ok()
}

/// Returns the log of pgBackRest when it reads the file for backups to object storage.
fn said(pgbackrest: &Path, cluster: &Cluster, directory: &Path) -> String {
    let conf = directory.join("pgbackrest.conf");
    fs::write(&conf, cloud_conf(cluster, cluster.backups.as_ref().unwrap())).unwrap();
    // The command needs the name of a file, so it fails before it connects to a storage.
    let mut command = Command::new(pgbackrest);
    command.arg("--config").arg(conf).args(["--stanza=db", "--log-level-console=debug", "--log-level-file=off"]);
    command.args(["--log-timestamp=n", "archive-get"]);
    let output = run(&mut command);
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Returns an option as pgBackRest logs it.
fn written(name: &str, value: &str) -> String {
    if value.contains(' ') { format!(" --{name}=\"{value}\"") } else { format!(" --{name}={value}") }
}

#[test]
fn pgbackrest_reads_every_value_as_it_was_said() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let all = strings(&["[db]\npg1-path=/x"], 420);
    let accepted: Vec<&String> = all.iter().filter(|text| cluster(&[text, text, text, text]).is_some()).collect();
    assert!(accepted.len() > 200, "{}", accepted.len());
    let plain = said(&pgbackrest, &cluster(&[]).unwrap(), directory.path());
    let begin = |said: &str| {
        let line = said.lines().find(|line| line.contains("archive-get command begin")).unwrap();
        line.split_once("--exec-id=").unwrap().1.split_once(' ').unwrap().1.to_owned()
    };
    for texts in accepted.chunks(4 * OPTIONS.len()) {
        let said = said(&pgbackrest, &cluster(texts).unwrap(), directory.path());
        assert!(!said.contains("WARN"), "{said}");
        let mut expected = format!(" {}", begin(&plain));
        for (number, text) in texts.iter().enumerate() {
            let name = format!("repo{}-{}", number / OPTIONS.len() + 1, OPTIONS[number % OPTIONS.len()]);
            expected = expected.replacen(&written(&name, "x"), &written(&name, text), 1);
        }
        assert_eq!(format!(" {}", begin(&said)), expected);
    }
}

#[test]
fn pgbackrest_reads_every_name_as_a_name() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let names = strings(&["[db]", "]x", "#x", "x = y", "tls-server-auth", "pg1-path\nx"], 700);
    let with = |global: &Map<String, Value>| {
        let repositories = json!([{"name": "repo1", "gcs": {"bucket": "x"}}]);
        resolved(17, &json!({"backups": {"pgbackrest": {"image": "i", "repos": repositories, "global": global}}}))
    };
    let one = |name: &String| Map::from_iter([(name.clone(), json!("/v"))]);
    let accepted: Vec<&String> = names.iter().filter(|name| with(&one(name)).is_ok()).collect();
    assert!(accepted.len() > 5, "{accepted:?}");
    let mut global: Map<String, Value> = accepted.iter().map(|name| ((*name).clone(), json!("/v"))).collect();
    global.insert("repo1-gcs-key-type".to_owned(), json!("auto"));
    let said = said(&pgbackrest, &with(&global).unwrap(), directory.path());
    for name in accepted {
        let unknown = format!("contains invalid option '{name}'");
        assert!(said.contains(&unknown) || said.contains(&written(name, "/v")), "{name:?} {said}");
    }
    assert!(said.contains(" --repo1-gcs-bucket=x "), "{said}");
}

/// Options, a command that reads them, values that pgBackRest accepts, and values with which it does not run.
const VALUES: [(&str, &str, &[&str], &[&str]); 19] = [
    ("compress-type", "archive-push", &["gz", "none"], &["zstd", "gzip", "GZ"]),
    ("compress-level-network", "archive-get", &["0", "9"], &["10", "-1", "x"]),
    ("process-max", "archive-get", &["1", "999"], &["many", "0", "1000", "1.5"]),
    ("start-fast", "backup", &["y", "n"], &["true", "Y", "yes", "1"]),
    ("archive-async", "archive-push", &["n"], &["false", "off"]),
    ("repo1-path", "archive-get", &["/backups"], &["backups", "/a//b"]),
    ("spool-path", "archive-get", &["/spool"], &["spool"]),
    ("repo1-s3-uri-style", "archive-get", &["host", "path"], &["pathh"]),
    ("repo1-cipher-type", "archive-get", &["none"], &["aes256", "aes-256"]),
    ("repo1-retention-full-type", "expire", &["count", "time"], &["days"]),
    ("repo1-retention-full", "expire", &["1", "9999999"], &["0", "-1", "7d"]),
    ("repo1-retention-archive-type", "expire", &["full", "incr"], &["all"]),
    ("log-level-console", "archive-get", &["off", "detail"], &["verbose", "none"]),
    ("archive-timeout", "archive-get", &["60", "0.5"], &["many", "-1"]),
    ("archive-get-queue-max", "archive-get", &["1", "128MB", "1g"], &["1X", "MB", "-1"]),
    ("tcp-keep-alive-idle", "archive-get", &["60"], &["0", "3601"]),
    ("repo1-s3-key-type", "archive-get", &["auto"], &["iam"]),
    ("repo1-s3-endpoint", "expire", &[], &["http://minio:9000"]),
    ("repo1-storage-host", "expire", &[], &["http://minio:9000"]),
];

#[test]
fn a_value_that_pgbackrest_does_not_take_is_refused() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let conf = directory.path().join("pgbackrest.conf");
    let place = directory.path().display();
    for (name, command, good, bad) in VALUES {
        for (value, is_good) in good.iter().map(|value| (value, true)).chain(bad.iter().map(|value| (value, false))) {
            let in_s3 = name.starts_with("repo1-s") || name == "repo1-path";
            let storage = if in_s3 {
                json!({"name": "repo1", "s3": {"bucket": "b", "endpoint": "127.0.0.1:1", "region": "r"}})
            } else {
                json!({"name": "repo1", "gcs": {"bucket": "x"}})
            };
            let global = Map::from_iter([(name.to_owned(), json!(value))]);
            let pgbackrest_spec = json!({"image": "i", "repos": [storage], "global": global});
            let cluster = resolved(17, &json!({"backups": {"pgbackrest": pgbackrest_spec}}));
            assert_eq!(cluster.is_ok(), is_good, "{name}={value}: {:?}", cluster.err());

            let mut settings: Vec<String> =
                [("repo1-s3-bucket", "b"), ("repo1-s3-region", "r"), ("repo1-s3-endpoint", "e")]
                    .iter()
                    .chain(&[("repo1-type", "s3"), ("repo1-s3-key", "k"), ("repo1-s3-key-secret", "s")])
                    .filter(|(other, _)| in_s3 && *other != name)
                    .map(|(name, value)| format!("{name}={value}\n"))
                    .collect();
            settings.push(format!("{name}={value}\n"));
            if name == "spool-path" {
                settings.push("archive-async=y\n".to_owned());
            }
            let (lock, data) = (directory.path().join("lock"), directory.path().join("data"));
            let text = format!(
                "[global]\nlock-path={}\n{}[db]\npg1-path={}\n",
                lock.display(),
                settings.concat(),
                data.display()
            );
            fs::write(&conf, text).unwrap();
            let mut pgbackrest = Command::new(&pgbackrest);
            pgbackrest.arg("--config").arg(&conf).args([
                "--stanza=db",
                "--log-level-file=off",
                "--log-level-stderr=error",
            ]);
            if !in_s3 {
                pgbackrest.arg(format!("--repo1-path={place}/repo"));
            }
            let output = run(pgbackrest.arg(command));
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            // An invalid option is [031] or [032], and an invalid address is [029].
            let refused = ["[029]", "[031]", "[032]"].iter().any(|code| said.contains(code))
                && (said.contains(name) || said.contains(value));
            assert_eq!(!refused, is_good, "{name}={value}: {said}");
        }
    }
}
