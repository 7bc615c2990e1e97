//! Tests how pgBouncer reads its file: its console shows what it has read.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use pgrender::diff::parameters::PGBOUNCER_RESTART;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::pgbouncer::configuration::{AUTH_DATABASE, ini, users};
use pgrender::postgres_cluster::pgbouncer::{setting_name, setting_value};
use serde_json::{Map, Value, json};

use crate::common::processes::{Running, start, wait_for};
use crate::common::tools::{self, give_to_unprivileged, program, success, unprivileged};
use crate::values::spec::{resolved, strings};

/// A pgBouncer with a socket in its own directory.
struct PgBouncer {
    directory: tempfile::TempDir,
    program: PathBuf,
    psql: PathBuf,
    port: u16,
    running: Option<Running>,
}

impl PgBouncer {
    fn new() -> Option<Self> {
        let (program, psql) = (tools::pgbouncer()?, program("psql")?);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("pgbouncer.ini"), "").unwrap();
        fs::write(directory.path().join("users.txt"), "").unwrap();
        Some(Self { directory, program, psql, port, running: None })
    }

    /// Returns a cluster with this configuration, and with the settings that this machine needs.
    fn cluster(&self, global: &Map<String, Value>, databases: &Value, users: &Value) -> Option<Cluster> {
        let place = self.directory.path().to_str().unwrap();
        let mut settings = json!({
            "auth_file": format!("{place}/users.txt"),
            "client_tls_sslmode": "disable",
            "listen_addr": "127.0.0.1",
            "server_tls_sslmode": "disable",
            "unix_socket_dir": place,
        });
        settings.as_object_mut().unwrap().extend(global.clone());
        let config = json!({"global": settings, "databases": databases, "users": users});
        resolved(17, &json!({"proxy": {"pgBouncer": {"image": "i", "port": self.port, "config": config}}})).ok()
    }

    fn write(&self, cluster: &Cluster) {
        let text = ini(cluster, cluster.pgbouncer.as_ref().unwrap());
        let place = format!("{}/", self.directory.path().display());
        fs::write(self.path("~postgres-operator.ini"), text.replace("/etc/pgbouncer/", &place)).unwrap();
        give_to_unprivileged(self.directory.path());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&mut self) {
        let log = self.path("log");
        self.running = Some(start(unprivileged(&self.program).arg(self.path("~postgres-operator.ini")), &log));
        wait_for(&log, "process up");
    }

    /// Returns the rows of commands on the console. The user that runs pgBouncer can use the console over the socket.
    fn console(&self, commands: &[&str]) -> Vec<Vec<String>> {
        let mut psql: Command = unprivileged(&self.psql);
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--username=pgbouncer"]);
        psql.args(["--field-separator=\u{1}", "--record-separator=\u{2}", "--dbname=pgbouncer"]);
        psql.arg("--host").arg(self.directory.path()).arg(format!("--port={}", self.port));
        for command in commands {
            psql.args(["--command", command]);
        }
        let output = success(&mut psql);
        output.split(['\u{2}', '\n']).map(|row| row.split('\u{1}').map(str::to_owned).collect()).collect()
    }
}

fn named(name: &str, value: &str) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), json!(value))])
}

