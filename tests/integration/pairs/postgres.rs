//! Tests Postgres with the rules and the map of the rendered `patroni.yaml`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgrender::read;

use crate::common::processes::{Running, start, wait_for};
use crate::common::tools::{give_to_unprivileged, program, run, success, unprivileged};
use crate::pairs::certificates::{Company, Leaf, Rendered, private};
use crate::pairs::compare;

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns the directories of the servers on this machine.
pub(crate) fn servers() -> Vec<PathBuf> {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/postgresql-17/bin");
    let system =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path().join("bin"));
    let found: Vec<PathBuf> = system.chain([cache]).filter(|bin| bin.join("initdb").is_file()).collect();
    if found.is_empty() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no PostgreSQL server, and CI=true");
        println!("skipped: no PostgreSQL server on this machine");
    }
    found
}

/// A server with the roles of a cluster.
pub(crate) struct Postgres {
    bin: PathBuf,
    root: PathBuf,
    pub(crate) port: u16,
    _running: Running,
}

impl Postgres {
    pub(crate) fn start(company: &Company, bin: &Path) -> Self {
        let root = company.directory.path().join(format!("postgres-{}", free_port()));
        let port = free_port();
        private(&root.join("tls.crt"), &company.alpha.secret("alpha-cluster-cert", "tls.crt"));
        private(&root.join("tls.key"), &company.alpha.secret("alpha-cluster-cert", "tls.key"));
        private(&root.join("ca.crt"), &company.authorities());
        give_to_unprivileged(&root);
        let data = root.join("data");
        let options = ["--username=postgres", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"];
        success(unprivileged(bin.join("initdb")).args(options).arg("--pgdata").arg(&data));
        let place = root.display();
        let conf = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{place}'\nfsync = off\nssl = on\n\
             ssl_ca_file = '{place}/ca.crt'\nssl_cert_file = '{place}/tls.crt'\nssl_key_file = '{place}/tls.key'\n"
        );
        fs::write(data.join("postgresql.auto.conf"), conf).unwrap();
        let log = root.join("log");
        let running = start(unprivileged(bin.join("postgres")).arg("-D").arg(&data), &log).ended_with("QUIT");
        wait_for(&log, "ready to accept connections");
        let server = Self { bin: bin.to_owned(), root, port, _running: running };
        let verifier = pgrender::identity::scram::verifier("geheim", b"sixteen bytes ok");
        let bouncer = company.alpha.secret("alpha-pgbouncer", "pgbouncer-verifier");
        // The roles are created like Patroni (`post_bootstrap`) and the caretaker do.
        server.sql(&format!(
            "CREATE ROLE _crunchyrepl LOGIN REPLICATION; CREATE ROLE _crunchypgbouncer LOGIN PASSWORD '{bouncer}'; \
             CREATE ROLE alpha LOGIN PASSWORD '{}'; GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO _crunchyrepl;",
            *verifier
        ));
        server.sql("CREATE DATABASE alpha OWNER alpha");
        server
    }

    /// Applies the rules and the map of a cluster.
    pub(crate) fn configure(&self, cluster: &Rendered, name: &str) {
        let text = cluster.file(&format!("{name}-config"), "patroni.yaml");
        let configuration = read::documents("patroni.yaml", &text).unwrap()[0].node.to_json();
        let section = &configuration["bootstrap"]["dcs"]["postgresql"];
        let lines = |key: &str| {
            let lines = section[key].as_array().unwrap_or_else(|| panic!("no {key}")).iter();
            lines.map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut rules = lines("pg_hba");
        assert_eq!(rules[0], r#"local all "postgres" "peer""#);
        // The user of this machine has another name.
        "local all all trust".clone_into(&mut rules[0]);
        for (file, lines) in [("pg_hba.conf", rules), ("pg_ident.conf", lines("pg_ident"))] {
            fs::write(self.root.join("data").join(file), lines.join("\n") + "\n").unwrap();
        }
        assert_eq!(self.sql("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL"), "");
        let views = "SELECT to_regclass('pg_ident_file_mappings') IS NOT NULL";
        if self.sql(views) == "t" {
            assert_eq!(self.sql("SELECT error FROM pg_ident_file_mappings WHERE error IS NOT NULL"), "");
        }
        self.sql("SELECT pg_reload_conf()");
        // The postmaster reloads them asynchronously.
        std::thread::sleep(std::time::Duration::from_millis(500));
    }

    fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    /// Runs SQL as the superuser in a database and returns the result.
    pub(crate) fn sql_in(&self, database: &str, sql: &str) -> String {
        let mut psql = unprivileged(self.bin.join("psql"));
        psql.args(["-qXAt", "--username=postgres", "--dbname", database, "--set=ON_ERROR_STOP=1", "--command", sql]);
        success(psql.arg("--host").arg(&self.root).arg(format!("--port={}", self.port))).trim_end().to_owned()
    }

    /// Returns libpq's parameters for a connection with a certificate.
    fn connection(&self, leaf: &Leaf, more: &str) -> String {
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} sslmode=require sslcert='{}' sslkey='{}' {more}",
            self.port,
            leaf.certificate.display(),
            leaf.key.display()
        )
    }

