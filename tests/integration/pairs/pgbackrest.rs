//! pgBackRest's TLS server with the rendered configuration of an instance.

use std::fs;

use crate::common::processes::{start, wait_for};
use crate::common::tools::{give_to_unprivileged, program, success, unprivileged};
use crate::pairs::certificates::{Company, private};
use crate::pairs::compare;
use crate::pairs::postgres::{answer, free_port};

#[test]
fn pgbackrest_serves_the_clients_of_its_own_cluster() {
    let (Some(pgbackrest), Some(_)) = (program("pgbackrest"), program("openssl")) else { return };
    let company = Company::new();
    let root = company.directory.path().join("pgbackrest");
    let place = root.display().to_string();
    let port = free_port();
    let (certificate, key) = company.localhost();
    private(&root.join("ca.crt"), &company.authorities());
    private(&root.join("server-tls.crt"), &certificate);
    private(&root.join("server-tls.key"), &key);
    fs::create_dir_all(root.join("repo1/archive/db")).unwrap();
    let repository = format!("[global]\nrepo1-path = {place}/repo1\nlog-level-file = off\nlock-path = {place}/lock\n");
    let repository = private(&root.join("repository.conf"), &repository);
    let text = company.alpha.file("alpha-pgbackrest-config", "pgbackrest-server.conf");
    let text = text
        .replace("/etc/pgbackrest/conf.d/~postgres-operator/tls-ca.crt", &format!("{place}/ca.crt"))
        .replace("/etc/pgbackrest/server/", &format!("{place}/"))
        .replacen("[global]\n", &format!("[global]\ntls-server-port = {port}\nlock-path = {place}/lock\n"), 1);
    assert!(!text.contains("/etc/"), "{text}");
    let conf = private(&root.join("server.conf"), &text);
    give_to_unprivileged(&root);
    let log = root.join("log");
    let _server = start(unprivileged(&pgbackrest).arg("server").arg("--config").arg(&conf), &log);
    wait_for(&log, "server");

    // Clients need their own files, because keys must belong to the user that runs the client.
    let clients = company.directory.path().join("clients");
    for leaf in &company.leaves {
        private(&clients.join(leaf.certificate.file_name().unwrap()), &fs::read_to_string(&leaf.certificate).unwrap());
        private(&clients.join(leaf.key.file_name().unwrap()), &fs::read_to_string(&leaf.key).unwrap());
    }
    let authority = private(&clients.join("ca.crt"), &company.issuer.root);
    give_to_unprivileged(&clients);
    let table = ["alpha-pgbackrest pgbackrest-client.crt", "issued pgbackrest@zoo/alpha"];
    compare("pgBackRest", &company.leaves, &table, |leaf| {
        let mut client = unprivileged(&pgbackrest);
        client.args([
            "--config=/dev/null",
            "--stanza=db",
            "--log-level-file=off",
            "--io-timeout=1",
            "--protocol-timeout=5",
        ]);
        client.args(["--repo1-host=localhost", "--repo1-host-type=tls"]).arg(format!("--repo1-host-port={port}"));
        client.arg(format!("--repo1-host-ca-file={}", authority.display()));
        client.arg(format!("--repo1-host-config={}", repository.display()));
        client.arg(format!("--repo1-host-cert-file={}", clients.join(leaf.certificate.file_name().unwrap()).display()));
        client.arg(format!("--repo1-host-key-file={}", clients.join(leaf.key.file_name().unwrap()).display()));
        client.arg(format!("--repo1-path={place}/repo1")).args(["repo-ls", "archive"]);
        answer(&mut client)
    });
    success(unprivileged(&pgbackrest).arg("version"));
}