#[test]
fn pgbouncer_reads_every_database_and_every_user_as_it_was_said() {
    let Some(mut pgbouncer) = PgBouncer::new() else { return };
    let (none, no_sections) = (Map::new(), json!({}));
    let (mut databases, mut users) = (Map::new(), Map::new());
    let mut expected: Vec<(String, String)> = Vec::new();
    for (number, text) in strings(&["]x", "[users]", "\"a b\"", "%include /etc/passwd"], 500).into_iter().enumerate() {
        // As the name of a database, of a user, and as a value, with and without quotes.
        if pgbouncer.cluster(&none, &json!(named(&text, "dbname=d port=77")), &no_sections).is_some() {
            databases.insert(text.clone(), json!("dbname=d port=77"));
            expected.push((text.clone(), "d".to_owned()));
        }
        if pgbouncer.cluster(&none, &no_sections, &json!(named(&text, "pool_mode=session"))).is_some() {
            users.insert(text.clone(), json!("pool_mode=session"));
        }
        let mut values = vec![(format!("q{number}"), format!("dbname='{}' port=77", text.replace('\'', "''")))];
        if !text.contains(' ') && !text.starts_with('\'') {
            values.push((format!("u{number}"), format!("dbname={text} port=77")));
        }
        for (name, value) in values {
            if pgbouncer.cluster(&none, &json!(named(&name, &value)), &no_sections).is_some() {
                databases.insert(name.clone(), json!(value));
                expected.push((name, text.clone()));
            }
        }
    }
    assert!(expected.len() > 400 && users.len() > 20, "{} {}", expected.len(), users.len());
    pgbouncer.write(&pgbouncer.cluster(&none, &json!(databases), &json!(users)).unwrap());
    pgbouncer.start();
    let rows = pgbouncer.console(&["SHOW DATABASES"]);
    let mut read: Vec<(String, String)> = Vec::new();
    // pgBouncer looks up verifiers in this database, which is not in the spec.
    let ours = rows.iter().find(|row| row[0] == AUTH_DATABASE).unwrap();
    assert_eq!(ours[1..4], ["hippo-primary", "5432", "postgres"]);
    for row in rows.iter().filter(|row| row.len() > 3 && !["pgbouncer", AUTH_DATABASE].contains(&row[0].as_str())) {
        assert_eq!((row[1].as_str(), row[2].as_str()), ("", "77"), "{row:?}");
        read.push((row[0].clone(), row[3].clone()));
    }
    // `*` is not a database.
    expected.retain(|(name, _)| name != "*");
    expected.sort();
    expected.dedup();
    read.sort();
    assert_eq!(read, expected);
    // The columns differ between versions.
    let rows = pgbouncer.console(&["SHOW USERS"]);
    let read: Vec<&str> =
        rows.iter().filter(|row| row.iter().skip(1).any(|cell| cell == "session")).map(|row| row[0].as_str()).collect();
    for user in users.keys() {
        assert!(read.contains(&user.as_str()), "{user}");
    }
    assert_eq!(read.len(), users.len(), "{read:?}");
}

/// Settings that accept any text.
const SETTINGS: [&str; 4] = ["auth_query", "ignore_startup_parameters", "server_check_query", "server_reset_query"];

#[test]
fn pgbouncer_reads_every_setting_as_it_was_said() {
    let Some(mut pgbouncer) = PgBouncer::new() else { return };
    let (none, no_sections) = (Map::new(), json!({}));
    let cluster =
        |pgbouncer: &PgBouncer, global: &Map<String, Value>| pgbouncer.cluster(global, &no_sections, &no_sections);
    let accepted: Vec<String> = strings(&["a\n[databases]\nx = host=y", "a\n%include b"], 420)
        .into_iter()
        .filter(|text| cluster(&pgbouncer, &named("server_check_query", text)).is_some())
        .collect();
    assert!(accepted.len() > 200, "{}", accepted.len());
    pgbouncer.write(&cluster(&pgbouncer, &none).unwrap());
    pgbouncer.start();
    let config = |pgbouncer: &PgBouncer| -> Vec<(String, String)> {
        let rows = pgbouncer.console(&["RELOAD", "SHOW CONFIG"]);
        rows.iter().filter(|row| row.len() > 2).map(|row| (row[0].clone(), row[1].clone())).collect()
    };
    let plain = config(&pgbouncer);
    for texts in accepted.chunks(SETTINGS.len()) {
        let global: Map<String, Value> =
            SETTINGS.iter().zip(texts).map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        pgbouncer.write(&cluster(&pgbouncer, &global).unwrap());
        let expected = plain.iter().map(|(name, value)| {
            let value = global.get(name).and_then(Value::as_str).unwrap_or(value);
            (name.clone(), value.to_owned())
        });
        assert_eq!(config(&pgbouncer), expected.collect::<Vec<_>>());
    }
    assert_eq!(fs::read_to_string(pgbouncer.path("log")).unwrap().matches("ERROR").count(), 0);
}

