//! What Postgres, Patroni, pgBackRest and pgBouncer log arrives, with severity, time and attributes, and so do metrics.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::otlp::Server;
use super::{CONFIG_MAPS, cluster, configuration, container, pods};
use crate::common::processes::{Running, start, wait_for};
use crate::common::rendering::objects;
use crate::common::tools::{give_to_unprivileged, postgres_server, program, python, run, success, unprivileged};

/// The directory with the files of a pod, and its objects.
pub(super) struct Pod {
    directory: tempfile::TempDir,
    pub(super) objects: Vec<Value>,
    /// More arguments of the script.
    pub(super) arguments: Vec<String>,
}

impl Pod {
    /// A cluster that sends everything to `server`.
    pub(super) fn new(server: &Server, version: u16) -> Self {
        let exporter = json!({
            "compression": "none",
            "encoding": "json",
            "endpoint": format!("http://127.0.0.1:{}", server.port),
        });
        let mut cluster = cluster(&json!({
            "config": {"exporters": {"otlphttp": exporter}},
            "logs": {"exporters": ["otlphttp"]},
            "metrics": {"exporters": ["otlphttp"], "customQueries": {"remove": ["pg_exporter_last_scrape_error"]}},
        }));
        cluster["spec"]["postgresVersion"] = json!(version);
        let objects = objects(&cluster.to_string()).unwrap();
        let pod = Self { directory: tempfile::tempdir().unwrap(), objects, arguments: Vec::new() };
        for directory in [
            "pgdata/logs/postgres",
            "pgdata/patroni/log",
            "pgdata/pgbackrest/log",
            "repo1/log",
            "pgbouncer",
            "bin",
            "config",
        ] {
            fs::create_dir_all(pod.path(directory)).unwrap();
        }
        give_to_unprivileged(pod.directory.path());
        pod
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A text with the directories of the pod on this machine.
    pub(super) fn here(&self, text: &str) -> String {
        let root = self.directory.path().display();
        [("/pgdata/", "pgdata/"), ("/pgbackrest/repo1/", "repo1/"), ("/tmp/logs/pgbouncer", "pgbouncer")]
            .iter()
            .fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, &format!("{root}/{ours}")))
    }

    /// Runs the container of the collector with the configuration in this ConfigMap.
    pub(super) fn collector(&self, config_map: &str, changes: &[(&str, &str)]) -> Option<Running> {
        let collector = program("otelcol-contrib")?;
        let state = self.path(&format!("state-{config_map}"));
        let mounted = self.path(&format!("config/{config_map}"));
        for directory in [&state, &mounted] {
            fs::create_dir_all(directory).unwrap();
        }
        give_to_unprivileged(&state);
        let text = self.here(&configuration(&self.objects, config_map));
        let text = text.replace("/var/lib/otelcol", &state.to_string_lossy());
        let text = changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        fs::write(mounted.join("config.yaml"), text).unwrap();
        let link = self.path("bin/otelcol-contrib");
        if !link.exists() {
            symlink(collector, link).unwrap();
        }
        let pod = pods(&self.objects).remove(0);
        let words = container(&pod).unwrap()["command"].as_array().unwrap().clone();
        let words = words
            .iter()
            .map(|word| word.as_str().unwrap().replace("/etc/pgrender-collector", &mounted.to_string_lossy()));
        let mut command = unprivileged("/usr/bin/env");
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        command.env("K8S_POD_NAME", "alpha-one-0").env("K8S_POD_NAMESPACE", "zoo").args(words).args(&self.arguments);
        Some(start(&mut command, &self.path(&format!("{config_map}.log"))))
    }
}

/// Seconds since 1970.
fn now() -> i128 {
    success(Command::new("date").arg("+%s")).trim().parse().unwrap()
}

fn is_recent(nanoseconds: i128) -> bool {
    (now() - nanoseconds / 1_000_000_000).abs() < 600
}

