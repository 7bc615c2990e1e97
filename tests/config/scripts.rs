//! Runs the scripts as their containers do, on volumes that are temporary directories.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgrender::cluster::Cluster;
use pgrender::config::{data_directory, pgbackrest};
use pgrender::scripts;
use tempfile::TempDir;

use crate::clusters::hippo;
use crate::tools::{give_to_unprivileged, postgres_server, program, run, success, unprivileged};

/// The volumes of a pod.
struct Pod {
    root: TempDir,
    cluster: Cluster,
    programs: PathBuf,
}

impl Pod {
    /// An instance of `hippo` with the Postgres of this machine; its second volume is there whether it is used or not.
    fn new() -> Option<Self> {
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

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn data(&self) -> PathBuf {
        self.path(data_directory(&self.cluster).trim_start_matches('/'))
    }

    fn use_wal_volume(&mut self, yes: bool) {
        self.cluster.instance_sets[0].wal_volume_claim_spec = yes.then(Default::default);
    }

    /// The startup script with this pod's volumes in the place of the real ones.
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

    /// Real data, as Patroni makes it.
    fn initialize(&self) {
        let wal = self.path(&format!("pgdata/pg{}_wal", self.cluster.postgres_version));
        let mut initdb = unprivileged(self.programs.join("initdb"));
        success(initdb.arg("--allow-group-access").arg("--waldir").arg(wal).arg("--pgdata").arg(self.data()));
    }

    /// Starts and stops the server, which replays what is in its log.
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

fn mode(path: &Path) -> u32 {
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

    // Killed while copying: half of the files are there.
    fs::rename(&original, &moving).expect("renamed");
    fs::create_dir(&wanted).expect("a directory");
    fs::write(wanted.join("000000010000000000000001"), "half").expect("a file");
    give_to_unprivileged(pod.root.path());
    success(&mut pod.startup());
    assert_eq!(pod.wal_link(), wanted);
    assert!(!moving.exists() && !original.exists());
    pod.run_server("create table t as select 1 as n");

    // Killed while copying, and started again with the earlier spec.
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
    assert!(failure(&mut pod.startup()).contains("bring its volume back"));
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

    // Killed between the last two steps.
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

#[test]
fn any_user_is_called_postgres() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let wrapper = directory.path().join("nss");
    let words = scripts::nss_wrapper();
    let words = words.iter().map(|word| word.replace(scripts::NSS_WRAPPER_DIRECTORY, &wrapper.to_string_lossy()));
    let words: Vec<_> = words.collect();
    for _ in 0..2 {
        success(unprivileged("/usr/bin/env").args(&words));
    }
    let me = success(unprivileged("id").arg("-u"));
    let passwd = fs::read_to_string(wrapper.join("passwd")).expect("a file");
    let mine = passwd.lines().filter(|line| line.split(':').nth(2) == Some(me.trim())).collect::<Vec<_>>();
    assert_eq!(mine.len(), 1, "{passwd}");
    assert!(mine[0].starts_with("postgres:x:"), "{passwd}");
    assert_eq!(passwd.lines().filter(|line| line.starts_with("postgres:")).count(), 1, "{passwd}");
    assert!(passwd.lines().any(|line| line.starts_with("root:")), "{passwd}");
    let group = fs::read_to_string(wrapper.join("group")).expect("a file");
    assert_eq!(group.lines().filter(|line| line.starts_with("postgres:x:")).count(), 1, "{group}");
}

#[test]
fn the_repo_host_s_log_directory_can_be_written_by_its_group() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("repo1/log");
    for _ in 0..2 {
        let words = scripts::repo_log_directory(&log.to_string_lossy());
        success(Command::new(&words[0]).args(&words[1..]));
    }
    assert_eq!((mode(&log), mode(log.parent().expect("a parent"))), (0o775, 0o775));
}

/// A running program, ended with the test.
pub(crate) struct Running {
    child: Child,
    signal: &'static str,
}

impl Running {
    /// The same, ended with another signal than TERM.
    pub(crate) fn ended_with(mut self, signal: &'static str) -> Self {
        self.signal = signal;
        self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have started others: they are all in its process group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", self.signal, "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// Starts `command` in a process group of its own, with its output in `log`.
pub(crate) fn start(command: &mut Command, log: &Path) -> Running {
    let output = fs::File::create(log).expect("a file");
    let errors = output.try_clone().expect("a file");
    let command = command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    Running { child: command.spawn().expect("started"), signal: "TERM" }
}

pub(crate) fn wait_for(file: &Path, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let content = fs::read_to_string(file).unwrap_or_default();
        if content.contains(text) {
            return;
        }
        assert!(Instant::now() < deadline, "{} never said {text:?}: {content}", file.display());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A process called `name` that writes a line to `log` for each signal that asks it to reload. It is not a program
/// that stands in for another: the script under test sends signals by name, and this shows where they arrive.
fn listener(name: &str, directory: &Path, log: &Path) -> Running {
    let bash = program("bash").expect("bash");
    let path = directory.join(name);
    fs::copy(bash, &path).expect("a copy");
    let script = r#"trap 'echo reloaded' HUP; echo ready; while :; do read -r -t 1 <> <(:) || :; done"#;
    let running = start(unprivileged(path).args(["-c", script]), log);
    wait_for(log, "ready");
    running
}

/// `words` with signals for children of this test only: the machine may run real servers of the same name.
fn only_our_children(words: Vec<String>) -> Vec<String> {
    let ours = format!("pkill -HUP --exact --parent={} ", std::process::id());
    let replaced = |word: String| {
        word.replace("pkill -HUP --exact --parent=0 ", &ours)
            .replace("pkill -HUP --exact pgbouncer", &format!("{ours}pgbouncer"))
    };
    words.into_iter().map(replaced).collect()
}

#[test]
fn pgbouncer_is_reloaded_when_its_files_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("conf")).expect("a directory");
    let _pgbouncer = listener("pgbouncer", directory.path(), &path("pgbouncer.log"));
    let words = scripts::pgbouncer_config();
    let conf = path("conf").to_string_lossy().into_owned();
    let words = words.into_iter().map(|word| word.replace(scripts::PGBOUNCER_DIRECTORY, &conf)).collect();
    let _script = start(unprivileged("/usr/bin/env").args(only_our_children(words)), &path("script.log"));
    std::thread::sleep(Duration::from_secs(1));
    assert!(!fs::read_to_string(path("pgbouncer.log")).expect("a log").contains("reloaded"));
    fs::write(path("conf/pgbouncer.ini"), "").expect("a file");
    wait_for(&path("pgbouncer.log"), "reloaded");
    wait_for(&path("script.log"), "Reloaded");
}

#[test]
fn the_repo_host_takes_the_first_backup_and_reloads_its_server() {
    let (Some(mut pod), Some(pgbackrest)) = (Pod::new(), program("pgbackrest")) else { return };
    pod.use_wal_volume(false);
    pod.initialize();
    let path = |name: &str| pod.path(name);
    let conf = format!(
        "[global]\nrepo1-path={0}/repo1\nlog-path={0}/tmp\nlock-path={0}/tmp/lock\nspool-path={0}/tmp\nstart-fast=y\n\
         [db]\npg1-path={1}\npg1-socket-path={0}/tmp\n",
        pod.root.path().display(),
        pod.data().display()
    );
    fs::write(path("pgbackrest.conf"), conf).expect("a file");
    fs::create_dir(path("repo1")).expect("a directory");
    fs::create_dir(path("certificates")).expect("a directory");
    give_to_unprivileged(pod.root.path());

    let archive =
        format!("{} --config={} --stanza=db archive-push %p", pgbackrest.display(), path("pgbackrest.conf").display());
    let settings = format!(
        "listen_addresses = ''\nunix_socket_directories = '{}'\narchive_mode = on\narchive_command = '{archive}'\n",
        path("tmp").display()
    );
    fs::write(pod.data().join("postgresql.auto.conf"), settings).expect("a file");
    let mut server = unprivileged(pod.programs.join("pg_ctl"));
    server.args(["start", "--wait", "--log"]).arg(path("tmp/server.log")).arg("--pgdata").arg(pod.data());
    success(&mut server);
    let stop = Stop(&pod);

    let _server = listener("pgbackrest", &path("certificates"), &path("tmp/listener.log"));
    let words = scripts::pgbackrest_config(pod.cluster.backups.as_ref().expect("backups"));
    let words = words.into_iter().map(|word| match word.as_str() {
        pgbackrest::SERVER_CERTIFICATE_DIRECTORY => path("certificates").display().to_string(),
        pgbackrest::CA_FILE | pgbackrest::SERVER_CONF_FILE => path("pgbackrest.conf").display().to_string(),
        _ => word,
    });
    let words = only_our_children(words.collect());
    let run_script = |log: &str| {
        let mut command = unprivileged("/usr/bin/env");
        start(command.env("PGBACKREST_CONFIG", path("pgbackrest.conf")).args(&words), &path(log))
    };

    let script = run_script("tmp/script.log");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(fs::read_to_string(path("tmp/script.log")).expect("a log"), "", "there is no stanza yet");
    let pgbackrest_command = |arguments: &[&str]| {
        let mut command = unprivileged(&pgbackrest);
        command.arg("--config").arg(path("pgbackrest.conf")).arg("--stanza=db").args(arguments);
        success(&mut command)
    };
    pgbackrest_command(&["stanza-create"]);
    wait_for(&path("tmp/script.log"), "Took the first backup of repo1");
    assert_eq!(pgbackrest_command(&["info"]).matches("full backup: ").count(), 1);

    drop(script);
    let _script = run_script("tmp/again.log");
    std::thread::sleep(Duration::from_secs(1));
    fs::write(path("certificates/server-tls.crt"), "").expect("a file");
    wait_for(&path("tmp/again.log"), "Reloaded");
    assert!(fs::read_to_string(path("tmp/listener.log")).expect("a log").contains("reloaded"));
    assert_eq!(pgbackrest_command(&["info"]).matches("full backup: ").count(), 1);
    drop(stop);
}

/// Stops the server of a pod.
struct Stop<'a>(&'a Pod);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        let mut stop = unprivileged(self.0.programs.join("pg_ctl"));
        let _ = stop.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.0.data()).output();
    }
}
