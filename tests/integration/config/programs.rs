//! Passes generated configuration to the programs that read it. Only locations are changed: directories, host names and ports
//! of pods are replaced with those of this machine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgrender::identity::Seed;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::exporter::model::Exporter;
use pgrender::postgres_cluster::{patroni, pgbackrest, pgbouncer, postgres};
use pgrender::read;
use pgrender::render::render;
use serde_json::json;
use tempfile::TempDir;

use crate::common::fixtures::fixtures;
use crate::common::processes::{Running, start, wait_for};
use crate::common::rendering::{SEED, options};
use crate::common::tools::{
    give_to_unprivileged, pgbouncer as pgbouncer_program, postgres_server, program, run, success, unprivileged,
};
use crate::config::clusters::{hba_line, hippo, rich};

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, text).expect("a file");
}

/// Creates a self-signed certificate for `localhost` with this subject: `ca.crt`, `tls.crt`, `tls.key`.
fn certificate(directory: &Path, subject: &str) {
    fs::create_dir_all(directory).expect("a directory");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-subj", &format!("/CN={}", subject.replace('/', "\\/"))]);
    openssl.arg("-keyout").arg(directory.join("tls.key")).arg("-out").arg(directory.join("tls.crt"));
    success(&mut openssl);
    fs::copy(directory.join("tls.crt"), directory.join("ca.crt")).expect("a copy");
}

#[test]
fn patroni_accepts_its_configuration() {
    let (Some(patroni), Some((postgres, _))) = (program("patroni"), postgres_server()) else { return };
    for cluster in [hippo(), rich()] {
        for set in &cluster.instance_sets {
            let directory = tempfile::tempdir().expect("a directory");
            write(&directory.path().join("etc/1.yaml"), &patroni::configuration::cluster_yaml(&cluster));
            write(&directory.path().join("etc/2.yaml"), &patroni::configuration::instance_set_yaml(&cluster, set));
            write(&directory.path().join("etc/3.yaml"), &patroni::configuration::authentication_yaml("secret"));
            write(&directory.path().join("etc/4.yaml"), &patroni::configuration::rules_yaml(&cluster));
            let mut validate = Command::new(&patroni);
            validate.args(["--validate-config", "--ignore-listen-port"]).arg(directory.path().join("etc"));
            // The environment variables of the pod.
            validate
                .env("PATRONI_NAME", cluster.instance(set, 0))
                .env("PATRONI_KUBERNETES_POD_IP", "127.0.0.1")
                .env("PATRONI_POSTGRESQL_BIN_DIR", &postgres)
                .env("PATRONI_POSTGRESQL_CONNECT_ADDRESS", "instance.test:5432")
                .env("PATRONI_POSTGRESQL_DATA_DIR", directory.path().join("data"))
                .env("PATRONI_POSTGRESQL_LISTEN", "*:5432")
                .env("PATRONI_RESTAPI_CONNECT_ADDRESS", "instance.test:8008")
                .env("PATRONI_RESTAPI_LISTEN", "*:8008");
            let output = run(&mut validate);
            let output = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            // This is intended: Patroni connects over the socket, as the operating system user that it runs as.
            assert_eq!(output.trim(), "postgresql.authentication.superuser  is not defined.");
        }
    }
}

/// A pgBouncer with the configuration of a cluster and this file of the user, on this machine.
struct Bouncer {
    directory: TempDir,
    port: u16,
    _running: Running,
}

impl Bouncer {
    fn start(program: &Path, cluster: &Cluster, users_file: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        certificate(&path("~postgres-operator"), "localhost");
        for (from, to) in [
            ("tls.key", "frontend-tls.key"),
            ("tls.crt", "frontend-tls.crt"),
            ("ca.crt", "frontend-ca.crt"),
            ("ca.crt", "backend-ca.crt"),
        ] {
            fs::copy(path("~postgres-operator").join(from), path("~postgres-operator").join(to)).expect("a copy");
        }
        write(&path("~postgres-operator/users.txt"), "\"_crunchypgbouncer\" \"secret\"\n");
        write(&path("pgbouncer.ini"), users_file);
        let port = free_port();
        let mut settings = cluster.pgbouncer.clone().expect("a proxy");
        settings.port = port;
        let ini = pgbouncer::configuration::ini(cluster, &settings);
        let ini = ini.replace("/etc/pgbouncer/", &format!("{}/", directory.path().display()));
        write(&path("~postgres-operator.ini"), &ini.replace("listen_addr = *", "listen_addr = 127.0.0.1"));
        give_to_unprivileged(directory.path());

        let log = path("pgbouncer.log");
        let running = start(unprivileged(program).arg(path("~postgres-operator.ini")), &log);
        wait_for(&log, "process up");
        Self { directory, port, _running: running }
    }