/// A password comes from a Secret that the user can provide, so it may contain characters with a special meaning in the file.
#[test]
fn pgbouncer_reads_every_password_as_it_is() {
    let Some(mut pgbouncer) = PgBouncer::new() else { return };
    let mut passwords = strings(&["\"\n\"admin\" \"x", ";", "\\\""], 250);
    // libpq and pgBouncer do not accept NUL, and an empty password counts as no password.
    passwords.retain(|password| !password.is_empty() && !password.contains('\0'));
    passwords.truncate(60);
    let user = |number: usize| format!("u{number:03}");
    let named = |number: usize, password: &String| users(password).replacen("_crunchypgbouncer", &user(number), 1);
    let text: String = passwords.iter().enumerate().map(|(number, password)| named(number, password)).collect();
    fs::write(pgbouncer.path("users.txt"), text).unwrap();
    let admins = (0..passwords.len()).map(user).collect::<Vec<_>>().join(",");
    let global = Map::from_iter([
        ("auth_type".to_owned(), json!("scram-sha-256")),
        ("admin_users".to_owned(), json!(admins)),
        ("auth_query".to_owned(), json!("")),
        ("auth_user".to_owned(), json!("")),
    ]);
    pgbouncer.write(&pgbouncer.cluster(&global, &json!({}), &json!({})).unwrap());
    pgbouncer.start();
    for (number, password) in passwords.iter().enumerate() {
        let mut psql = unprivileged(&pgbouncer.psql);
        psql.args(["--no-psqlrc", "--host=127.0.0.1", "--dbname=pgbouncer", "--command=SHOW VERSION"]);
        psql.arg(format!("--port={}", pgbouncer.port)).arg(format!("--username={}", user(number)));
        success(psql.env("PGPASSWORD", password).env("PGSSLMODE", "disable"));
    }
}

#[test]
fn the_settings_are_those_of_pgbouncer() {
    let Some(mut pgbouncer) = PgBouncer::new() else { return };
    pgbouncer.write(&pgbouncer.cluster(&Map::new(), &json!({}), &json!({})).unwrap());
    pgbouncer.start();
    let rows = pgbouncer.console(&["SHOW CONFIG"]);
    // What `pgrender diff` says about a change of each setting.
    let fixed: BTreeSet<&str> = rows.iter().filter(|row| row.last().unwrap() == "no").map(|row| &*row[0]).collect();
    assert_eq!(fixed, BTreeSet::from(PGBOUNCER_RESTART));
    let theirs: BTreeSet<String> = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
    let ours: BTreeSet<String> = setting_name::names().map(str::to_owned).collect();
    let theirs: BTreeSet<String> = theirs.into_iter().filter(|name| !name.is_empty()).collect();
    assert!(theirs.len() > 80, "{theirs:?}");
    assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), [] as [&String; 0]);
    // Settings of later versions, and one for Windows that is not shown.
    let later = [
        "auth_dbname",
        "auth_ident_file",
        "auth_ldap_options",
        "cancel_wait_timeout",
        "client_tls13_ciphers",
        "max_db_client_connections",
        "max_prepared_statements",
        "max_user_client_connections",
        "peer_id",
        "query_wait_notify",
        "scram_iterations",
        "server_tls13_ciphers",
        "service_name",
        "track_extra_parameters",
        "transaction_timeout",
    ];
    let invented: Vec<&String> = ours.difference(&theirs).filter(|name| !later.contains(&name.as_str())).collect();
    assert_eq!(invented, [] as [&String; 0]);
}