    fn login(&self, leaf: &Leaf, more: &str, sql: &str) -> Result<(), String> {
        answer(Command::new(self.bin.join("psql")).args([
            "-qXAtw",
            "--command",
            sql,
            "--dbname",
            &self.connection(leaf, more),
        ]))
    }
}

/// Returns why a program fails, if it does.
pub(crate) fn answer(command: &mut Command) -> Result<(), String> {
    let output = run(command);
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

/// What `_crunchyrepl` can do: replicate, and read files for pg_rewind.
const REPLICATE: (&str, &str) = ("user=_crunchyrepl dbname=postgres replication=true", "IDENTIFY_SYSTEM");
const REWIND: (&str, &str) =
    ("user=_crunchyrepl dbname=postgres", "SELECT pg_catalog.pg_read_binary_file('PG_VERSION')");

/// Connections that no certificate can open: these roles need a password, and the superuser uses the socket.
const SHUT: [&str; 7] = [
    "user=_crunchyrepl dbname=alpha",
    "user=_crunchyrepl dbname=template1",
    "user=postgres dbname=postgres",
    "user=postgres dbname=postgres replication=true",
    "user=alpha dbname=alpha",
    "user=_crunchypgbouncer dbname=alpha",
    "user=_crunchypgbouncer dbname=postgres",
];

#[test]
fn postgres_is_replicated_by_whoever_the_map_names() {
    if program("openssl").is_none() {
        return;
    }
    let company = Company::new();
    let own = "alpha-replication-cert tls.crt";
    let shared = ["delta-replication-cert tls.crt", "issued _crunchyrepl"];
    let mut doors = 0;
    for bin in servers() {
        let server = Postgres::start(&company, &bin);
        for (name, cluster, whose, table) in [
            ("alpha", &company.alpha, "alpha", vec![own, "issued _crunchyrepl@zoo/alpha"]),
            (
                "alpha with standby clusters",
                &company.source,
                "alpha",
                [&[own, "issued _crunchyrepl@zoo/alpha"], &shared[..]].concat(),
            ),
            // Replicas of the standby cluster present the same certificate that it presents to alpha.
            ("the standby cluster", &company.standby, "delta", shared.to_vec()),
            // The user provides the CA there, so only the name counts.
            ("alpha with certificates of its own", &company.bringing, "alpha", shared.to_vec()),
        ] {
            server.configure(cluster, whose);
            for (what, sql) in [REPLICATE, REWIND] {
                let door = format!("{}: {name}, {what}", bin.display());
                compare(&door, &company.leaves, &table, |leaf| server.login(leaf, what, sql));
                doors += 1;
            }
        }
        server.configure(&company.alpha, "alpha");
        for what in SHUT {
            let sql = if what.contains("replication") { "IDENTIFY_SYSTEM" } else { "SELECT 1" };
            compare(&format!("{}: {what}", bin.display()), &company.leaves, &[], |leaf| server.login(leaf, what, sql));
        }
        // The password alone is enough, so the failure was caused by the certificate.
        let leaf = company.leaves.iter().find(|leaf| leaf.name == own).unwrap();
        assert_eq!(server.login(leaf, "user=alpha dbname=alpha password=geheim", "SELECT 1"), Ok(()));

        // pgBouncer's role can log in only to `postgres`, where other roles have no functions.
        let password = company.alpha.secret("alpha-pgbouncer", "pgbouncer-password");
        for database in server.sql("SELECT datname FROM pg_database WHERE datallowconn").lines() {
            let login = |more: &str| {
                let who = format!("user=_crunchypgbouncer dbname={database} password='{password}' {more}");
                server.login(leaf, &who, "SELECT 1")
            };
            assert_eq!(login("").is_ok(), database == "postgres", "{database}: {:?}", login(""));
            assert!(login("sslmode=disable").is_err_and(|why| why.contains("rejects")), "{database}");
            let refused = login("").err().is_none_or(|why| why.contains("pg_hba.conf rejects"));
            assert!(refused, "{database}: {:?}", login(""));
        }

        // A complete replica, created as Patroni does.
        let copy = company.directory.path().join(format!("copy-{doors}"));
        let mut copying = Command::new(bin.join("pg_basebackup"));
        copying.args(["--checkpoint=fast", "--wal-method=stream", "--no-password", "--pgdata"]).arg(copy);
        assert_eq!(answer(copying.args(["--dbname", &server.connection(leaf, REPLICATE.0)])), Ok(()));
    }
    println!("{doors} doors, {} certificates", company.leaves.len());
}
