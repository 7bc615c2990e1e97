//! The Secrets of a running PGO, put together again from what was noted of them, are taken over: what applications read of
//! them stays the same.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::identity::scram;
use pgrender::read;
use serde_json::{Value, json};

use crate::ours;

/// A tool's standard output for an input.
fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// PGO's CA, with its files in a directory.
struct Authority<'a>(&'a Path);

impl Authority<'_> {
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    fn new(directory: &Path) -> Authority<'_> {
        let authority = Authority(directory);
        let key = authority.key("root.key");
        let request = "[req]\ndistinguished_name=dn\nprompt=no\nstring_mask=default\nx509_extensions=ca\n[dn]\n\
                       CN=postgres-operator-ca\n[ca]\nbasicConstraints=critical,CA:TRUE,pathlen:0\n\
                       keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
        let request = authority.write("root.cnf", request);
        let certificate =
            run("openssl", &["req", "-x509", "-sha384", "-days", "3650", "-key", &key, "-config", &request], "");
        authority.write("root.crt", &certificate);
        authority
    }

    fn key(&self, name: &str) -> String {
        self.write(name, &run("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout"], ""))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// A certificate as it was noted, under a new key in `leaf.key`.
    fn sign(&self, noted: &Value) -> String {
        let subject = noted["subject"].as_str().unwrap();
        if subject == "CN=postgres-operator-ca" {
            return self.read("root.crt");
        }
        let names: Vec<String> = noted["extensions"]["SubjectAlternativeName"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| format!("DNS:{}", name.as_str().unwrap()))
            .collect();
        let extensions = format!(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\nsubjectAltName={}\n",
            names.join(",")
        );
        let extensions = self.write("leaf.cnf", &extensions);
        // OpenSSL refuses a longer one; whoever calls a server looks at the other names.
        let subject: String = subject.chars().take(67).collect();
        let request =
            run("openssl", &["req", "-new", "-key", &self.path("leaf.key"), "-subj", &format!("/{subject}")], "");
        let (root, key) = (self.path("root.crt"), self.path("root.key"));
        let signing =
            ["x509", "-req", "-sha384", "-days", "365", "-CA", &root, "-CAkey", &key, "-extfile", &extensions];
        run("openssl", &signing, &request)
    }

    /// A Secret that may have been what was noted.
    fn secret(&self, noted: &Value) -> Value {
        let mut secret = noted.clone();
        self.key("leaf.key");
        let is_root = noted["metadata"]["name"] == "pgo-root-cacert";
        for (key, value) in secret["data"].as_object_mut().unwrap() {
            let certificates =
                value["certificates"].as_array().map(|all| all.iter().map(|one| self.sign(one)).collect::<String>());
            let private = || self.read(if is_root { "root.key" } else { "leaf.key" });
            let text = match (certificates, key.as_str()) {
                (Some(text), "patroni.crt-combined") => private() + &text,
                (Some(text), _) => text,
                (None, "password" | "pgbouncer-password") => "Passwort 1/2".to_owned(),
                (None, "verifier" | "pgbouncer-verifier") => {
                    scram::verifier("Passwort 1/2", b"salt of somebody").to_string()
                }
                _ if value.as_str().unwrap().starts_with("BEGIN") => private(),
                _ => value.as_str().unwrap().to_owned(),
            };
            *value = json!(STANDARD.encode(text));
        }
        secret
    }
}

/// The value of a Secret's key; of one that is absent, nothing.
fn decoded(secret: &Value, key: &str) -> String {
    String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap_or_default()).unwrap()).unwrap()
}

#[test]
fn applications_read_the_same_after_a_take_over() {
    let Some(pgo) = super::pgo() else { return };
    if super::common::tool("openssl").is_none() {
        return;
    }
    for case in &super::CASES {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new(directory.path());
        let text = fs::read_to_string(pgo.join("observed").join(case.observed)).unwrap();
        let observed = read::documents(case.observed, &text).unwrap();
        let noted = observed.iter().map(|document| document.node.to_json()).filter(|object| object["kind"] == "Secret");
        let secrets: Vec<Value> = noted.map(|noted| authority.secret(&noted)).collect();
        let input = super::input(&pgo, case);
        let documents: Vec<String> = secrets.iter().map(Value::to_string).chain([input]).collect();
        let (rendered, warnings) = ours::objects(case.input, &documents.join("\n---\n"), case.namespace, now());
        assert!(warnings.iter().all(|line| !line.contains("Secret")), "{}: {warnings:?}", case.observed);

        let mut users = 0;
        for secret in &secrets {
            let name = secret["metadata"]["name"].as_str().unwrap();
            let of = |object: &&Value| object["kind"] == "Secret" && object["metadata"]["name"] == name;
            // The CA, and instances with names of PGO's own.
            let Some(taken) = rendered.iter().find(of) else { continue };
            assert!(taken["metadata"]["ownerReferences"].is_null());
            for key in
                ["password", "verifier", "pgbouncer-password", "pgbouncer-verifier", "host", "port", "user", "dbname"]
            {
                assert_eq!(decoded(taken, key), decoded(secret, key), "{} {name} {key}", case.observed);
            }
            users += usize::from(name.contains("-pguser-"));
            for (key, _) in taken["data"].as_object().unwrap() {
                let text = decoded(taken, key);
                if let Some(begin) = text.find("-----BEGIN CERTIFICATE") {
                    let shown = authority.write("shown.crt", &text[begin..]);
                    let root = authority.path("root.crt");
                    if !key.contains("ca") {
                        run("openssl", &["verify", "-x509_strict", "-CAfile", &root, &shown], "");
                    }
                }
            }
        }
        assert!(users > 0, "{}", case.observed);
    }
}
