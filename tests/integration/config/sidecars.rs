//! Runs the other scripts as their containers do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pgrender::postgres_cluster::pgbackrest;
use pgrender::postgres_cluster::scripts;
use serde_json::{Value, json};

use crate::common::processes::{Running, start, wait_for};
use crate::common::tools::{give_to_unprivileged, program, success, unprivileged};
use crate::config::startup::{Pod, mode};

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

/// Starts a process called `name` that writes a line to `log` for each signal that asks it to reload. It does not replace a
/// real program in the test: the script under test sends signals by name, and this process shows where they arrive.
fn listener(name: &str, directory: &Path, log: &Path) -> Running {
    let bash = program("bash").expect("bash");
    let path = directory.join(name);
    fs::copy(bash, &path).expect("a copy");
    let script = r"trap 'echo reloaded' HUP; echo ready; while :; do read -r -t 1 <> <(:) || :; done";
    // The process that runs the tests may ignore the signal (`nohup`), and a shell cannot trap a signal that was ignored when
    // it started.
    let running = start(unprivileged("/usr/bin/env").arg("--default-signal=HUP").arg(path).args(["-c", script]), log);
    wait_for(log, "ready");
    running
}

/// Returns `words` with signals only for child processes of this test, because real servers with the same name may run on this
/// machine.
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
fn the_repo_host_waits_for_instances_that_stop_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let postgres = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, server_port) = (postgres.local_addr().expect("one").port(), server.local_addr().expect("one").port());
    let conf = format!("[db]\npg1-host = 127.0.0.1\npg1-host-type = tls\npg1-port = {port}\n");
    fs::write(path("pgbackrest_repo.conf"), conf).expect("a file");
    let words: Vec<String> = scripts::repo_host_pre_stop()
        .into_iter()
        .map(|word| word.replace(" 8432 ", &format!(" {server_port} ")))
        .map(|word| {
            word.replace(pgbackrest::configuration::REPO_CONF_FILE, &path("pgbackrest_repo.conf").to_string_lossy())
        })
        .collect();
    let mut hook = Command::new("/usr/bin/env");
    hook.args(words);

    let started = Instant::now();
    success(&mut hook);
    assert!(started.elapsed() < Duration::from_secs(4), "an instance whose server answers does not stop");

    drop(server);
    let started = Instant::now();
    let archives = Duration::from_secs(5);
    let instance = std::thread::spawn(move || {
        std::thread::sleep(archives);
        drop(postgres);
    });
    success(&mut hook);
    assert!(started.elapsed() >= archives, "an instance that stops still archives");
    instance.join().expect("the end of it");
}

/// A repo host with a repository, and a Postgres with a stanza, whose sidecar is the script under test.
struct RepoHost {
    pod: Pod,
    pgbackrest: PathBuf,
    words: Vec<String>,
}

impl RepoHost {
    fn new() -> Option<Self> {
        let (Some(mut pod), Some(pgbackrest)) = (Pod::new(), program("pgbackrest")) else { return None };
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
        fs::write(path("manual-backup"), "").expect("a file");
        fs::create_dir(path("repo1")).expect("a directory");
        fs::create_dir(path("certificates")).expect("a directory");
        give_to_unprivileged(pod.root.path());

        let archive = format!(
            "{} --config={} --stanza=db archive-push %p",
            pgbackrest.display(),
            path("pgbackrest.conf").display()
        );
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\narchive_mode = on\narchive_command = '{archive}'\n",
            path("tmp").display()
        );
        fs::write(pod.data().join("postgresql.auto.conf"), settings).expect("a file");
        let words = scripts::pgbackrest_config(pod.cluster.backups.as_ref().expect("backups"));
        let words = words.into_iter().map(|word| match word.as_str() {
            pgbackrest::configuration::SERVER_CERTIFICATE_DIRECTORY => path("certificates").display().to_string(),
            pgbackrest::configuration::CA_FILE | pgbackrest::configuration::SERVER_CONF_FILE => {
                path("pgbackrest.conf").display().to_string()
            }
            pgbackrest::configuration::MANUAL_BACKUP_FILE => path("manual-backup").display().to_string(),
            pgbackrest::configuration::REPOSITORIES_DIRECTORY => pod.root.path().display().to_string(),
            _ => word,
        });
        let words = only_our_children(words.collect());
        let host = Self { pod, pgbackrest, words };
        host.start_postgres();
        Some(host)
    }

    fn start_postgres(&self) {
        let mut server = unprivileged(self.pod.programs.join("pg_ctl"));
        server.args(["start", "--wait", "--log"]).arg(self.pod.path("tmp/server.log"));
        success(server.arg("--pgdata").arg(self.pod.data()));
    }

    fn stop_postgres(&self) {
        let mut stop = unprivileged(self.pod.programs.join("pg_ctl"));
        let _ = stop.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.pod.data()).output();
    }

    /// Starts the script, which ends when the result is dropped.
    fn run_script(&self, log: &Path) -> Running {
        let mut command = unprivileged("/usr/bin/env");
        start(command.env("PGBACKREST_CONFIG", self.pod.path("pgbackrest.conf")).args(&self.words), log)
    }

    fn pgbackrest(&self, arguments: &[&str]) -> String {
        let mut command = unprivileged(&self.pgbackrest);
        command.arg("--config").arg(self.pod.path("pgbackrest.conf")).arg("--stanza=db").args(arguments);
        success(&mut command)
    }

    /// The types of all backups, oldest first, and the values of the annotation that requested them.
    fn backups(&self) -> Vec<(String, Value)> {
        let stanzas: Value = serde_json::from_str(&self.pgbackrest(&["info", "--output=json"])).expect("JSON");
        let backups = stanzas[0]["backup"].as_array().expect("backups");
        let described = |backup: &Value| {
            let kind = backup["type"].as_str().expect("a type").to_owned();
            (kind, backup["annotation"][pgbackrest::manual_options::ANNOTATION].clone())
        };
        backups.iter().map(described).collect()
    }

    /// Replaces the file with the request, as the kubelet does.
    fn request(&self, text: &str) {
        fs::write(self.pod.path("new"), text).expect("a file");
        fs::rename(self.pod.path("new"), self.pod.path("manual-backup")).expect("renamed");
    }
}

