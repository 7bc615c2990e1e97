//! Patroni's REST API with the rendered configuration of an instance.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::processes::{start, wait_for};
use crate::common::tools::{program, run};
use crate::pairs::certificates::{Company, Leaf, private};
use crate::pairs::compare;
use crate::pairs::postgres::free_port;

/// The Python interpreter that has Patroni.
fn interpreter() -> Option<PathBuf> {
    let patroni = program("patroni")?;
    Some(patroni.with_file_name("python3"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/pairs").join(name)
}

/// Returns whether Patroni reloads its configuration if the request has a certificate, a password, both or neither; else the
/// status. Patroni has the rendered files of an instance, and also trusts `others` as members.
fn with_patroni(company: &Company, others: &str, ask: impl Fn(&dyn Fn(&[&Path], Option<&str>) -> Result<(), String>)) {
    let python = interpreter().unwrap();
    let root = company.directory.path().join(if others.is_empty() { "patroni" } else { "patroni-others" });
    let members = company.alpha.secret("alpha-one-certs", "patroni.ca-roots");
    for (path, text) in company.alpha.volume("alpha-one", "patroni-config") {
        let text = text.replace("/etc/patroni/", &format!("{}/", root.display()));
        private(&root.join(path), &text.replace(&members, &format!("{members}{others}")));
    }
    let (port, log) = (free_port(), root.with_extension("log"));
    let mut server = Command::new(&python);
    server.arg("-B").arg(script("rest_api.py")).arg(&root);
    for (name, value) in [("CONNECT_ADDRESS", "localhost"), ("LISTEN", "127.0.0.1")] {
        server.env(format!("PATRONI_RESTAPI_{name}"), format!("{value}:{port}"));
    }
    let _running = start(server.env("PATRONI_NAME", "alpha-one-0").env("PYTHONUNBUFFERED", "1"), &log);
    wait_for(&log, "serves");
    ask(&|pair, password| {
        let mut request = Command::new(&python);
        request.arg("-B").arg(script("reload.py")).arg(port.to_string()).args(pair);
        request.envs(password.map(|password| ("PASSWORD", password)));
        let status = String::from_utf8_lossy(&run(&mut request).stdout).trim().to_owned();
        if status.starts_with('2') { Ok(()) } else { Err(status) }
    });
}

#[test]
fn patroni_changes_nothing_for_a_certificate_or_a_password_alone() {
    let (Some(_), Some(_)) = (interpreter(), program("openssl")) else { return };
    let company = Company::new();
    let value = |key: &str| company.alpha.secret("alpha-patroni", key);
    let password = format!("{}:{}", value("username"), value("password"));
    let member = "alpha-one-certs patroni.crt-combined";
    // A pod that claims to be a member gets the password, but only a real member of this cluster has a certificate that works
    // with it.
    with_patroni(&company, "", |reload| {
        assert_eq!(reload(&[], Some(&password)), Err("403".to_owned()));
        compare("Patroni", &company.leaves, &[member], |leaf| reload(&[&leaf.certificate, &leaf.key], Some(&password)));
    });
    // If an issuer signs for everybody, the password is still required.
    let everybody = company.alpha.secret("alpha-pgbackrest", "pgbackrest.ca-roots") + &company.authorities();
    with_patroni(&company, &everybody, |reload| {
        compare("Patroni", &company.leaves, &[], |leaf| reload(&[&leaf.certificate, &leaf.key], None));
        let opens = |leaf: &&Leaf| reload(&[&leaf.certificate, &leaf.key], Some(&password)).is_ok();
        assert!(company.leaves.iter().filter(opens).count() > 1);
    });
}
