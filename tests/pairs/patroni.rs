//! Patroni's REST API with the rendered configuration of an instance.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::certificates::{Company, private};
use crate::compare;
use crate::postgres::free_port;
use crate::processes::{start, wait_for};
use crate::tools::{program, run};

/// The interpreter that has Patroni.
fn interpreter() -> Option<PathBuf> {
    let patroni = program("patroni")?;
    Some(patroni.with_file_name("python3"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs").join(name)
}

#[test]
fn patroni_changes_nothing_for_a_certificate_alone() {
    let (Some(python), Some(_)) = (interpreter(), program("openssl")) else { return };
    let company = Company::new();
    let root = company.directory.path().join("patroni");
    let authorities = company.alpha.secret("alpha-one-certs", "patroni.ca-roots");
    for (path, text) in company.alpha.volume("alpha-one", "patroni-config") {
        let text = text.replace("/etc/patroni/", &format!("{}/", root.display()));
        // The company's issuer is trusted too.
        let text = text.replace(&authorities, &format!("{authorities}{}", company.authorities()));
        private(&root.join(path), &text);
    }
    let (port, log) = (free_port(), company.directory.path().join("patroni.log"));
    let mut server = Command::new(&python);
    server.arg("-B").arg(script("rest_api.py")).arg(&root);
    for (name, value) in [("CONNECT_ADDRESS", "localhost"), ("LISTEN", "127.0.0.1")] {
        server.env(format!("PATRONI_RESTAPI_{name}"), format!("{value}:{port}"));
    }
    let _running = start(server.env("PATRONI_NAME", "alpha-one-0").env("PYTHONUNBUFFERED", "1"), &log);
    wait_for(&log, "serves");

    let reload = |pair: &[&Path], password: Option<&str>| {
        let mut request = Command::new(&python);
        request.arg("-B").arg(script("reload.py")).arg(port.to_string()).args(pair);
        request.envs(password.map(|password| ("PASSWORD", password)));
        let status = String::from_utf8_lossy(&run(&mut request).stdout).trim().to_owned();
        if status.starts_with('2') { Ok(()) } else { Err(status) }
    };
    // Its own members have more than a certificate.
    let secret = company.alpha.object("Secret", "alpha-patroni");
    let password = secret.map(|_| {
        let value = |key: &str| company.alpha.secret("alpha-patroni", key);
        format!("{}:{}", value("username"), value("password"))
    });
    let member = company.leaves.iter().find(|leaf| leaf.name == "alpha-one-certs patroni.crt-combined").unwrap();
    assert_eq!(reload(&[&member.certificate, &member.key], password.as_deref()), Ok(()));
    assert_eq!(reload(&[], password.as_deref()), Err("403".to_owned()));
    compare("Patroni", &company.leaves, &[], |leaf| reload(&[&leaf.certificate, &leaf.key], None));
}
