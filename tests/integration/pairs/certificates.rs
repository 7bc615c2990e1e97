//! The clusters, and every certificate that somebody in their trust domain can have.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::diagnostic::has_errors;
use pgrender::identity::Seed;
use pgrender::kubernetes::Object;
use pgrender::options::Options;
use pgrender::read;
use pgrender::render::render;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::authority::{Authority, new_key};

/// Keys of Secrets with a certificate, each with the key of the private key.
const PAIRS: [(&str, &str); 6] = [
    ("tls.crt", "tls.key"),
    ("patroni.crt-combined", "patroni.crt-combined"),
    ("pgbackrest-server.crt", "pgbackrest-server.key"),
    ("pgbackrest-client.crt", "pgbackrest-client.key"),
    ("pgbackrest-repo-host.crt", "pgbackrest-repo-host.key"),
    ("pgbouncer-frontend.crt", "pgbouncer-frontend.key"),
];

/// Common names that colleagues can get from the company's issuer, for any use.
const ISSUED: [&str; 14] = [
    "_crunchyrepl",
    "_crunchyrepl@zoo/alpha",
    "_crunchyrepl@zoo/beta",
    "_crunchyrepl@zoo/alph",
    "_crunchyrepl@zoo/alpha2",
    "_CRUNCHYREPL@ZOO/ALPHA",
    "pgbackrest@zoo/alpha",
    "pgbackrest@zoo/beta",
    "pgbackrest@zoo",
    "alpha-primary.zoo.svc",
    "alpha-one-0.alpha-pods.zoo.svc",
    "billing.company.example",
    "postgres",
    "alpha",
];

/// The objects of one cluster.
pub(crate) struct Rendered(Vec<Value>);

impl Rendered {
    pub(crate) fn of(name: &str, namespace: &str, annotations: &Value, more: &Value) -> Self {
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let mut cluster = json!({
            "apiVersion": "postgres-operator.crunchydata.com/v1",
            "kind": "PostgresCluster",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "spec": {
                "postgresVersion": 17,
                "image": "postgres",
                "instances": [{"name": "one", "dataVolumeClaimSpec": claim}],
                "backups": {"pgbackrest": {"image": "pgbackrest", "repos": [{"name": "repo1", "volume": {"volumeClaimSpec": claim}}]}},
                "proxy": {"pgBouncer": {"image": "pgbouncer"}},
            },
        });
        cluster["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        // Servers have a real clock.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let options =
            Options { time: now.try_into().unwrap(), trust_domain: Some("company".to_owned()), ..Options::default() };
        let documents = read::documents("cluster.yaml", &cluster.to_string()).unwrap();
        let seed = Seed::new(b"dGhpcyBzZWVkIGlzIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==")
            .ok()
            .unwrap();
        let mut rendered = render(&documents, &options, Ok(&seed));
        assert!(!has_errors(&rendered.diagnostics), "{:?}", rendered.diagnostics);
        Self(rendered.resources.swap_remove(0).objects.iter().map(Object::to_value).collect())
    }

    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.0.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    }

    fn secrets(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(|object| object["kind"] == "Secret")
    }

    /// Returns a value of a Secret.
    pub(crate) fn secret(&self, name: &str, key: &str) -> String {
        decoded(&self.object("Secret", name).unwrap_or_else(|| panic!("no Secret {name}"))["data"][key])
    }

    /// Returns a file of a ConfigMap.
    pub(crate) fn file(&self, name: &str, key: &str) -> String {
        let map = self.object("ConfigMap", name).unwrap_or_else(|| panic!("no ConfigMap {name}"));
        map["data"][key].as_str().unwrap_or_else(|| panic!("no {key} in {name}")).to_owned()
    }

