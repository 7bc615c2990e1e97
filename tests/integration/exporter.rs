//! Tests the exporter as its user wants it: the container, the queries of the user, and the script that runs `postgres_exporter`.
//! What it measures is tested in `tests/caretaker/test_monitoring.py`, and on a real Kubernetes.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use pgrender::identity::Seed;
use pgrender::read;
use pgrender::render::render;
use serde_json::{Value, json};

mod joined;
mod queries;

use crate::common::processes::{Running, start, wait_for};
use crate::common::rendering::{SEED, objects, options};
use crate::common::tools::{program, unprivileged};

/// A small cluster with this exporter.
fn cluster(exporter: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
        "kind": "PostgresCluster",
        "metadata": {"name": "alpha", "namespace": "zoo"},
        "spec": {
            "postgresVersion": 17,
            "image": "postgres",
            "instances": [{"name": "one", "dataVolumeClaimSpec": claim}],
            "monitoring": {"pgmonitor": {"exporter": exporter}},
        },
    })
}

fn pod(cluster: &Value) -> Value {
    let objects = objects(&cluster.to_string()).unwrap();
    objects.into_iter().find(|object| object["kind"] == "StatefulSet").unwrap()["spec"]["template"].clone()
}

fn container(pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    containers.iter().find(|container| container["name"] == "exporter").unwrap().clone()
}

/// Returns what is reported about a cluster and other objects of the input, except when to render it again.
fn told(documents: &[Value]) -> Vec<String> {
    let text = documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    let documents = read::documents("input.yaml", &text).unwrap();
    let rendered = render(&documents, &options(), Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()));
    let lines = rendered.diagnostics.iter().map(ToString::to_string);
    lines.filter(|line| !line.contains("render and apply again")).collect()
}

#[test]
fn prometheus_finds_it_as_in_pgo() {
    let pod = pod(&cluster(&json!({})));
    assert_eq!(pod["metadata"]["labels"]["postgres-operator.crunchydata.com/crunchy-postgres-exporter"], "true");
    let ports = json!([{"containerPort": 9187, "name": "exporter", "protocol": "TCP"}]);
    assert_eq!(container(&pod)["ports"], ports);
}

/// A pod waits for the volumes that it mounts, and is not ready while a container is not.
#[test]
fn postgres_does_not_wait_for_it() {
    let files = json!([{"secret": {"name": "a"}}, {"configMap": {"name": "b", "optional": false}}]);
    let pod = pod(&cluster(&json!({"configuration": files, "customTLSSecret": {"name": "c"}})));
    let container = container(&pod);
    assert_eq!(container["readinessProbe"], Value::Null);
    assert_eq!(container["livenessProbe"], Value::Null);
    let mounted: Vec<_> = container["volumeMounts"].as_array().unwrap().iter().map(|mount| &mount["name"]).collect();
    for volume in pod["spec"]["volumes"].as_array().unwrap().iter().filter(|volume| mounted.contains(&&volume["name"]))
    {
        for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
            for source in source.as_object().unwrap().values() {
                let is_rendered = source["name"].as_str().is_some_and(|name| name.starts_with("alpha-"));
                assert!(is_rendered || source["optional"] == true, "{volume}");
            }
        }
    }
}

/// A cluster with the exporter and this pgBouncer.
fn with_pgbouncer(pgbouncer: &Value) -> Value {
    let mut cluster = cluster(&json!({}));
    cluster["spec"]["proxy"] = json!({"pgBouncer": pgbouncer});
    cluster
}

/// The sources of the files with which the caretaker connects to pgBouncer.
fn console(pod: &Value) -> Value {
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|volume| volume["name"] == "pgbouncer-console");
    volume.map_or(Value::Null, |volume| volume["projected"]["sources"].clone())
}

