//! Runs the startup script as the init container of an instance does, on volumes that are temporary directories.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::directories::data_directory;
use pgrender::postgres_cluster::scripts;
use tempfile::TempDir;

use crate::common::tools::{give_to_unprivileged, postgres_server, run, success, unprivileged};
use crate::config::clusters::hippo;

/// The volumes of a pod.
pub(crate) struct Pod {
    pub(crate) root: TempDir,
    pub(crate) cluster: Cluster,
    pub(crate) programs: PathBuf,
}

impl Pod {
    /// An instance of `hippo` with the Postgres of this machine. Its second volume exists even if it is not used.
    pub(crate) fn new() -> Option<Self> {
        let (programs, version) = postgres_server()?;
        let root = tempfile::tempdir().expect("a directory");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let pod = Self { root, cluster: Cluster { postgres_version: version, ..hippo() }, programs };
        for directory in ["pgdata", "pgwal", "pgconf/tls/replication", "tmp"] {
            fs::create_dir_all(pod.path(directory)).expect("a directory");
        }
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            fs::write(pod.path("pgconf/tls/replication").join(file), file).expect("a file");
        }
        give_to_unprivileged(pod.root.path());
        Some(pod)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path(data_directory(&self.cluster).trim_start_matches('/'))
    }

    pub(crate) fn use_wal_volume(&mut self, yes: bool) {
        self.cluster.instance_sets[0].wal_volume_claim_spec = yes.then(Default::default);
    }

    /// Returns the startup script with the volumes of this pod instead of the real ones.
    fn startup(&self) -> Command {
        let words = scripts::postgres_startup(&self.cluster, &self.cluster.instance_sets[0]);
        let words = words.into_iter().map(|word| {
            let mut word = word.replace("/tmp/replication", &self.path("tmp/replication").to_string_lossy());
            for volume in ["pgdata", "pgwal", "pgconf"] {
                word = word.replace(&format!("/{volume}/"), &format!("{}/", self.path(volume).display()));
            }
            word
        });
        let mut command = unprivileged("/usr/bin/env");
        command.args(words).env("PGDATA", self.data());
        command
    }

    /// Creates a real data directory, as Patroni does.
    pub(crate) fn initialize(&self) {
        let wal = self.path(&format!("pgdata/pg{}_wal", self.cluster.postgres_version));
        let mut initdb = unprivileged(self.programs.join("initdb"));
        success(initdb.arg("--allow-group-access").arg("--waldir").arg(wal).arg("--pgdata").arg(self.data()));
    }

    /// Starts and stops the server, which replays its WAL.
    fn run_server(&self, sql: &str) -> String {
        let options = format!("-c listen_addresses= -c unix_socket_directories={}", self.path("tmp").display());
        let mut start = unprivileged(self.programs.join("pg_ctl"));
        start.args(["start", "--wait", "--log"]).arg(self.path("tmp/server.log"));
        start.arg("--pgdata").arg(self.data()).arg("--options").arg(options);
        success(&mut start);
        let mut psql = unprivileged(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname=postgres", "--command", sql]);
        let answer = success(psql.arg("--host").arg(self.path("tmp")));
        let mut stop = unprivileged(self.programs.join("pg_ctl"));
        success(stop.args(["stop", "--mode=fast", "--pgdata"]).arg(self.data()));
        answer
    }

    fn wal_link(&self) -> PathBuf {
        fs::canonicalize(self.data().join("pg_wal")).expect("a link")
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").mode() & 0o7777
}

fn failure(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{command:?} succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn startup_prepares_empty_volumes() {
    let Some(pod) = Pod::new() else { return };
    for _ in 0..2 {
        success(&mut pod.startup());
        assert_eq!(mode(&pod.data()), 0o750);
        for directory in ["pgdata/logs/postgres", "pgdata/logs", "pgdata/patroni/log", "pgdata/pgbackrest/log"] {
            assert_eq!(mode(&pod.path(directory)), 0o775, "{directory}");
        }
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            assert_eq!(mode(&pod.path("tmp/replication").join(file)), 0o600, "{file}");
        }
        assert!(fs::read_dir(pod.data()).expect("a directory").next().is_none());
    }
}

#[test]
fn the_log_of_writes_moves_to_its_own_volume_and_back() {
    let Some(mut pod) = Pod::new() else { return };
    success(&mut pod.startup());
    pod.initialize();
    success(&mut pod.startup());
    pod.run_server("create table t as select generate_series(1, 1000) as n");

    let version = pod.cluster.postgres_version;
    for (wal_volume, volume) in [(true, "pgwal"), (true, "pgwal"), (false, "pgdata"), (true, "pgwal")] {
        pod.use_wal_volume(wal_volume);
        success(&mut pod.startup());
        assert_eq!(pod.wal_link(), pod.path(&format!("{volume}/pg{version}_wal")));
        assert_eq!(pod.path("pgdata/pgbackrest-spool").is_symlink(), wal_volume);
        assert_eq!(pod.run_server("select sum(n) from t").trim(), "500500");
    }
    let left = fs::read_dir(pod.path("pgdata")).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().ends_with(".moving")));
}

