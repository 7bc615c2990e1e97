//! PGO's certificate authority and its certificates, which OpenSSL creates in the form of PGO (`internal/pki` of PGO).

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A new CA that is valid for ten years from now on.
pub(crate) struct Authority {
    directory: TempDir,
    /// Its certificate.
    pub(crate) root: String,
    /// Its key.
    pub(crate) root_key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut authority = Self { directory: tempfile::tempdir().unwrap(), root: String::new(), root_key: new_key() };
        let key = authority.file("root.key", &authority.root_key);
        // Go writes a PrintableString where possible; OpenSSL does so with this mask.
        let request = "[req]\ndistinguished_name=dn\nprompt=no\nstring_mask=default\nx509_extensions=ca\n\
                       [dn]\nCN=postgres-operator-ca\n\
                       [ca]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
                       subjectKeyIdentifier=hash\n";
        let request = authority.file("root.cnf", request);
        authority.root = made(&["req", "-x509", "-sha384", "-days", "3650", "-key", &key, "-config", &request], "");
        authority.file("root.crt", &authority.root);
        authority
    }

    /// Signs a certificate of `key` for one year.
    pub(crate) fn sign(&self, key: &str, common_name: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        let extensions = format!(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n\
             authorityKeyIdentifier=keyid\nsubjectAltName={}\n",
            names.join(",")
        );
        let [key, extensions] =
            [("leaf.key", key), ("leaf.cnf", &extensions)].map(|(name, text)| self.file(name, text));
        // A slash would begin another component of the subject.
        let subject = format!("/CN={}", common_name.replace('/', "\\/"));
        let request = made(&["req", "-new", "-key", &key, "-subj", &subject], "");
        let [root, root_key] = ["root.crt", "root.key"].map(|name| self.path(name));
        let signing = ["x509", "-req", "-sha384", "-days", "365", "-CA", &root, "-CAkey", &root_key];
        made(&[&signing[..], &["-extfile", &extensions]].concat(), &request)
    }

    /// Verifies a certificate against a bundle with `openssl verify`, at the current time.
    pub(crate) fn verifies(&self, bundle: &str, certificate: &str) -> bool {
        let [bundle, shown] =
            [("bundle.crt", bundle), ("shown.crt", certificate)].map(|(name, text)| self.file(name, text));
        openssl(&["verify", "-x509_strict", "-CAfile", &bundle, &shown], "").status.success()
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

/// Creates a private key of the same type as PGO's.
pub(crate) fn new_key() -> String {
    made(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "")
}

fn made(arguments: &[&str], input: &str) -> String {
    let output = openssl(arguments, input);
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn openssl(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
