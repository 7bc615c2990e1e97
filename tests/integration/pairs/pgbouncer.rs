//! Tests that pgBouncer with its rendered configuration requires a password, and looks up verifiers in only one database.

use std::fs;
use std::process::Command;

use crate::common::processes::{start, wait_for};
use crate::common::tools::{self, give_to_unprivileged, program, unprivileged};
use crate::pairs::certificates::{Company, private};
use crate::pairs::compare;
use crate::pairs::postgres::{Postgres, answer, free_port, servers};

/// A function that returns this verifier to pgBouncer.
fn get_auth(verifier: &str) -> String {
    format!(
        "CREATE SCHEMA pgbouncer; GRANT USAGE ON SCHEMA pgbouncer TO PUBLIC; CREATE FUNCTION pgbouncer.get_auth(username text) \
         RETURNS TABLE (username text, password text) LANGUAGE sql AS $$ SELECT username, '{verifier}'::text $$"
    )
}

#[test]
fn pgbouncer_takes_no_certificate_for_a_password() {
    let (Some(pgbouncer), Some(_)) = (tools::pgbouncer(), program("openssl")) else { return };
    let Some(bin) = servers().pop() else { return };
    let company = Company::new();
    let postgres = Postgres::start(&company, &bin);
    postgres.configure(&company.alpha, "alpha");
    let verifier = |password| pgrender::identity::scram::verifier(password, b"sixteen bytes ok");
    postgres.sql_in("postgres", &get_auth(&verifier("geheim")));
    // A function that another role created in the database that the client wants.
    postgres.sql_in("alpha", &get_auth(&verifier("untergeschoben")));
    let root = company.directory.path().join("pgbouncer");
    let place = root.display().to_string();
    let files = root.join("~postgres-operator");
    let secret = |key: &str| company.alpha.secret("alpha-pgbouncer", key);
    private(&files.join("frontend-tls.crt"), &secret("pgbouncer-frontend.crt"));
    private(&files.join("frontend-tls.key"), &secret("pgbouncer-frontend.key"));
    private(&files.join("frontend-ca.crt"), &company.authorities());
    private(&files.join("backend-ca.crt"), &company.authorities());
    private(&files.join("users.txt"), &secret("pgbouncer-users.txt"));
    private(&root.join("pgbouncer.ini"), "");
    let port = free_port();
    // Postgres runs here, under a name that is not in its certificate.
    let text = company.alpha.file("alpha-pgbouncer", "pgbouncer.ini");
    let text = text
        .replace("/etc/pgbouncer/", &format!("{place}/"))
        .replace("listen_addr = *", "listen_addr = 127.0.0.1")
        .replace("listen_port = 5432", &format!("listen_port = {port}"))
        .replace("server_tls_sslmode = verify-full", "server_tls_sslmode = verify-ca")
        .replace("host=alpha-primary port=5432", &format!("host=127.0.0.1 port={}", postgres.port));
    let conf = private(&root.join("~postgres-operator.ini"), &text);
    give_to_unprivileged(&root);
    let log = root.join("log");
    let _running = start(unprivileged(&pgbouncer).arg(&conf), &log);
    wait_for(&log, "process up");

    let login = |certificate: &str, more: &str| {
        let target = format!("host=localhost hostaddr=127.0.0.1 port={port} sslmode=require {certificate} {more}");
        answer(Command::new(bin.join("psql")).args(["-qXAtw", "--command", "SHOW server_version", "--dbname", &target]))
    };
    for who in [
        "user=alpha dbname=alpha",
        "user=postgres dbname=postgres",
        "user=_crunchypgbouncer dbname=alpha",
        "user=_crunchypgbouncer dbname=pgbouncer",
    ] {
        compare(&format!("pgBouncer, {who}"), &company.leaves, &[], |leaf| {
            login(&format!("sslcert='{}' sslkey='{}'", leaf.certificate.display(), leaf.key.display()), who)
        });
    }
    assert!(login("", "user=alpha dbname=alpha password=untergeschoben").is_err());
    assert_eq!(login("", "user=alpha dbname=alpha password=geheim"), Ok(()), "{}", fs::read_to_string(log).unwrap());
}