    /// What pgBouncer's own role gets in the admin console, over a connection that the caretaker would accept.
    fn says(&self, psql: &Path, command: &str) -> String {
        let authority = self.directory.path().join("~postgres-operator/frontend-ca.crt");
        let target = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=pgbouncer user=_crunchypgbouncer password=secret \
             sslmode=verify-full sslrootcert='{}'",
            self.port,
            authority.display()
        );
        let output = run(Command::new(psql).args(["-XAtw", "--dbname", &target, "--command", command]));
        (String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr)).into_owned()
    }
}

#[test]
fn pgbouncer_starts_with_its_configuration() {
    let Some(program) = pgbouncer_program() else { return };
    for cluster in [hippo(), rich()] {
        let bouncer = Bouncer::start(&program, &cluster, "");
        let log = fs::read_to_string(bouncer.directory.path().join("pgbouncer.log")).expect("a log");
        assert!(log.contains(&format!("listening on 127.0.0.1:{}", bouncer.port)), "{log}");
        assert!(!["ERROR", "WARNING", "FATAL"].iter().any(|level| log.contains(level)), "{log}");
    }
}

/// The commands of the admin console that change something (pgbouncer.org/usage.html, "Process controlling commands").
const ADMINISTRATIVE: [&str; 11] = [
    "PAUSE",
    "DISABLE hippo",
    "ENABLE hippo",
    "KILL hippo",
    "KILL_CLIENT 1",
    "SUSPEND",
    "RESUME",
    "RECONNECT",
    "RELOAD",
    "SET max_client_conn = 1",
    "SHUTDOWN",
];

#[test]
fn the_role_of_pgbouncer_may_only_look_at_statistics_and_only_for_an_exporter() {
    let (Some(program), Some((programs, _))) = (pgbouncer_program(), postgres_server()) else { return };
    let psql = programs.join("psql");
    let with_exporter = || Cluster { exporter: Some(Exporter::default()), ..hippo() };
    let mut with_list = with_exporter();
    let global = &mut with_list.pgbouncer.as_mut().expect("a proxy").global;
    global.insert("stats_users".to_owned(), "alice,bob".to_owned());
    // pgBouncer resets all settings at the beginning of a section, so those in a file of the user have no effect.
    let theirs = "[pgbouncer]\nstats_users = carol\n";
    let cases = vec![
        (with_exporter(), "", Some("_crunchypgbouncer")),
        (with_exporter(), theirs, Some("_crunchypgbouncer")),
        (with_list.clone(), theirs, Some("alice, bob, _crunchypgbouncer")),
        (Cluster { exporter: None, ..with_list }, "", None),
        (hippo(), "", None),
    ];
    for (cluster, file, users) in cases {
        let bouncer = Bouncer::start(&program, &cluster, file);
        let Some(users) = users else {
            assert!(bouncer.says(&psql, "SHOW POOLS").contains("not allowed"), "{file}");
            continue;
        };
        let config = bouncer.says(&psql, "SHOW CONFIG");
        for line in [format!("stats_users|{users}||yes"), "admin_users|||yes".to_owned()] {
            assert!(config.lines().any(|there| there == line), "{line}: {config}");
        }
        for command in ["SHOW POOLS", "SHOW DATABASES", "SHOW LISTS", "SHOW STATS"] {
            assert!(!bouncer.says(&psql, command).contains("ERROR"), "{command}");
        }
        for command in ADMINISTRATIVE {
            assert_eq!(bouncer.says(&psql, command), "ERROR:  admin access needed\n", "{command}");
        }
        assert!(bouncer.says(&psql, "SHOW POOLS").contains("pgbouncer|pgbouncer|1|"), "it still runs");
    }
}