#[test]
fn an_interrupted_move_of_the_log_is_finished() {
    let Some(mut pod) = Pod::new() else { return };
    pod.initialize();
    pod.use_wal_volume(true);
    let version = pod.cluster.postgres_version;
    let original = pod.path(&format!("pgdata/pg{version}_wal"));
    let moving = pod.path(&format!("pgdata/pg{version}_wal.moving"));
    let wanted = pod.path(&format!("pgwal/pg{version}_wal"));

    // The script was killed while it copied: half of the files exist.
    fs::rename(&original, &moving).expect("renamed");
    fs::create_dir(&wanted).expect("a directory");
    fs::write(wanted.join("000000010000000000000001"), "half").expect("a file");
    give_to_unprivileged(pod.root.path());
    success(&mut pod.startup());
    assert_eq!(pod.wal_link(), wanted);
    assert!(!moving.exists() && !original.exists());
    pod.run_server("create table t as select 1 as n");

    // The script was killed while it copied, and started again with the earlier spec.
    let moving = pod.path(&format!("pgwal/pg{version}_wal.moving"));
    fs::rename(&wanted, &moving).expect("renamed");
    success(&mut pod.startup());
    assert_eq!(pod.wal_link(), wanted);
    assert_eq!(pod.run_server("select n from t").trim(), "1");
}

#[test]
fn a_log_in_the_way_of_another_is_never_overwritten() {
    let Some(mut pod) = Pod::new() else { return };
    pod.initialize();
    pod.use_wal_volume(true);
    let old = pod.path(&format!("pgwal/pg{}_wal", pod.cluster.postgres_version));
    fs::create_dir(&old).expect("a directory");
    fs::write(old.join("old"), "old").expect("a file");
    give_to_unprivileged(pod.root.path());
    let before = pod.wal_link();
    assert!(failure(&mut pod.startup()).contains("find out which one is current"));
    assert_eq!((pod.wal_link(), fs::read_to_string(old.join("old")).expect("a file")), (before, "old".to_owned()));
}

#[test]
fn startup_refuses_a_log_whose_volume_is_gone() {
    let Some(pod) = Pod::new() else { return };
    pod.initialize();
    fs::remove_file(pod.data().join("pg_wal")).expect("removed");
    symlink("/nowhere/pg_wal", pod.data().join("pg_wal")).expect("a link");
    assert!(failure(&mut pod.startup()).contains("mount its volume again"));
}

#[test]
fn startup_refuses_data_and_images_of_another_version() {
    let Some(mut pod) = Pod::new() else { return };
    pod.initialize();
    fs::write(pod.data().join("PG_VERSION"), "9\n").expect("a file");
    assert!(failure(&mut pod.startup()).contains("found data of 9"));
    pod.cluster.postgres_version = 9;
    assert!(
        failure(pod.startup().env("PATH", with_postgres(&pod.programs))).contains("expected Postgres 9 in this image")
    );
}

fn with_postgres(programs: &Path) -> String {
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn a_data_directory_of_another_user_is_made_anew() {
    let Some(pod) = Pod::new() else { return };
    if success(Command::new("id").arg("-u")).trim() != "0" {
        println!("skipped: only root can give files away");
        return;
    }
    pod.initialize();
    success(Command::new("chown").arg("1000").arg(pod.data()));
    fs::set_permissions(pod.data(), fs::Permissions::from_mode(0o2770)).expect("permissions");
    fs::write(pod.data().join(".hidden"), "").expect("a file");
    success(Command::new("chown").arg("1000").arg(pod.data().join(".hidden")));
    success(&mut pod.startup());
    assert_eq!((mode(&pod.data()), fs::metadata(pod.data()).expect("a directory").uid()), (0o750, 65534));
    assert!(pod.data().join(".hidden").exists());
    assert_eq!(pod.run_server("select 1").trim(), "1");

    // The script was killed between the last two steps.
    fs::rename(pod.data(), format!("{}.remade", pod.data().display())).expect("renamed");
    success(&mut pod.startup());
    assert_eq!(pod.run_server("select 1").trim(), "1");

    success(Command::new("chown").arg("1000").arg(pod.data()));
    fs::set_permissions(pod.data(), fs::Permissions::from_mode(0o750)).expect("permissions");
    let message = failure(&mut pod.startup());
    assert!(
        message.contains("another user owns the data directory") && message.contains("drwxr-x--- 1000"),
        "{message}"
    );
}
