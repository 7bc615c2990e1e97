//! pgBackRest reads its file: the first thing that it says at the level `debug` is every option that it was given.

use std::fs;
use std::path::Path;
use std::process::Command;

use pgrender::cluster::Cluster;
use pgrender::config::pgbackrest::cloud_conf;
use serde_json::{Map, Value, json};

use crate::spec::{resolved, strings};
use crate::tools::{program, run};

/// Options of a repository that take any text: three that a repository has fields for, and one for `global`.
const OPTIONS: [&str; 4] = ["s3-bucket", "s3-endpoint", "s3-region", "s3-kms-key-id"];

/// A cluster with four repositories in S3, and these texts in turn in each of [`OPTIONS`].
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

/// What pgBackRest says when it reads the file of backups to object storage.
fn said(pgbackrest: &Path, cluster: &Cluster, directory: &Path) -> String {
    let conf = directory.join("pgbackrest.conf");
    fs::write(&conf, cloud_conf(cluster, cluster.backups.as_ref().unwrap())).unwrap();
    // It wants the name of a file, so it ends before it asks any storage.
    let mut command = Command::new(pgbackrest);
    command.arg("--config").arg(conf).args(["--stanza=db", "--log-level-console=debug", "--log-level-file=off"]);
    command.args(["--log-timestamp=n", "archive-get"]);
    let output = run(&mut command);
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// An option as pgBackRest writes it.
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