#[test]
fn only_the_caretaker_has_the_password_of_pgbouncer() {
    let pod = pod(&with_pgbouncer(&json!({})));
    for container in pod["spec"]["containers"].as_array().unwrap() {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let has_it = mounts.iter().any(|mount| mount["name"] == "pgbouncer-console");
        assert_eq!(has_it, container["name"] == "caretaker", "{}", container["name"]);
    }
    let password = json!({"key": "pgbouncer-password", "mode": 0o600, "path": "password"});
    let secret = |name: &str, item: &Value| json!({"secret": {"items": [item], "name": name}});
    let authority = |name: &str, key: &str| secret(name, &json!({"key": key, "path": "ca.crt"}));
    // Postgres does not wait for what pgrender does not render.
    let optional = |mut source: Value| {
        source["secret"]["optional"] = json!(true);
        source
    };
    assert_eq!(
        console(&pod),
        json!([secret("alpha-pgbouncer", &password), authority("alpha-pgbouncer", "pgbouncer-frontend.ca-roots")])
    );
    for (custom, key) in [
        (json!({"name": "own"}), "ca.crt"),
        (
            json!({"name": "own", "items": [{"key": "root", "path": "ca.crt"}, {"key": "c", "path": "tls.crt"}, {"key": "k", "path": "tls.key"}]}),
            "root",
        ),
    ] {
        let pod = self::pod(&with_pgbouncer(&json!({"customTLSSecret": custom})));
        assert_eq!(console(&pod), json!([secret("alpha-pgbouncer", &password), optional(authority("own", key))]));
    }
    let mut own = with_pgbouncer(&json!({}));
    own["metadata"]["annotations"] = json!({"pgrender.dev/credentials._crunchypgbouncer": "reference"});
    assert_eq!(
        console(&self::pod(&own)),
        json!([
            optional(secret("alpha-pgbouncer", &password)),
            authority("alpha-pgbouncer-tls", "pgbouncer-frontend.ca-roots")
        ])
    );
}

#[test]
fn without_an_exporter_or_a_pgbouncer_nothing_is_different() {
    let mut without = with_pgbouncer(&json!({}));
    without["spec"].as_object_mut().unwrap().remove("monitoring");
    assert_eq!(console(&pod(&without)), Value::Null);
    let text = serde_json::to_string(&objects(&without.to_string()).unwrap()).unwrap();
    assert!(!text.contains("stats_users"));
    assert_eq!(console(&pod(&cluster(&json!({})))), Value::Null);
    let file = |cluster: &Value| {
        let objects = objects(&cluster.to_string()).unwrap();
        objects.iter().find_map(|object| object["data"]["defaultQueries.yml"].as_str().map(str::to_owned)).unwrap()
    };
    assert!(!file(&cluster(&json!({}))).contains("ccp_pgbouncer"));
    assert!(file(&with_pgbouncer(&json!({}))).contains("\nccp_pgbouncer_pools:\n"));
}

#[test]
fn instances_do_not_restart_if_pgbouncer_is_scaled() {
    let before = pod(&with_pgbouncer(&json!({})));
    for replicas in [0, 3] {
        assert_eq!(pod(&with_pgbouncer(&json!({"replicas": replicas}))), before);
    }
    assert_eq!(pod(&with_pgbouncer(&json!({"config": {"global": {"stats_users": "alice"}}}))), before);
}

/// In `/tmp` of the other containers is the socket of Postgres.
#[test]
fn it_shares_no_file_with_the_other_containers() {
    let pod = pod(&cluster(&json!({})));
    let ours = container(&pod);
    let names = |container: &Value| -> Vec<String> {
        let mounts = container["volumeMounts"].as_array().unwrap();
        mounts.iter().map(|mount| mount["name"].as_str().unwrap().to_owned()).collect()
    };
    for other in pod["spec"]["containers"].as_array().unwrap().iter().filter(|other| **other != ours) {
        assert!(names(other).iter().all(|name| !names(&ours).contains(name)), "{other}");
    }
}

