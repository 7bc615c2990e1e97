//! Runs the other scripts as their containers do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pgrender::postgres_cluster::pgbackrest;
use pgrender::postgres_cluster::scripts;

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
        pgbackrest::configuration::SERVER_CERTIFICATE_DIRECTORY => path("certificates").display().to_string(),
        pgbackrest::configuration::CA_FILE | pgbackrest::configuration::SERVER_CONF_FILE => {
            path("pgbackrest.conf").display().to_string()
        }
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