#[test]
fn a_value_with_which_pgbouncer_does_not_start_is_refused() {
    let Some(pgbouncer) = PgBouncer::new() else { return };
    let none = json!({});
    let values = [
        "0",
        "1",
        "-1",
        "5",
        "0x10",
        "0755",
        "5.5",
        ".5",
        "5s",
        "5k",
        "5.",
        "1e3",
        "true",
        "on",
        "yes",
        "many",
        "session",
        "Transaction",
        "transactional",
        "statement",
        "off",
        "require",
        "verify-full",
        "verify_full",
        "VERIFY-CA",
        "disable",
        "md5",
        "hba",
        "scram",
        "scram-sha-256",
    ];
    let mut refused = BTreeSet::new();
    for name in setting_name::names() {
        // One setting for each kind, and those whose values the texts are for.
        let looked_at = ["default_pool_size", "query_timeout", "log_connections", "tcp_keepalive", "max_client_conn"];
        let words = ["pool_mode", "server_tls_sslmode", "client_tls_sslmode", "auth_type", "server_lifetime"];
        if !looked_at.contains(&name) && !words.contains(&name) {
            continue;
        }
        for value in values {
            // pgBouncer reads one line after another, and stops at the first error.
            let text = format!("[pgbouncer]\nlisten_addr=127.0.0.1\n{name} = {value}\nno_such_setting = 1\n");
            fs::write(pgbouncer.path("value.ini"), text).unwrap();
            give_to_unprivileged(pgbouncer.directory.path());
            let output = tools::run(unprivileged(&pgbouncer.program).arg(pgbouncer.path("value.ini")));
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            let read = !said.contains(&format!("parameter {name} "));
            assert!(!read || said.contains("no_such_setting"), "{said}");
            let fault = setting_value::fault(name, value);
            assert_eq!(fault.is_none(), read, "{name}={value}: {fault:?} {said}");
            if !read {
                assert!(pgbouncer.cluster(&named(name, value), &none, &none).is_none(), "{name}={value}");
                refused.insert(name);
            }
        }
    }
    assert_eq!(refused.len(), 10, "{refused:?}");
}

#[test]
fn versions_of_tls_that_pgbouncer_does_not_know_are_refused() {
    let Some(mut pgbouncer) = PgBouncer::new() else { return };
    let none = json!({});
    for (value, good) in [
        ("secure", true),
        ("tlsv1.2, tlsv1.3", true),
        ("TLSv1.3", true),
        ("all:!tlsv1.0", true),
        ("!tlsv1.2", true),
        ("tlsv1.4", false),
        ("legacy", false),
        ("tlsv1.2 tlsv1.3", false),
        ("tlsv1.2,", false),
    ] {
        assert_eq!(setting_value::fault("client_tls_protocols", value).is_none(), good, "{value}");
        let mut settings = named("server_tls_sslmode", "require");
        settings.insert("server_tls_protocols".to_owned(), json!(value));
        let cluster = pgbouncer.cluster(&settings, &none, &none);
        assert_eq!(cluster.is_some(), good, "{value}");
        let text = format!(
            "[pgbouncer]\nlisten_addr=\nunix_socket_dir={}\nlisten_port={}\n",
            pgbouncer.path("").display(),
            pgbouncer.port
        );
        let text = format!("{text}server_tls_sslmode=require\nserver_tls_protocols={value}\n");
        fs::write(pgbouncer.path("~postgres-operator.ini"), text).unwrap();
        give_to_unprivileged(pgbouncer.directory.path());
        if good {
            pgbouncer.start();
            pgbouncer.running = None;
        } else {
            let output = tools::run(unprivileged(&pgbouncer.program).arg(pgbouncer.path("~postgres-operator.ini")));
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(said.contains("TLS setup failed"), "{value}: {said}");
        }
    }
}
