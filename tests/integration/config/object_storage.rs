//! Passes configuration for object storage to pgBackRest: that of docs/object-storage.md, with a server that refuses each
//! connection, and that of clusters whose repository is on a server of each protocol on this machine. The servers are
//! `versitygw`, `fake-gcs-server` and `azurite-blob`, which take minutes to install, so `make object-storage` runs these tests.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::pgbackrest::configuration::instance_conf;
use pgrender::postgres_cluster::pgbackrest::model::{Backups, Repository, Storage};
use pgrender::postgres_cluster::restore::configuration::source_conf;
use pgrender::postgres_cluster::restore::model::{DataSource, Source};
use pgrender::read;
use serde_json::{Value, json};

use crate::common::processes::{Running, start};
use crate::common::rendering::objects;
use crate::common::tools::{give_to_unprivileged, program, run, success, unprivileged};
use crate::config::startup::Pod;

/// The directory with all files of pgBackRest in a pod.
const CONF_D: &str = "/etc/pgbackrest/conf.d";

/// Returns the blocks of a language on the page, in their order, each with the number of its first line.
fn blocks(language: &str) -> Vec<(usize, String)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/object-storage.md");
    let text = fs::read_to_string(page).expect("a page");
    let mut lines = text.lines().enumerate();
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            found.push((number, block.join("\n") + "\n"));
        }
    }
    found
}

/// Returns a cluster with the spec of a block.
fn cluster(block: &str) -> Value {
    let read = read::documents("block.yaml", block).expect("YAML")[0].node.to_json();
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "postgres"},
        "spec": {"postgresVersion": 17, "image": "i", "instances": [{"dataVolumeClaimSpec": claim}]},
    });
    cluster["spec"].as_object_mut().expect("a spec").extend(read["spec"].as_object().expect("a spec").clone());
    cluster["spec"]["backups"]["pgbackrest"]["image"] = json!("i");
    cluster
}

/// A key file of a Google service account. Its server refuses each connection.
fn gcs_key() -> String {
    let key =
        success(Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]));
    json!({"client_email": "a@b", "private_key": key, "token_uri": "https://127.0.0.1:1/token"}).to_string()
}

#[test]
fn pgbackrest_accepts_the_configuration_of_the_page() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let (clusters, files) = (blocks("yaml"), blocks("ini"));
    assert!(clusters.len() >= 6 && files.len() >= 3, "{} and {}", clusters.len(), files.len());
    for (line, block) in clusters {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path();
        let here = format!("{}/", place.display());
        let objects = objects(&cluster(&block).to_string()).unwrap_or_else(|errors| panic!("line {line}: {errors:?}"));
        let data = |name: &str, key: &str| {
            let named = |object: &&Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == name;
            let text = objects.iter().find(named)?["data"][key].as_str()?;
            Some(text.replace(&format!("{CONF_D}/"), &here))
        };
        // As on the page: keys for the storage of this block, and the password if it is encrypted.
        let conf = data("hippo-pgbackrest-config", "pgbackrest_instance.conf").expect("a configuration");
        for (_, file) in &files {
            let needed = ["s3", "azure", "cipher"].iter().any(|word| {
                file.contains(&format!("repo1-{word}-"))
                    && (conf.contains(&format!("repo1-type = {word}")) || conf.contains(&format!("repo1-{word}-")))
                    && !conf.contains("web-id")
            });
            if needed {
                let name = format!("file-{}.conf", file.len());
                fs::write(place.join(name), file).expect("a file");
            }
        }
        fs::write(place.join("gcs-key.json"), gcs_key()).expect("a file");
        let authority =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a"];
        success(
            Command::new("openssl")
                .args(authority)
                .arg("-out")
                .arg(place.join("ca.crt"))
                .arg("-keyout")
                .arg("/dev/null"),
        );
        let source = data("hippo-config", "pgbackrest_source.conf");
        for text in [Some(conf), source].into_iter().flatten() {
            fs::write(place.join("rendered.conf"), &text).expect("a file");
            let mut command = Command::new(&pgbackrest);
            command.args(["--config=/dev/null", "--stanza=db", "--repo=1", "--io-timeout=0.2", "--log-level-file=off"]);
            command.arg(format!("--config-include-path={here}"));
            command.env("PGBACKREST_REPO1_STORAGE_HOST", "127.0.0.1").env("PGBACKREST_REPO1_STORAGE_PORT", "1");
            command.env("AWS_ROLE_ARN", "arn").env("AWS_WEB_IDENTITY_TOKEN_FILE", place.join("ca.crt"));
            let output = run(command.arg("repo-ls"));
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            let is_refused = said.contains("[049]: unable to connect to") || said.contains("unable to get address for");
            assert!(is_refused && !said.contains("WARN"), "line {line}: {said}\n{text}");
        }
    }
}

