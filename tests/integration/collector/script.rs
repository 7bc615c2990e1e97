//! The script that runs the collector never ends.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::arrival::Pod;
use super::otlp::Server;
use super::{CONFIG_MAPS, cluster, container, pods};
use crate::common::processes::{start, wait_for};
use crate::common::rendering::objects;
use crate::common::tools::{program, unprivileged};

#[test]
fn an_image_without_a_collector_is_reported() {
    let pods = pods(&objects(&cluster(&json!({})).to_string()).unwrap());
    let words: Vec<_> = container(&pods[0]).unwrap()["command"].as_array().unwrap().clone();
    let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap()).collect();
    for shell in [&["dash"] as &[&str], &["bash"], &["busybox", "sh"]] {
        if program(shell[0]).is_none() {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = unprivileged("/usr/bin/env");
        command.env("PATH", "/usr/bin:/bin").args(shell).args(&words[1..]);
        let mut running = start(&mut command, &log);
        wait_for(&log, "otelcol-contrib is not in this image");
        assert!(running.runs());
    }
}

/// A line that is longer than the collector's limit of 1 MiB becomes several records.
#[test]
#[ignore = "run it with make collector"]
fn a_huge_line_holds_nothing_up() {
    let server = Server::start();
    let pod = Pod::new(&server, 17);
    let Some(mut running) = pod.collector(CONFIG_MAPS[2], &[]) else { return };
    let line = |text: &str| format!("2026-01-01 00:00:00.000 UTC [1] LOG {text}\n");
    let text = format!("{}{}{}", line("before"), line(&"x".repeat(5 << 20)), line("after"));
    fs::write(pod.path("pgbouncer/pgbouncer.log"), text).unwrap();
    server.waits_for("pgbouncer", |record| record.body == "before");
    server.waits_for("pgbouncer", |record| record.body == "after");
    assert!(running.runs());
}

#[test]
#[ignore = "run it with make collector"]
fn a_changed_configuration_is_used_and_a_wrong_one_ends_nothing() {
    const READY: &str = "Everything is ready";
    let pod = Pod::new(&Server::start(), 17);
    let Some(mut running) = pod.collector(CONFIG_MAPS[2], &[]) else { return };
    let log = pod.path("alpha-pgbouncer.log");
    wait_for(&log, READY);
    let directory = pod.path("config/alpha-pgbouncer");
    let good = fs::read_to_string(directory.join("config.yaml")).unwrap();
    fs::write(directory.join("config.yaml"), "]").unwrap();
    symlink("one", directory.join("..data")).unwrap();
    wait_for(&log, "the mounted files have changed");
    wait_for(&log, "the collector ended with code 1");
    assert!(running.runs());
    let before = fs::read_to_string(&log).unwrap();
    fs::write(directory.join("config.yaml"), good).unwrap();
    let twice = || fs::read_to_string(&log).unwrap()[before.len()..].contains(READY);
    for _ in 0..100 {
        if twice() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{}", fs::read_to_string(&log).unwrap());
}