/// The test above shows that they have none.
#[test]
fn settings_in_a_file_of_the_user_earn_a_warning() {
    let (_, text) = fixtures().into_iter().find(|(name, _)| name == "pgbouncer").expect("a fixture");
    let mut cluster = read::documents("cluster.yaml", &text).expect("YAML")[0].node.to_json();
    let source = |path: &str| json!([{"configMap": {"name": "own", "items": [{"key": "a", "path": path}]}}]);
    for (path, warns) in [("pgbouncer.ini", true), ("other.ini", false)] {
        cluster["spec"]["proxy"]["pgBouncer"]["config"]["files"] = source(path);
        let documents = read::documents("cluster.yaml", &cluster.to_string()).expect("YAML");
        let seed = Seed::new(SEED.as_bytes()).expect("a seed");
        let told = render(&documents, &options(), Ok(&seed)).diagnostics;
        let about = told.iter().map(ToString::to_string).filter(|line| line.contains("config.files[0]"));
        assert_eq!(
            about.filter(|line| line.contains("have no effect")).count(),
            usize::from(warns),
            "{path}: {told:?}"
        );
    }
}

/// A Postgres that a repo host backs up, both on this machine.
struct BackedUp {
    root: PathBuf,
    programs: PathBuf,
    cluster: Cluster,
    tls_port: u16,
}

impl BackedUp {
    /// Returns a generated file with the locations of this machine.
    fn localized(&self, text: &str) -> String {
        let root = self.root.display();
        let mut text = text.to_owned();
        for (theirs, ours) in [
            ("/tmp/postgres", "socket"),
            ("/pgbackrest/repo1", "repo1"),
            ("/pgdata/", "pgdata/"),
            ("/pgconf/tls/", "tls/"),
            ("/etc/pgbackrest/conf.d/~postgres-operator/tls-ca.crt", "client/ca.crt"),
            ("/etc/pgbackrest/conf.d/~postgres-operator/client-tls.", "client/tls."),
            ("/etc/pgbackrest/server/server-tls.", "client/tls."),
        ] {
            text = text.replace(theirs, &format!("{root}/{ours}"));
        }
        let hosts = [
            self.cluster.pod_host(&format!("{}-0", self.cluster.repo_host())),
            self.cluster.pod_host(&self.cluster.instance(&self.cluster.instance_sets[0], 0)),
        ];
        hosts.iter().fold(text, |text, host| text.replace(host.as_str(), "localhost"))
    }

    fn write_pgbackrest_conf(&self, name: &str, text: &str, more: &str) -> PathBuf {
        let path = self.root.join(name);
        let global = format!("[global]\nlock-path = {}/{name}.lock\n{more}", self.root.display());
        write(&path, &self.localized(text).replacen("[global]\n", &global, 1));
        path
    }

    fn write_postgres_conf(&self) {
        let mut parameters = postgres::configuration::parameters(&self.cluster);
        // pgAudit may not be installed here.
        assert!(parameters.remove("shared_preload_libraries").is_some());
        let mut text = "listen_addresses = ''\n".to_owned();
        for (name, value) in parameters {
            text.extend([&name, " = '", &self.localized(&value).replace('\'', "''"), "'\n"]);
        }
        text.extend(["port = ", &self.cluster.port.to_string(), "\n"]);
        let data = self.root.join(format!("pgdata/pg{}", self.cluster.postgres_version));
        write(&data.join("postgresql.auto.conf"), &text);
        let mut rules = postgres::configuration::hba(&self.cluster);
        // The user of this machine has another name.
        "local all all trust".clone_into(&mut rules[0]);
        write(&data.join("pg_hba.conf"), &(rules.join("\n") + "\n"));
    }