#[test]
fn what_cannot_work_is_refused() {
    let exporter = json!({"customTLSSecret": {"name": "c", "items": [{"key": "tls.crt", "path": "tls.crt"}]}});
    let told_about = |cluster: Value| told(&[cluster]);
    assert!(told_about(cluster(&exporter)).iter().any(|line| line.contains("no item has the path `tls.key`")));
    assert!(told_about(cluster(&json!({"customTLSSecret": {}}))).iter().any(|line| line.contains("needs the name")));
    for field in ["port", "patroni"] {
        let mut cluster = cluster(&json!({}));
        cluster["spec"][field] = if field == "port" { json!(9187) } else { json!({"port": 9187}) };
        assert!(told_about(cluster).iter().any(|line| line.contains("the exporter uses port 9187")), "{field}");
    }
    let mut options = options();
    options.images.insert("RELATED_IMAGE_PGEXPORTER".to_owned(), "Not/A/Name".to_owned());
    let text = cluster(&json!({})).to_string();
    let documents = read::documents("input.yaml", &text).unwrap();
    let rendered = render(&documents, &options, Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()));
    let fault =
        "spec.monitoring.pgmonitor.exporter.image: `Not/A/Name`, which `RELATED_IMAGE_PGEXPORTER` is set to, is not";
    assert!(rendered.diagnostics.iter().any(|line| line.to_string().contains(fault)), "{:?}", rendered.diagnostics);

    let mut cluster = cluster(&json!({}));
    cluster["spec"]["instances"][0]["containers"] = json!([{"name": "exporter", "image": "other"}]);
    assert!(told_about(cluster).iter().any(|line| line.contains("`exporter` is already the name of a container")));
}

/// An old and a new `postgres_exporter`, as `tools/install.sh` calls them.
const EXPORTERS: [&str; 2] = ["postgres_exporter-trixie", "postgres_exporter-bookworm"];

/// The container on this machine, without Postgres: `postgres_exporter` then serves `pg_up 0`.
struct Exporter {
    directory: tempfile::TempDir,
    port: u16,
    _running: Running,
}

impl Exporter {
    /// Starts it as an image would that has this program as `postgres_exporter`.
    fn start(cluster: &Value, shell: &[&str], exporter: &str) -> Option<Self> {
        Self::start_on("127.0.0.1:1/postgres", &[], cluster, shell, exporter)
    }

    /// The same with a server and files of queries, and with a password if there are any.
    fn start_on(server: &str, files: &[(&str, &str)], cluster: &Value, shell: &[&str], exporter: &str) -> Option<Self> {
        let exporter = program(exporter)?;
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
        for name in ["conf", "tmp"] {
            fs::create_dir(directory.path().join(name)).expect("a directory");
            fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(0o777)).expect("permissions");
        }
        for (name, text) in files {
            fs::write(directory.path().join("conf").join(name), text).expect("a file");
            fs::write(directory.path().join("password"), "geheim").expect("a file");
        }
        fs::create_dir(directory.path().join("bin")).expect("a directory");
        symlink(exporter, directory.path().join("bin/postgres_exporter")).expect("a link");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
        let here = |path: &str| directory.path().join(path).to_string_lossy().into_owned();
        let words = container(&pod(cluster))["command"].as_array().unwrap().clone();
        let words = words.iter().map(|word| {
            let word = word.as_str().unwrap();
            match word {
                "/conf" => here("conf"),
                "/opt/crunchy/password" => here("password"),
                "9187" => port.to_string(),
                script => script.replace("/tmp/queries.yml", &here("tmp/queries.yml")),
            }
        });
        let words: Vec<String> = shell.iter().map(|word| (*word).to_owned()).chain(words.skip(1)).collect();
        let mut command = unprivileged("/usr/bin/env");
        command.env("PATH", format!("{}:/usr/bin:/bin", here("bin")));
        command.env("DATA_SOURCE_URI", server).env("DATA_SOURCE_USER", "ccp_monitoring");
        command.env("DATA_SOURCE_PASS_FILE", here("password")).args(words);
        let running = start(&mut command, &directory.path().join("log"));
        Some(Self { directory, port, _running: running })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn waits_for(&self, text: &str) {
        wait_for(&self.path("log"), text);
    }

