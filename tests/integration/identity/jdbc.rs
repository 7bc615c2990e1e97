//! Tests `jdbc-uri` with pgjdbc, which connects to a real PostgreSQL.

use std::path::Path;
use std::process::Command;

use pgrender::identity::uri;

use crate::identity::derived::{credential, verifier};
use crate::identity::postgres::server;
use crate::identity::server::Server;
use crate::identity::tools::{attempt, available, file};
use crate::identity::uri::HOSTILE;

const HOST: &str = "hippo-primary.postgres-operator.svc";

/// Returns what each connection reports about itself, in the order of the URIs. `None` if Java or the driver is missing.
fn logins(uris: &[String]) -> Option<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let driver = root.join(".cache/java/postgresql.jar");
    if !available("javac") {
        return None;
    }
    if !driver.exists() {
        println!("skipped: no pgjdbc in .cache; `make tools` fetches it");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no pgjdbc, and CI=true");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let hosts = file(directory.path(), "hosts", &format!("127.0.0.1 {HOST} rhino-primary\n"));
    let mut command = Command::new("java");
    command.arg(format!("-Djdk.net.hosts.file={}", hosts.display())).arg("-cp").arg(driver);
    command.arg(root.join("tests/integration/identity/Login.java"));
    let output = attempt(&mut command, &uris.join("\n"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// The parameters that make pgjdbc verify the server's certificate and name.
fn verified(server: &Server, uri: &str) -> String {
    format!("{uri}&sslmode=verify-full&sslrootcert={}", server.authority().display())
}

#[test]
fn pgjdbc_reads_the_uri_as_it_was_meant() {
    let Some((identity, server)) = server() else { return };
    let mut uris = Vec::new();
    let mut expected = Vec::new();
    let pooled = [("prepareThreshold", "0")];
    for name in HOSTILE {
        server.create_role_and_database(name);
        let parameters = [("user", *name), ("password", *name)];
        for parameters in [parameters.to_vec(), [&parameters[..], &pooled].concat()] {
            let uri = uri::jdbc_uri(HOST, server.port, name, &parameters);
            uris.extend([(*uri).clone(), verified(&server, &uri)]);
            expected.extend([(); 2].map(|()| format!("{name} in {name}")));
        }
    }

    let hippo = credential(&identity, "hippo");
    server.sql(&format!("CREATE ROLE hippo LOGIN PASSWORD '{}';", verifier(hippo)));
    let login = |host: &str, password: &str| {
        let parameters = [("user", "hippo"), ("password", password)];
        verified(&server, &uri::jdbc_uri(host, server.port, "postgres", &parameters))
    };
    uris.extend([login(HOST, &hippo.password), login(HOST, "wrong"), login("rhino-primary", &hippo.password)]);
    expected.extend([
        "hippo in postgres".to_owned(),
        "FATAL: password authentication failed for user \"hippo\"".to_owned(),
        "The hostname rhino-primary could not be verified by hostnameverifier PgjdbcHostnameVerifier.".to_owned(),
    ]);

    if let Some(actual) = logins(&uris) {
        assert_eq!(actual, expected);
    }
}