impl Drop for RepoHost {
    fn drop(&mut self) {
        self.stop_postgres();
    }
}

#[test]
fn the_repo_host_takes_the_first_backup_and_reloads_its_server() {
    let Some(host) = RepoHost::new() else { return };
    let path = |name: &str| host.pod.path(name);
    let _server = listener("pgbackrest", &path("certificates"), &path("tmp/listener.log"));
    let script = host.run_script(&path("tmp/script.log"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(fs::read_to_string(path("tmp/script.log")).expect("a log"), "", "there is no stanza yet");
    host.pgbackrest(&["stanza-create"]);
    wait_for(&path("tmp/script.log"), "Took the first backup of repo1");
    assert_eq!(host.backups(), [("full".to_owned(), Value::Null)]);

    drop(script);
    let _script = host.run_script(&path("tmp/again.log"));
    std::thread::sleep(Duration::from_secs(1));
    fs::write(path("certificates/server-tls.crt"), "").expect("a file");
    wait_for(&path("tmp/again.log"), "Reloaded");
    assert!(fs::read_to_string(path("tmp/listener.log")).expect("a log").contains("reloaded"));
    assert_eq!(host.backups(), [("full".to_owned(), Value::Null)]);
}

#[test]
fn the_repo_host_takes_one_backup_for_each_value_of_the_annotation() {
    let Some(host) = RepoHost::new() else { return };
    let path = |name: &str| host.pod.path(name);
    let log = |name: &str| fs::read_to_string(path(name)).expect("a log");
    let taken = |value: &str| format!("Took the backup of repo1 that the annotation value `{value}` requests");
    let of = |kind: &str, value: &str| (kind.to_owned(), json!(value));

    // The request exists before the cluster has its first backup.
    let odd = r#"a "b" \c {d}"#;
    host.request(&format!("{odd}\n1\n--type=diff\n--annotation=why=test\n"));
    let script = host.run_script(&path("tmp/one.log"));
    host.pgbackrest(&["stanza-create"]);
    wait_for(&path("tmp/one.log"), &taken(odd));
    let mut expected = vec![("full".to_owned(), Value::Null), of("diff", odd)];
    assert_eq!(host.backups(), expected);

    // Other options for the same value, and an end of the request, start nothing.
    host.request(&format!("{odd}\n1\n--type=full\n"));
    std::thread::sleep(Duration::from_secs(4));
    host.request("");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(host.backups(), expected);

    // A failure is tried again, and nothing is recorded before it has succeeded. Another request does not wait for that.
    host.stop_postgres();
    host.request("second\n1\n--type=incr\n");
    wait_for(
        &path("tmp/one.log"),
        "The backup that the annotation value `second` requests failed, trying again in 8 s",
    );
    assert_eq!(fs::read_to_string(path("repo1/manual-backup")).expect("a record"), format!("{odd}\n"));
    host.start_postgres();
    wait_for(&path("tmp/one.log"), &taken("second"));
    expected.push(of("incr", "second"));
    host.request("refused\n1\n--process-max=1000\n");
    wait_for(
        &path("tmp/one.log"),
        "The backup that the annotation value `refused` requests failed, trying again in 8 s",
    );
    host.request("second\n1\n--type=incr\n");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(host.backups(), expected);
    drop(script);

    // After a restart, nothing is repeated: not even if the record is lost, as if the pod had ended before it was written.
    for lost in [false, true] {
        if lost {
            fs::remove_file(path("repo1/manual-backup")).expect("removed");
        }
        let name = if lost { "tmp/three.log" } else { "tmp/two.log" };
        let _script = host.run_script(&path(name));
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(log(name), "");
    }
    assert_eq!(host.backups(), expected);

    // Nor when the backup has expired.
    let _script = host.run_script(&path("tmp/four.log"));
    host.request("third\n1\n--type=full\n");
    wait_for(&path("tmp/four.log"), &taken("third"));
    host.pgbackrest(&["expire", "--repo1-retention-full=1"]);
    assert_eq!(host.backups(), [of("full", "third")]);
    host.pgbackrest(&["backup", "--type=full", "--repo1-retention-full=1"]);
    let _again = host.run_script(&path("tmp/five.log"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(host.backups(), [("full".to_owned(), Value::Null)]);
}