/// Runs a Postgres with the rendered parameters for logs, and makes an error in a statement of two lines.
fn postgres_logs(pod: &Pod, programs: &Path) {
    let data = pod.path("data");
    let mut initdb = unprivileged(programs.join("initdb"));
    success(initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--pgdata"]).arg(&data));
    let patroni =
        pod.objects.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "alpha-config");
    let patroni = patroni.unwrap()["data"]["patroni.yaml"].as_str().unwrap();
    let patroni = pgrender::read::documents("patroni.yaml", patroni).unwrap()[0].node.to_json();
    let parameters = patroni["bootstrap"]["dcs"]["postgresql"]["parameters"].as_object().unwrap().clone();
    let ours: Vec<_> = parameters.iter().filter(|(name, _)| name.starts_with("log")).collect();
    assert_eq!(ours.len(), 9, "{ours:?}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut postgres = unprivileged(programs.join("postgres"));
    postgres.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    for (name, value) in ours {
        postgres.arg("-c").arg(format!("{name}={}", pod.here(value.as_str().unwrap())));
    }
    let _running = start(postgres.arg(format!("--port={port}")), &pod.path("postgres.log"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(pod.path("postgres.log")).unwrap());
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut psql = Command::new(programs.join("psql"));
    psql.args(["--no-psqlrc", "--host=127.0.0.1", "--username=postgres", "--dbname=postgres"])
        .arg(format!("--port={port}"));
    let output = run(psql.args(["--command", "SELECT 'one, \"two\"\n2026-01-01 00:00:00.000 UTC,',\n 1/0"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("division by zero"), "{output:?}");
}

fn postgres_arrives(version: u16) {
    let Some((programs, _)) = postgres_server() else { return };
    let server = Server::start();
    let pod = Pod::new(&server, version);
    let Some(_collector) = pod.collector(CONFIG_MAPS[0], &[]) else { return };
    postgres_logs(&pod, &programs);
    let error = server.waits_for("postgres", |record| record.body == "division by zero");
    assert_eq!(error.severity, ("ERROR".to_owned(), 17));
    assert_eq!(error.scope, "postgres");
    assert!(is_recent(error.time), "{error:?}");
    assert_eq!(error.attributes["db.query.text"], "SELECT 'one, \"two\"\n2026-01-01 00:00:00.000 UTC,',\n 1/0");
    assert_eq!(error.attributes["db.namespace"], "postgres");
    assert_eq!(error.attributes["user.name"], "postgres");
    assert_eq!(error.attributes["db.response.status_code"], "22012");
    assert!(error.attributes["process.pid"].as_str().unwrap().parse::<u32>().unwrap() > 1);
    assert!(error.attributes["log.record.original"].as_str().unwrap().contains("22012"));
    for (key, value) in [
        ("k8s.container.name", "database"),
        ("k8s.namespace.name", "zoo"),
        ("k8s.pod.name", "alpha-one-0"),
        ("db.system", "postgresql"),
        ("db.version", &version.to_string()),
    ] {
        assert_eq!(error.resource[key], value);
    }
    let start = server.waits_for("postgres", |record| record.body.starts_with("database system is ready"));
    assert_eq!(start.severity, ("LOG".to_owned(), 9));
}

#[test]
#[ignore = "run it with make collector"]
fn json_of_postgres_arrives() {
    postgres_arrives(17);
}

/// Postgres 14 has the same columns as later versions.
#[test]
#[ignore = "run it with make collector"]
fn csv_of_postgres_arrives() {
    postgres_arrives(14);
}

/// Patroni's own logger, with the rendered settings. It writes JSON if it has the library for that, and text otherwise.
#[test]
#[ignore = "run it with make collector"]
fn patroni_arrives() {
    const LOGGER: &str = "
import json, logging, sys
from patroni.log import PatroniLogger
if sys.argv[2] == 'text':
    sys.modules['pythonjsonlogger'] = None
logger = PatroniLogger()
logger.reload_config(json.loads(sys.argv[1]))
logger.start()
logging.getLogger('patroni.ha').warning('the %s format,\\nin two lines', sys.argv[2])
logger.shutdown()
";
    let Some(python) = python("patroni, pythonjsonlogger") else { return };
    let server = Server::start();
    let pod = Pod::new(&server, 17);
    let Some(_collector) = pod.collector(CONFIG_MAPS[0], &[]) else { return };
    let settings =
        pod.objects.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "alpha-config");
    let settings = pod.here(settings.unwrap()["data"]["patroni.yaml"].as_str().unwrap());
    let settings = pgrender::read::documents("patroni.yaml", &settings).unwrap()[0].node.to_json()["log"].clone();
    let settings = settings.to_string();
    for format in ["json", "text"] {
        success(unprivileged(&python).args(["-c", LOGGER, &settings, format]));
        let warning = server.waits_for("patroni", |record| record.body.starts_with(&format!("the {format} format")));
        assert_eq!(warning.body, format!("the {format} format,\nin two lines"));
        assert_eq!(warning.severity, ("WARNING".to_owned(), 13));
        assert_eq!(warning.scope, "patroni");
        assert!(is_recent(warning.time), "{warning:?}");
        assert_eq!(warning.resource["k8s.container.name"], "database");
    }
}

/// pgBackRest in an instance and in the repo host.
#[test]
#[ignore = "run it with make collector"]
fn pgbackrest_arrives() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    for (config_map, directory) in [(CONFIG_MAPS[0], "pgdata/pgbackrest/log"), (CONFIG_MAPS[1], "repo1/log")] {
        let server = Server::start();
        let pod = Pod::new(&server, 17);
        let Some(_collector) = pod.collector(config_map, &[]) else { return };
        let mut command = unprivileged(&pgbackrest);
        command.args(["--stanza=db", "--config=/dev/null", "--pg1-path=/nowhere", "--log-level-console=off"]);
        command.arg(format!("--log-path={}", pod.path(directory).display()));
        command.arg(format!("--lock-path={}", pod.path("repo1").display()));
        command.arg(format!("--repo1-path={}", pod.path("repo1").display()));
        assert!(!run(command.arg("stanza-create")).status.success());
        let begin = server.waits_for("pgbackrest", |record| record.body.starts_with("stanza-create command begin"));
        assert_eq!(begin.severity, ("INFO".to_owned(), 9));
        assert_eq!(begin.attributes["pgbackrest.process"], "P00");
        let error = server.waits_for("pgbackrest", |record| record.severity.0 == "ERROR");
        // The text has several lines.
        assert!(error.body.starts_with('[') && error.body.contains('\n'), "{error:?}");
        assert_eq!(error.severity.1, 17);
        assert_eq!(error.scope, "pgbackrest");
        assert_eq!(error.resource["k8s.container.name"], "pgbackrest");
        assert!(is_recent(error.time), "{error:?}");
    }
}

/// Starts a pgBouncer with the rendered `logfile`.
pub(super) fn pgbouncer(pod: &Pod) -> Option<(Running, u16)> {
    let program = program("pgbouncer")?;
    let rendered = pod
        .objects
        .iter()
        .find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "alpha-pgbouncer");
    let rendered = pod.here(rendered.unwrap()["data"]["pgbouncer.ini"].as_str().unwrap());
    let log_file = rendered.lines().find(|line| line.starts_with("logfile = ")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "[databases]\n[pgbouncer]\n{log_file}\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         pidfile = {}\n",
        pod.path("pgbouncer/pid").display()
    );
    fs::write(pod.path("pgbouncer.ini"), settings).unwrap();
    let running = start(unprivileged(program).arg(pod.path("pgbouncer.ini")), &pod.path("pgbouncer.log"));
    wait_for(&pod.path("pgbouncer.log"), "process up");
    Some((running, port))
}

/// Makes pgBouncer log the name of this database.
pub(super) fn login(port: u16, database: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // PostgreSQL, "Message Formats", StartupMessage.
    let mut message = vec![0, 3, 0, 0];
    message.extend(format!("user\0somebody\0database\0{database}\0\0").bytes());
    let length = u32::try_from(message.len() + 4).unwrap().to_be_bytes();
    stream.write_all(&length).and_then(|()| stream.write_all(&message)).unwrap();
    let _ = std::io::Read::read(&mut stream, &mut [0; 512]);
}

#[test]
#[ignore = "run it with make collector"]
fn pgbouncer_arrives() {
    let server = Server::start();
    let pod = Pod::new(&server, 17);
    let Some(_collector) = pod.collector(CONFIG_MAPS[2], &[]) else { return };
    let Some((_pgbouncer, port)) = pgbouncer(&pod) else { return };
    let mut psql = Command::new(program("psql").unwrap());
    psql.args(["--host=127.0.0.1", "--username=somebody", "--dbname=unknown", "--command=SELECT 1"]);
    assert!(!run(psql.env("PGPASSWORD", "wrong").arg(format!("--port={port}"))).status.success());
    let warning = server.waits_for("pgbouncer", |record| record.severity.0 == "WARNING");
    assert!(warning.body.contains("authentication failed"), "{warning:?}");
    assert_eq!(warning.severity.1, 13);
    assert_eq!(warning.scope, "pgbouncer");
    assert_eq!(warning.resource["k8s.container.name"], "pgbouncer");
    assert!(is_recent(warning.time), "{warning:?}");
    let up = server.waits_for("pgbouncer", |record| record.body.starts_with("process up"));
    assert_eq!(up.severity, ("LOG".to_owned(), 9));
}

/// The metrics of a real exporter. Without Postgres, it serves `pg_up`.
#[test]
#[ignore = "run it with make collector"]
fn metrics_arrive() {
    let Some(exporter) = program("postgres_exporter-trixie") else { return };
    let server = Server::start();
    let pod = Pod::new(&server, 17);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = unprivileged(exporter);
    command.env("DATA_SOURCE_NAME", "postgresql://nobody@127.0.0.1:1/postgres");
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _exporter = start(&mut command, &pod.path("exporter.log"));
    let place = format!("127.0.0.1:{port}");
    let changes = [("localhost:9187", place.as_str()), ("\"10s\"", "\"3s\"")];
    let Some(_collector) = pod.collector(CONFIG_MAPS[0], &changes) else { return };
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let metrics = server.metrics();
        let found = metrics.iter().find(|(name, _)| name == "pg_up");
        if let Some((_, resource)) = found {
            assert_eq!(resource["k8s.pod.name"], "alpha-one-0");
            assert_eq!(resource["k8s.namespace.name"], "zoo");
            // The receiver sends `up` for Patroni too, although it does not answer here.
            let jobs: Vec<_> = metrics.iter().filter_map(|(_, resource)| resource["service.name"].as_str()).collect();
            if jobs.contains(&"patroni") {
                assert!(metrics.iter().all(|(name, _)| name != "pg_exporter_last_scrape_error"));
                return;
            }
        }
        assert!(Instant::now() < deadline, "{metrics:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