    /// Returns the metrics, as soon as they contain `text`.
    fn metrics(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let metrics = self.get().unwrap_or_default();
            if metrics.contains(text) {
                return metrics;
            }
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "there is no {text}: {metrics}\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn get(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Returns the processes of `postgres_exporter` that listen on this port.
    fn processes(&self) -> Vec<String> {
        let argument = format!("--web.listen-address=:{}", self.port);
        let is_ours = |path: &Path| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).collect();
            words.first().is_some_and(|word| word.ends_with(b"/postgres_exporter"))
                && words.contains(&argument.as_bytes())
        };
        let all = fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
        all.filter(|path| is_ours(path)).map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn the_script_follows_its_files_and_never_ends() {
    for shell in [&["dash"] as &[&str], &["bash"], &["busybox", "sh"]] {
        if program(shell[0]).is_none() {
            continue;
        }
        let Some(exporter) = Exporter::start(&cluster(&json!({})), shell, EXPORTERS[0]) else { return };
        exporter.waits_for("waiting for the password");
        fs::write(exporter.path("password"), "one").expect("a file");
        assert!(exporter.metrics("pg_up 0").contains("pg_exporter_last_scrape_error"));

        // A file that is not right is only logged.
        fs::write(exporter.path("conf/queries.yml"), "[").expect("a file");
        exporter.waits_for("the mounted files have changed");
        exporter.metrics("pg_up 0");

        let before = exporter.processes();
        assert_eq!(before.len(), 1, "{before:?}");
        unprivileged("kill").args(["-KILL", &before[0]]).status().expect("a kill");
        exporter.waits_for("postgres_exporter ended with code");
        exporter.metrics("pg_up 0");
        assert_ne!(exporter.processes(), before);
    }
}

/// The default queries measure the sizes of databases, but not in each scrape.
#[test]
fn the_exporter_itself_does_not_measure_the_sizes_of_databases() {
    for version in EXPORTERS {
        let Some(exporter) = Exporter::start(&cluster(&json!({})), &["dash"], version) else { return };
        fs::write(exporter.path("password"), "one").expect("a file");
        assert!(exporter.metrics("pg_up 0").contains("pg_exporter_"), "{version}");
        let process = exporter.processes().remove(0);
        let line = fs::read_to_string(Path::new("/proc").join(process).join("cmdline")).expect("a process");
        assert_eq!(line.matches("--no-collector.database").count(), 1, "{version}: {line}");
    }
}

#[test]
fn a_password_that_the_exporter_changes_is_said() {
    for shell in [&["dash"] as &[&str], &["bash"], &["busybox", "sh"]] {
        if program(shell[0]).is_none() {
            continue;
        }
        let Some(exporter) = Exporter::start(&cluster(&json!({})), shell, EXPORTERS[0]) else { return };
        for (password, fault) in [
            ("hu'\"$sh", "started"),
            ("hush\n", "begins or ends with white space"),
            ("hush hush", "contains a space"),
            ("\thush", "begins or ends with white space"),
        ] {
            fs::write(exporter.path("log"), "").expect("a file");
            fs::write(exporter.path("password"), password).expect("a file");
            exporter.waits_for(fault);
            let starts = fault != "contains a space";
            if starts {
                exporter.waits_for("started ");
                exporter.metrics("pg_up 0");
            }
            let log = fs::read_to_string(exporter.path("log")).expect("a file");
            assert_eq!(log.matches("white space").count(), usize::from(fault.contains("white")), "{shell:?}: {log}");
            assert!(!log.contains("hush") && (starts || exporter.processes().is_empty()), "{shell:?}: {log}");
        }
    }
}

#[test]
fn the_collectors_of_the_exporter_can_be_off() {
    let mut cluster = cluster(&json!({}));
    cluster["metadata"]["annotations"] =
        json!({"postgres-operator.crunchydata.com/postgres-exporter-collectors": "None"});
    for version in EXPORTERS {
        let Some(exporter) = Exporter::start(&cluster, &["dash"], version) else { return };
        fs::write(exporter.path("password"), "one").expect("a file");
        let metrics = exporter.metrics("process_cpu_seconds_total");
        let theirs = metrics.lines().filter(|line| line.starts_with("pg_") && !line.starts_with("pg_exporter_"));
        assert_eq!(
            theirs.filter(|line| !line.starts_with("pg_up ")).collect::<Vec<_>>(),
            Vec::<&str>::new(),
            "{version}"
        );
        let process = exporter.processes().remove(0);
        let line = fs::read_to_string(Path::new("/proc").join(process).join("cmdline")).expect("a process");
        assert!(line.contains("--disable-default-metrics") && line.contains("--no-collector."), "{line}");
    }
}