/// A server with one bucket, and what a spec needs to use it.
struct Server {
    _running: Running,
    storage: Storage,
    global: Vec<(&'static str, String)>,
    /// The file of the user with the key.
    secret: &'static str,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// Creates `ca.crt`, and a certificate of it for `localhost`.
fn certificates(place: &Path) {
    let script = "curve='-pkeyopt ec_paramgen_curve:P-256'
        openssl req -x509 -newkey ec $curve -nodes -days 2 -subj '/CN=CA' -keyout ca.key -out ca.crt
        openssl req -newkey ec $curve -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout tls.key -out tls.csr
        openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -copy_extensions copy -days 2 -out tls.crt";
    success(Command::new("bash").args(["-ceu", script]).current_dir(place));
}

/// Starts a server in `place` after `arguments` have been added, and waits until it listens.
fn serve(name: &str, place: &Path, port: u16, arguments: impl FnOnce(&mut Command)) -> Option<Running> {
    let mut command = Command::new(program(name)?);
    arguments(command.current_dir(place));
    let running = start(&mut command, &place.join("server.log"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = fs::read_to_string(place.join("server.log")).expect("a log");
        assert!(Instant::now() < deadline, "{name} does not listen: {log}");
        std::thread::sleep(Duration::from_millis(200));
    }
    Some(running)
}

fn s3(place: &Path) -> Option<Server> {
    let port = free_port();
    for directory in ["objects/backups", "metadata"] {
        fs::create_dir_all(place.join(directory)).expect("a directory");
    }
    let absolute = |file: &str| place.join(file).display().to_string();
    let running = serve("versitygw", place, port, |command| {
        command.args(["--port", &format!("127.0.0.1:{port}"), "--region", "here"]);
        command.args(["--cert", &absolute("tls.crt"), "--key", &absolute("tls.key")]);
        command.args(["posix", "--sidecar", &absolute("metadata"), &absolute("objects")]);
        command.env("ROOT_ACCESS_KEY", "access").env("ROOT_SECRET_KEY", "secret");
    })?;
    let endpoint = format!("localhost:{port}");
    Some(Server {
        _running: running,
        storage: Storage::S3 { bucket: "backups".to_owned(), endpoint, region: "here".to_owned() },
        global: vec![("repo1-s3-uri-style", "path".to_owned())],
        secret: "repo1-s3-key=access\nrepo1-s3-key-secret=secret\n",
    })
}

fn gcs(place: &Path) -> Option<Server> {
    let port = free_port();
    let running = serve("fake-gcs-server", place, port, |command| {
        command.args(["-backend", "memory", "-scheme", "https", "-host", "127.0.0.1", "-port", &port.to_string()]);
        command.args(["-cert-location", "tls.crt", "-private-key-location", "tls.key"]);
        command.arg("-external-url").arg(format!("https://localhost:{port}"));
        command.arg("-public-host").arg(format!("localhost:{port}"));
    })?;
    Some(Server {
        _running: running,
        storage: Storage::Gcs { bucket: "backups".to_owned() },
        global: vec![("repo1-gcs-endpoint", format!("localhost:{port}")), ("repo1-gcs-key-type", "token".to_owned())],
        secret: "repo1-gcs-key=any\n",
    })
}

fn azure(place: &Path) -> Option<Server> {
    let port = free_port();
    let running = serve("azurite-blob", place, port, |command| {
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--location", "azurite"]);
        command.args(["--cert", "tls.crt", "--key", "tls.key", "--skipApiVersionCheck"]);
        command.env("AZURITE_ACCOUNTS", "hippo:dGhlIGtleQ==");
    })?;
    Some(Server {
        _running: running,
        storage: Storage::Azure { container: "backups".to_owned() },
        global: vec![
            ("repo1-azure-endpoint", "localhost".to_owned()),
            ("repo1-azure-uri-style", "path".to_owned()),
            ("repo1-storage-port", port.to_string()),
        ],
        secret: "repo1-azure-account=hippo\nrepo1-azure-key=dGhlIGtleQ==\n",
    })
}

/// An instance with a repository on one of these servers.
struct Instance {
    pod: Pod,
    pgbackrest: PathBuf,
}

impl Instance {
    /// Writes a rendered file, and the file with the key, into a directory.
    fn write(&self, directory: &str, rendered: &str, server: &Server) {
        let place = self.pod.path(directory);
        fs::create_dir_all(&place).expect("a directory");
        let root = self.pod.root.path().display();
        let mut text = rendered.replace(CONF_D, &place.display().to_string());
        for (theirs, ours) in [("/pgdata/", "pgdata/"), ("/tmp/postgres", "tmp")] {
            text = text.replace(theirs, &format!("{root}/{ours}"));
        }
        fs::write(place.join("rendered.conf"), text).expect("a file");
        fs::write(place.join("key.conf"), format!("[global]\n{}lock-path={root}/tmp/lock\n", server.secret))
            .expect("a file");
        fs::copy(self.pod.path("server/ca.crt"), place.join("ca.crt")).expect("a copy");
    }

    /// Returns pgBackRest with the configuration in a directory.
    fn pgbackrest(&self, directory: &str) -> Vec<String> {
        let include = format!("--config-include-path={}", self.pod.path(directory).display());
        vec![self.pgbackrest.display().to_string(), "--config=/dev/null".to_owned(), include, "--stanza=db".to_owned()]
    }

    fn run(&self, directory: &str, arguments: &[&str]) -> String {
        let mut command = unprivileged("/usr/bin/env");
        success(command.args(self.pgbackrest(directory)).args(["--log-level-file=off"]).args(arguments))
    }

    /// Starts Postgres, which archives with pgBackRest unless `restored`.
    fn start(&self, data: &Path, restored: bool) -> Running {
        let log = self.pod.path(if restored { "tmp/restored.log" } else { "tmp/server.log" });
        let mut command = unprivileged(self.pod.programs.join("postgres"));
        command.arg("-D").arg(data).args(["-c", "listen_addresses="]);
        command.arg("-c").arg(format!("unix_socket_directories={}", self.pod.path("tmp").display()));
        if !restored {
            let archive = format!("archive_command={} archive-push %p", self.pgbackrest("conf.d").join(" "));
            command.args(["-c", "archive_mode=on", "-c", "wal_level=replica", "-c", &archive]);
        }
        let running = start(&mut command, &log).ended_with("QUIT");
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.ask("SELECT NOT pg_is_in_recovery()").as_deref() != Some("t") {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(&log).expect("a log"));
            std::thread::sleep(Duration::from_millis(200));
        }
        running
    }

    /// Returns the answer of Postgres, or `None` if there is an error.
    fn ask(&self, sql: &str) -> Option<String> {
        let mut psql = unprivileged(self.pod.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname=postgres", "--command", sql]);
        let output = run(psql.arg("--host").arg(self.pod.path("tmp")));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Creates the stanza, archives, backs up, and restores from the repository as a data source.
fn back_up_and_restore(server: impl FnOnce(&Path) -> Option<Server>) {
    let (Some(mut pod), Some(pgbackrest)) = (Pod::new(), program("pgbackrest")) else { return };
    let place = pod.path("server");
    fs::create_dir_all(&place).expect("a directory");
    certificates(&place);
    let Some(server) = server(&place) else { return };
    let repository = Repository { index: 1, storage: server.storage.clone(), schedules: Vec::new() };
    let mut global: std::collections::BTreeMap<String, String> =
        server.global.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    global.insert("repo1-storage-ca-file".to_owned(), format!("{CONF_D}/ca.crt"));
    global.insert("repo1-path".to_owned(), "/hippo".to_owned());
    global.insert("archive-async".to_owned(), "n".to_owned());
    let backups = pod.cluster.backups.take().expect("backups");
    let backups = Backups { repositories: vec![repository.clone()], global: global.clone(), ..backups };
    pod.cluster = Cluster { backups: Some(backups.clone()), ..pod.cluster };
    pod.use_wal_volume(false);
    pod.initialize();
    let instance = Instance { pod, pgbackrest };
    let cluster = &instance.pod.cluster;
    instance.write("conf.d", &instance_conf(cluster, &backups), &server);
    let from = Source::ObjectStorage { repository: Box::new(repository), global, configuration: Vec::new() };
    let source = DataSource { from, repository: 1, stanza: "db".to_owned(), options: Vec::new() };
    instance.write("source", &source_conf(&source).expect("a configuration"), &server);
    for directory in ["pgdata/pgbackrest/log", "pgdata/pgbackrest-spool", "tmp/lock"] {
        fs::create_dir_all(instance.pod.path(directory)).expect("a directory");
    }
    give_to_unprivileged(instance.pod.root.path());

    // Only pgBackRest's `repo-create`, which is for its own tests, creates a bucket.
    if !matches!(server.storage, Storage::S3 { .. }) {
        let mut create = unprivileged("/usr/bin/env");
        let words = instance.pgbackrest("source").into_iter().filter(|word| !word.starts_with("--stanza"));
        success(create.args(words).args(["--repo=1", "repo-create"]));
    }
    let running = instance.start(&instance.pod.data(), false);
    instance.run("conf.d", &["stanza-create"]);
    instance.run("conf.d", &["--type=full", "--repo=1", "backup"]);
    instance.ask("CREATE TABLE animals AS SELECT 'hippo' AS name").expect("a table");
    instance.run("conf.d", &["--type=incr", "--repo=1", "backup"]);
    instance.ask("INSERT INTO animals VALUES ('rhino')").expect("a row");
    instance.run("conf.d", &["check"]);
    let info: Value = serde_json::from_str(&instance.run("conf.d", &["--output=json", "info"])).expect("JSON");
    let kinds: Vec<_> = info[0]["backup"].as_array().expect("backups").iter().map(|backup| &backup["type"]).collect();
    assert_eq!(kinds, ["full", "incr"]);
    drop(running);

    let restored = instance.pod.path("pgdata/restored");
    let wal = instance.pod.path("pgdata/restored_wal");
    let words = [format!("--pg1-path={}", restored.display()), format!("--link-map=pg_wal={}", wal.display())];
    instance.run("source", &[&words[0], &words[1], "--repo=1", "restore"]);
    let _running = instance.start(&restored, true);
    let rows = instance.ask("SELECT string_agg(name, ' ' ORDER BY name) FROM animals");
    assert_eq!(rows.as_deref(), Some("hippo rhino"));
}

#[test]
#[ignore = "`make object-storage` installs the server"]
fn backups_go_to_s3_and_back() {
    back_up_and_restore(s3);
}

#[test]
#[ignore = "`make object-storage` installs the server"]
fn backups_go_to_google_cloud_storage_and_back() {
    back_up_and_restore(gcs);
}

#[test]
#[ignore = "`make object-storage` installs the server"]
fn backups_go_to_azure_and_back() {
    back_up_and_restore(azure);
}