    fn psql(&self, sql: &str) -> String {
        let mut psql = unprivileged(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname=postgres", "--command", sql]);
        success(psql.arg("--host").arg(self.root.join("socket")).arg(format!("--port={}", self.cluster.port)))
    }
}

#[test]
fn postgres_and_pgbackrest_run_with_their_configuration() {
    let (Some(pgbackrest), Some((programs, version))) = (program("pgbackrest"), postgres_server()) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut cluster =
        Cluster { postgres_version: version, port: free_port(), exporter: Some(Exporter::default()), ..hippo() };
    cluster.instance_sets[0].replicas = 1;
    cluster.postgres.hba_rules =
        vec![hba_line(version, "hostssl", &names(&["a\"b", "all"]), &names(&["/it's", "a,b c"]), "password")];
    let place = BackedUp { root: directory.path().to_owned(), programs, cluster, tls_port: free_port() };
    let (root, cluster) = (&place.root, &place.cluster);
    let backups = cluster.backups.as_ref().expect("backups");

    for directory in ["pgdata/logs/postgres", "pgdata/pgbackrest-spool", "pgdata/pgbackrest/log", "repo1/log", "socket"]
    {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    certificate(&root.join("tls"), "localhost");
    certificate(&root.join("client"), &cluster.pgbackrest_client_name());
    let port = place.tls_port;
    let instance_conf = place.write_pgbackrest_conf(
        "instance.conf",
        &pgbackrest::configuration::instance_conf(cluster, backups),
        &format!("repo1-host-port = {port}\nrepo1-host-config = {}/repo.conf\n", root.display()),
    );
    let repo_conf =
        place.write_pgbackrest_conf("repo.conf", &pgbackrest::configuration::repo_conf(cluster, backups), "");
    let stanza = format!("\n[db]\npg1-host-port = {port}\npg1-host-config = {}/instance.conf\n", root.display());
    let text = fs::read_to_string(&repo_conf).expect("a file").replace("\n[db]\n", &stanza);
    write(&repo_conf, &text);
    let server_conf = place.write_pgbackrest_conf(
        "server.conf",
        &pgbackrest::configuration::server_conf(cluster, backups),
        &format!("tls-server-port = {port}\n"),
    );
    give_to_unprivileged(root);
    let data = root.join(format!("pgdata/pg{version}"));
    success(unprivileged(place.programs.join("initdb")).arg("--pgdata").arg(&data));
    place.write_postgres_conf();
    give_to_unprivileged(root);

    let mut server = unprivileged(place.programs.join("postgres"));
    server.arg("-D").arg(&data).env("PGBACKREST_CONFIG", &instance_conf);
    // Immediately, because otherwise it would first wait for its archive.
    let _postgres = start(&mut server, &root.join("postgres.log")).ended_with("QUIT");
    wait_for(&root.join("postgres.log"), "ready to accept connections");
    let log = root.join("server.log");
    let _server = start(unprivileged(&pgbackrest).arg("server").arg("--config").arg(&server_conf), &log);
    wait_for(&log, "server");

    assert_eq!(place.psql("select error from pg_hba_file_rules where error is not null"), "");
    assert_eq!(
        place.psql("select count(*) from pg_hba_file_rules").trim(),
        (postgres::configuration::hba(cluster).len()).to_string()
    );
    let slash = if version < 16 { "/it's" } else { "/^[/]it[']s$" };
    assert_eq!(
        place.psql("select database, user_name from pg_hba_file_rules order by line_number desc limit 1").trim(),
        format!(r#"{{"a\"b",all}}|{{{slash},"a,b c"}}"#)
    );
    assert_eq!(place.psql("select name, setting from pg_file_settings where error is not null"), "");

    let run_pgbackrest = |conf: &Path, arguments: &[&str]| {
        let mut command = unprivileged(&pgbackrest);
        command.arg("--config").arg(conf).args(["--stanza=db", "--log-level-console=warn"]).args(arguments);
        let output = success(&mut command);
        assert!(!output.contains("WARN"), "{output}");
        output
    };
    run_pgbackrest(&instance_conf, &["stanza-create"]);
    run_pgbackrest(&instance_conf, &["check"]);
    run_pgbackrest(&repo_conf, &["--repo=1", "--type=full", "backup"]);
    assert!(run_pgbackrest(&instance_conf, &["info"]).contains("full backup: "));
}