    /// Returns the files of a projected volume of the instances, by path.
    pub(crate) fn volume(&self, set: &str, volume: &str) -> BTreeMap<String, String> {
        let volumes = &self.object("StatefulSet", set).unwrap()["spec"]["template"]["spec"]["volumes"];
        let volume = volumes.as_array().unwrap().iter().find(|one| one["name"] == volume).unwrap();
        let mut files = BTreeMap::new();
        for source in volume["projected"]["sources"].as_array().unwrap() {
            for kind in ["secret", "configMap"] {
                let (name, items) = (source[kind]["name"].as_str(), source[kind]["items"].as_array());
                for item in items.into_iter().flatten() {
                    let (key, path) = (item["key"].as_str().unwrap(), item["path"].as_str().unwrap());
                    let name = name.unwrap();
                    let text = if kind == "secret" { self.secret(name, key) } else { self.file(name, key) };
                    files.insert(path.to_owned(), text);
                }
            }
        }
        files
    }
}

fn decoded(value: &Value) -> String {
    String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()
}

/// A certificate and its key, as files.
pub(crate) struct Leaf {
    pub(crate) name: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// All clusters and certificates of the test.
pub(crate) struct Company {
    pub(crate) alpha: Rendered,
    /// The same cluster, but it accepts standby clusters.
    pub(crate) source: Rendered,
    /// A standby cluster that streams from alpha.
    pub(crate) standby: Rendered,
    /// Alpha with certificates that its user provides.
    pub(crate) bringing: Rendered,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) issuer: Authority,
    pub(crate) directory: TempDir,
}

impl Company {
    pub(crate) fn new() -> Self {
        let (none, directory) = (json!({}), tempfile::tempdir().unwrap());
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let alpha = Rendered::of("alpha", "zoo", &none, &none);
        let standby =
            Rendered::of("delta", "zoo", &none, &json!({"standby": {"enabled": true, "host": "alpha-primary"}}));
        let issuer = Authority::new();
        let mut leaves = Vec::new();
        let mut leaf = |name: String, certificate: &str, key: &str| {
            let file = |end: &str| directory.path().join(format!("{}.{end}", name.replace('/', "+")));
            let (certificate, key) = (private(&file("crt"), certificate), private(&file("key"), key));
            leaves.push(Leaf { name, certificate, key });
        };
        let [beta, gamma] =
            [("beta", "zoo"), ("gamma", "far")].map(|(name, namespace)| Rendered::of(name, namespace, &none, &none));
        for cluster in [&alpha, &beta, &gamma, &standby] {
            let mut keys = 0;
            for secret in cluster.secrets() {
                let (name, data) = (secret["metadata"]["name"].as_str().unwrap(), secret["data"].as_object().unwrap());
                keys += data.values().filter(|value| decoded(value).contains("PRIVATE KEY")).count();
                for (certificate, key) in PAIRS.iter().filter(|(certificate, _)| data.contains_key(*certificate)) {
                    let text = decoded(&data[*certificate]);
                    let begin = text.find("-----BEGIN CERTIFICATE").unwrap();
                    leaf(format!("{name} {certificate}"), &text[begin..], &decoded(&data[*key]));
                }
            }
            // Patroni and pgBackRest's server in instances use the same certificate.
            assert_eq!(keys, 7, "a key that no test shows");
        }
        for name in ISSUED {
            let key = new_key();
            leaf(format!("issued {name}"), &issuer.sign(&key, name, &[name]), &key);
        }
        let brought = json!({"customTLSSecret": {"name": "mine"}, "customReplicationTLSSecret": {"name": "mine-too"}});
        Self {
            source: Rendered::of("alpha", "zoo", &json!({"pgrender.dev/accept-standby": "true"}), &none),
            bringing: Rendered::of("alpha", "zoo", &none, &brought),
            alpha,
            standby,
            leaves,
            issuer,
            directory,
        }
    }

    /// The CAs that servers trust: that of the trust domain and that of the company.
    pub(crate) fn authorities(&self) -> String {
        self.alpha.secret("alpha-cluster-cert", "ca.crt") + &self.issuer.root
    }

    /// A certificate for this machine, and its key.
    pub(crate) fn localhost(&self) -> (String, String) {
        let key = new_key();
        (self.issuer.sign(&key, "localhost", &["localhost"]), key)
    }
}

/// Writes a file that only its owner can read, which libpq and pgBackRest require of keys.
pub(crate) fn private(path: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}
