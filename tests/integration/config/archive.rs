//! Runs the commands of the archive as Postgres does, with a repository that accepts connections and never answers.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pgrender::postgres_cluster::postgres::configuration::{ARCHIVE_GET, ARCHIVE_PUSH};

use crate::common::processes::start;
use crate::common::tools::{give_to_unprivileged, program, run, success, unprivileged};
use crate::config::startup::Pod;

/// An instance whose repository never answers.
struct Instance {
    pod: Pod,
    pgbackrest: PathBuf,
    _repository: TcpListener,
}

impl Instance {
    fn new() -> Option<Self> {
        let (mut pod, pgbackrest) = (Pod::new()?, program("pgbackrest")?);
        pod.use_wal_volume(false);
        pod.initialize();
        let repository = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = repository.local_addr().expect("an address").port();
        let conf = format!(
            "[global]\nrepo1-path=/repo1\nlog-path={0}/tmp\nlock-path={0}/tmp/lock\nspool-path={0}/tmp\narchive-async=y\n\
             repo1-type=s3\nrepo1-s3-bucket=bucket\nrepo1-s3-region=region\nrepo1-s3-key=key\nrepo1-s3-key-secret=secret\n\
             repo1-s3-endpoint=127.0.0.1\nrepo1-storage-port={port}\nrepo1-storage-verify-tls=n\n[db]\npg1-path={1}\n",
            pod.root.path().display(),
            pod.data().display()
        );
        fs::write(pod.path("pgbackrest.conf"), conf).expect("a file");
        for (name, text) in [ARCHIVE_GET, ARCHIVE_PUSH] {
            fs::write(pod.path(name), text).expect("a file");
        }
        give_to_unprivileged(pod.root.path());
        Some(Self { pod, pgbackrest, _repository: repository })
    }

    /// The words of a pgBackRest command that runs in a script.
    fn words(&self, script: &str, command: &[&str]) -> Vec<String> {
        let path = |name: &str| self.pod.path(name).display().to_string();
        let mut words = vec!["bash".to_owned(), path(script), self.pgbackrest.display().to_string()];
        words.push(format!("--config={}", path("pgbackrest.conf")));
        words.push("--stanza=db".to_owned());
        words.extend(command.iter().map(|word| (*word).to_owned()));
        words
    }

    /// Fetches a file from the archive as Postgres does.
    fn get(&self, file: &str) -> Command {
        let words = self.words(ARCHIVE_GET.0, &["archive-get", file, "pg_wal/RECOVERYXLOG"]);
        let mut command = unprivileged("/usr/bin/env");
        command.args(words).current_dir(self.pod.data()).env("TMPDIR", self.pod.path("tmp"));
        command
    }

    fn pg_ctl(&self, mode: &str) -> Command {
        let mut command = unprivileged(self.pod.programs.join("pg_ctl"));
        command.args([mode, "--wait", "--pgdata"]).arg(self.pod.data()).env("TMPDIR", self.pod.path("tmp"));
        command
    }
}

#[test]
fn a_replica_does_not_wait_for_a_silent_repository() {
    let Some(instance) = Instance::new() else { return };
    fs::write(instance.pod.data().join("standby.signal"), "").expect("a file");
    for (file, most) in [("00000002.history", 5), ("000000010000000000000001", 1), ("00000003.history", 1)] {
        let started = Instant::now();
        let done = run(&mut instance.get(file));
        assert_eq!(done.status.code(), Some(1), "{file}: {}", String::from_utf8_lossy(&done.stderr));
        assert!(started.elapsed() < Duration::from_secs(most), "{file}: {:?}", started.elapsed());
    }
    // The waiting time is over, so the script asks again. It waits for an answer, because Postgres is being promoted.
    fs::remove_file(instance.pod.data().join("standby.signal")).expect("a file");
    fs::write(instance.pod.path("tmp/pgbackrest-archive-get-not-before"), "1\n").expect("a file");
    let started = Instant::now();
    assert_eq!(run(&mut instance.get("00000002.history")).status.code(), Some(1));
    assert!(started.elapsed() > Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_recovery_that_ends_with_the_archive_waits_for_a_silent_repository() {
    let Some(instance) = Instance::new() else { return };
    fs::write(instance.pod.data().join("recovery.signal"), "").expect("a file");
    let log = instance.pod.path("tmp/get.log");
    let mut running = start(&mut instance.get("000000010000000000000001"), &log);
    std::thread::sleep(Duration::from_secs(6));
    assert!(running.runs(), "{}", fs::read_to_string(log).expect("a log"));
}

#[test]
fn a_shutdown_does_not_wait_for_a_silent_repository() {
    let Some(instance) = Instance::new() else { return };
    let command = instance.words(ARCHIVE_PUSH.0, &["archive-push", "%p"]).join(" ");
    let socket = instance.pod.path("tmp");
    let settings = format!(
        "listen_addresses = ''\nunix_socket_directories = '{}'\narchive_mode = on\narchive_command = '{command}'\n",
        socket.display()
    );
    fs::write(instance.pod.data().join("postgresql.auto.conf"), settings).expect("a file");
    success(instance.pg_ctl("start").arg("--log").arg(instance.pod.path("tmp/server.log")));
    let mut psql = unprivileged(instance.pod.programs.join("psql"));
    psql.args(["--no-psqlrc", "--dbname=postgres", "--command=SELECT pg_switch_wal()", "--host"]).arg(&socket);
    success(&mut psql);
    // The archiver waits while the command runs.
    std::thread::sleep(Duration::from_secs(6));
    let log = fs::read_to_string(instance.pod.path("tmp/server.log")).expect("a log");
    assert!(!log.contains("archive command failed"), "{log}");

    let started = Instant::now();
    success(instance.pg_ctl("stop").args(["--mode=fast", "--timeout=90"]));
    let log = fs::read_to_string(instance.pod.path("tmp/server.log")).expect("a log");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}: {log}", started.elapsed());
    assert!(log.contains("Postgres shuts down, and the repository did not answer"), "{log}");
}
