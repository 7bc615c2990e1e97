//! The logs of pgBackRest and pgBouncer do not grow for ever, and no line is lost.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use super::CONFIG_MAPS;
use super::arrival::{Pod, login, pgbouncer};
use super::otlp::Server;
use crate::common::processes::{Running, start, wait_for};
use crate::common::tools::unprivileged;

/// Runs the rotation of a container, faster and with smaller files, around another command. The collector looks every second, and waits half a second for more
/// lines of a record, so a file must exist that long after it was set aside.
fn rotation(pod: &Pod, workload: &str, name: &str, directory: &str, command: &[&str]) -> Running {
    let object = pod.objects.iter().find(|object| object["kind"] == workload).unwrap();
    let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let container = containers.iter().find(|container| container["name"] == name).unwrap();
    let words: Vec<_> = container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[4..8], ["rotate-logs", directory, "16777216", "1440"]);
    let directory = pod.here(&format!("{directory}/"));
    let script = words[3].replace("sleep 10", "sleep 3");
    let pid_file = pod.path("pgbouncer/pid");
    // Not every pgBouncer of this machine.
    let script =
        script.replace("pkill -HUP --exact pgbouncer", &format!("kill -HUP \"$(cat {})\"", pid_file.display()));
    let mut rotation = unprivileged(words[0]);
    rotation.args(["-c", "--", &script, "rotate-logs", directory.trim_end_matches('/'), "20000", "60"]).args(command);
    start(&mut rotation, &pod.path("rotation.log"))
}

/// How often each number arrived in a body that ends in `line <number>`.
fn arrived(server: &Server, last: u32) -> BTreeMap<u32, u32> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut numbers = BTreeMap::new();
        for record in server.records() {
            let Some((_, rest)) = record.body.split_once("line ") else { continue };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if let Ok(number) = digits.parse() {
                *numbers.entry(number).or_default() += 1;
            }
        }
        if numbers.contains_key(&last) || Instant::now() > deadline {
            return numbers;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Like pgBackRest, each line is of a process that opens the file.
#[test]
#[ignore = "run it with make collector"]
fn pgbackrest_loses_no_line() {
    const WRITER: &str = r#"for ((i = 1; i <= 5000; i++)); do
      printf '2026-01-01 00:00:00.000 P00   INFO: some text that fills the file: line %s\n' "$i" >>"$0/db-backup.log"
      ((i % 20)) || sleep 0.03
    done; sleep 60"#;
    let server = Server::start();
    let pod = Pod::new(&server, 17);
    let Some(_collector) = pod.collector(CONFIG_MAPS[0], &[]) else { return };
    let directory = pod.path("pgdata/pgbackrest/log");
    let place = directory.to_string_lossy();
    let _running =
        rotation(&pod, "StatefulSet", "pgbackrest", "/pgdata/pgbackrest/log", &["bash", "-c", WRITER, &place]);
    let arrived = arrived(&server, 5000);
    let expected: BTreeMap<u32, u32> = (1..=5000).map(|number| (number, 1)).collect();
    let times = |number: &u32| (*number, arrived.get(number).copied().unwrap_or_default());
    let wrong: Vec<_> = expected.keys().map(times).filter(|(_, times)| *times != 1).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    // The command may not have made a new file yet.
    let size = |file: &str| fs::metadata(directory.join(file)).map(|metadata| metadata.len()).unwrap_or_default();
    let sizes = ["db-backup.log", "db-backup.log.1"].map(size);
    assert!(sizes[1] > 20_000 && sizes.iter().sum::<u64>() < 400_000, "{sizes:?}");
}

#[test]
#[ignore = "run it with make collector"]
fn pgbouncer_loses_no_line() {
    let server = Server::start();
    let pod = Pod::new(&server, 17);
    let Some(_collector) = pod.collector(CONFIG_MAPS[2], &[]) else { return };
    let Some((_pgbouncer, port)) = pgbouncer(&pod) else { return };
    let _running = rotation(&pod, "Deployment", "pgbouncer-config", "/tmp/logs/pgbouncer", &["sleep", "60"]);
    for number in 1..=400 {
        login(port, &format!("line {number}"));
        std::thread::sleep(Duration::from_millis(10));
    }
    let arrived = arrived(&server, 400);
    let missing: Vec<_> = (1..=400).filter(|number| !arrived.contains_key(number)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(pod.path("pgbouncer/pgbouncer.log.1").metadata().unwrap().len() > 0);
    // PgBouncer opens the new file when it logs.
    login(port, "line 401");
    wait_for(&pod.path("pgbouncer/pgbouncer.log"), "db=line 401");
}
