//! Tests the messages about certificates that the user provides. OpenSSL creates them, with keys and chains as users have them.

use std::fs;
use std::path::Path;

use pgrender::kubernetes::{KeyToPath, SecretProjection};
use pgrender::options::Options;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::secrets::custom_tls::check;
use pgrender::postgres_cluster::secrets::existing::Sources;
use serde_json::Value;

use crate::identity::cluster::hippo;
use crate::identity::reuse::{documents, now, secret};
use crate::identity::tools::{available, file, run};

/// A certificate and its key. It is self-signed if there is no CA.
#[derive(Clone)]
struct Made {
    certificate: String,
    key: String,
}

const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n";
const SERVER: &str = "subjectAltName=DNS:*.postgres-operator.svc,DNS:hippo-primary\nextendedKeyUsage=serverAuth\n";
const CLIENT: &str = "extendedKeyUsage=clientAuth\n";

fn text(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().unwrap().to_owned()
}

fn make(directory: &Path, name: &str, key: &[&str], extensions: &str, authority: Option<&Made>) -> Made {
    let key = run("openssl", &[&["genpkey"], key].concat(), "");
    file(directory, "a.key", &key);
    let request =
        run("openssl", &["req", "-new", "-key", &text(directory, "a.key"), "-subj", &format!("/CN={name}")], "");
    file(directory, "a.cnf", extensions);
    let mut arguments = vec!["x509", "-req", "-days", "90", "-extfile"];
    let paths = ["a.cnf", "a.key", "ca.crt", "ca.key"].map(|name| text(directory, name));
    arguments.push(&paths[0]);
    if let Some(authority) = authority {
        fs::write(&paths[2], &authority.certificate).unwrap();
        fs::write(&paths[3], &authority.key).unwrap();
        arguments.extend(["-CA", &paths[2], "-CAkey", &paths[3]]);
    } else {
        arguments.extend(["-signkey", &paths[1]]);
    }
    Made { certificate: run("openssl", &arguments, &request), key }
}

const RSA: [&str; 4] = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const ED25519: [&str; 2] = ["-algorithm", "ED25519"];

fn bringing(server: &str, client: &str) -> Cluster {
    let secret = |name: &str| SecretProjection { name: name.to_owned(), ..SecretProjection::default() };
    let mut cluster = Cluster {
        custom_tls_secret: Some(secret(server)),
        custom_replication_tls_secret: Some(client.to_owned()),
        ..hippo()
    };
    cluster.pgbouncer.as_mut().unwrap().custom_tls_secret = Some(secret("elsewhere"));
    cluster
}

fn tls(name: &str, made: &Made, chain: &str, authority: &str) -> Value {
    let certificate = format!("{}{chain}", made.certificate);
    secret(name, &[("tls.crt", &certificate), ("tls.key", &made.key), ("ca.crt", authority)])
}

/// Returns what is reported, without informations.
fn told(cluster: &Cluster, secrets: &[Value], time: i64) -> Vec<String> {
    let (documents, options) = (documents(secrets), Options { time, ..Options::default() });
    let found = check(cluster, &Sources::of(&documents, &options), &options);
    let lines = found.diagnostics.iter().map(ToString::to_string);
    lines
        .filter(|line| !line.starts_with("info: "))
        .map(|line| line.split_once("data").map(|(_, rest)| rest.to_owned()).unwrap_or(line))
        .collect()
}

#[test]
fn what_works_together_is_passed_in_silence_whatever_its_keys_are() {
    if !available("openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for keys in [&RSA[..], &P256, &P384, &ED25519] {
        let root = make(path, "root", keys, AUTHORITY, None);
        let between = make(path, "between", keys, AUTHORITY, Some(&root));
        let server = make(path, "server", keys, SERVER, Some(&between));
        let client = make(path, "_crunchyrepl", keys, CLIENT, Some(&root));
        let secrets = [
            tls("server", &server, &between.certificate, &root.certificate),
            tls("client", &client, "", &root.certificate),
        ];
        assert_eq!(told(&bringing("server", "client"), &secrets, now()), [""; 0], "{keys:?}");
        // Without the intermediate certificate, the chain is broken.
        let secrets = [tls("server", &server, "", &root.certificate), secrets[1].clone()];
        let lines = told(&bringing("server", "client"), &secrets, now());
        assert!(
            lines.len() == 1
                && lines[0].contains("`ca.crt` of `Secret postgres-operator/client` does not contain the CA"),
            "{lines:?}"
        );
        // Another key of the same type. An Ed25519 key does not contain its public key.
        let mut other = make(path, "server", keys, SERVER, Some(&root));
        other.key.clone_from(&client.key);
        let secrets = [tls("server", &other, "", &root.certificate), secrets[1].clone()];
        let lines = told(&bringing("server", "client"), &secrets, now());
        let refused = lines.iter().any(|line| line.contains("is not the private key of the certificate in `tls.crt`"));
        assert_eq!(refused, keys != ED25519, "{keys:?} {lines:?}");
    }
}

#[test]
fn a_key_of_any_form_is_compared_with_its_certificate() {
    if !available("openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let pss = ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"];
    let explicit = |curve| ["-algorithm", "EC", "-pkeyopt", curve, "-pkeyopt", "ec_param_enc:explicit"];
    let (p256, p384) = (explicit("ec_paramgen_curve:P-256"), explicit("ec_paramgen_curve:P-384"));
    let root = make(path, "root", &P256, AUTHORITY, None);
    let client = make(path, "_crunchyrepl", &P256, CLIENT, Some(&root));
    let client = tls("client", &client, "", &root.certificate);
    let told = |made: &Made| {
        told(&bringing("server", "client"), &[tls("server", made, "", &root.certificate), client.clone()], now())
    };
    for keys in [&RSA[..], &pss, &P256, &P384, &ED25519, &p256, &p384] {
        let server = make(path, "server", keys, SERVER, Some(&root));
        assert_eq!(told(&server), [""; 0], "{keys:?}");
        if keys[1] == "EC" {
            let compressed = ["ec", "-conv_form", "compressed"];
            let other = Made { key: run("openssl", &compressed, &server.key), ..server.clone() };
            assert_eq!(told(&other), [""; 0], "{keys:?}");
            let encrypted = ["ec", "-aes256", "-passout", "pass:geheim"];
            let other = Made { key: run("openssl", &encrypted, &server.key), ..server.clone() };
            assert!(told(&other)[0].contains("is not a private key in PEM format without a passphrase"), "{keys:?}");
        }
        // A key of another algorithm, and what is no key.
        let others =
            [&RSA[..], &P256, &ED25519].into_iter().filter(|other| other[1] != keys[1] && keys[1] != "RSA-PSS");
        for other in others {
            let key = make(path, "server", other, SERVER, Some(&root)).key;
            let lines = told(&Made { key, ..server.clone() });
            assert!(
                lines.len() == 1 && lines[0].contains("is not the private key of the certificate"),
                "{keys:?} {other:?}: {lines:?}"
            );
        }
        for text in ["aGVsbG8gd29ybGQh", ""] {
            let key = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
            let lines = told(&Made { key, ..server.clone() });
            assert!(
                lines.len() == 1 && lines[0].contains("is not a private key in PEM"),
                "{keys:?} {text:?}: {lines:?}"
            );
        }
    }
}

#[test]
fn what_will_not_do_is_told() {
    if !available("openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // Two CAs have the same name, so only their signatures distinguish them.
    let [one, two] = [(); 2].map(|()| make(path, "root", &P256, AUTHORITY, None));
    let server = make(path, "server", &P256, CLIENT, Some(&one));
    let client = make(path, "replicator", &P256, SERVER, Some(&two));
    let secrets = [tls("server", &server, "", &one.certificate), tls("client", &client, "", &one.certificate)];
    let lines = told(&bringing("server", "client"), &secrets, now() + 91 * 86_400);
    let expected = [
        "is not valid for `hippo-primary.postgres-operator.svc`",
        "is not valid for `hippo-replicas.postgres-operator.svc`",
        "is not valid for `hippo-primary`,",
        "cannot be used by a server",
        "is not valid at this time",
        "does not have the common name `_crunchyrepl`",
        "cannot be used by a client",
        "is not valid at this time",
        "`ca.crt` of `Secret postgres-operator/server` does not contain the CA of the other side",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, part) in lines.iter().zip(expected) {
        assert!(line.contains(part), "{line}: {part}");
    }
}

/// Returns what is reported about a Secret whose content is not available, because it is encrypted or another program creates
/// it.
#[test]
fn a_secret_that_is_encrypted_or_made_elsewhere_is_named_as_such() {
    let object = |kind: (&str, &str), name: &str, more: (&str, Value)| {
        let mut object = serde_json::json!({
            "apiVersion": kind.0, "kind": kind.1, "metadata": {"name": name, "namespace": "postgres-operator"},
        });
        object[more.0] = more.1;
        object
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let encrypted = object(("v1", "Secret"), "server", ("data", json(r#"{"tls.key": "ENC[AES256_GCM,data:a]"}"#)));
    let marked = object(("v1", "Secret"), "server", ("sops", json("{}")));
    let makers = [
        (("bitnami.com/v1alpha1", "SealedSecret"), "server", ("spec", json("{}"))),
        (("external-secrets.io/v1", "ExternalSecret"), "server", ("spec", json("{}"))),
        (("external-secrets.io/v1", "ExternalSecret"), "a", ("spec", json(r#"{"target": {"name": "server"}}"#))),
        (("cert-manager.io/v1", "Certificate"), "a", ("spec", json(r#"{"secretName": "server"}"#))),
        (
            ("viaduct.ai/v1", "ksops"),
            "a",
            ("secretFrom", json(r#"[{"metadata": {"name": "b"}}, {"metadata": {"name": "server"}}]"#)),
        ),
        (
            ("isindir.github.com/v1alpha3", "SopsSecret"),
            "a",
            ("spec", json(r#"{"secretTemplates": [{"name": "server"}]}"#)),
        ),
    ];
    let made = makers.map(|(kind, name, more)| {
        (
            object(kind, name, more),
            format!("is created by `{} postgres-operator/{name}`, so pgrender cannot check it", kind.1),
        )
    });
    let hidden =
        [encrypted, marked].map(|secret| (secret, "is encrypted by SOPS, so pgrender cannot check it".to_owned()));
    for (secret, expected) in made.into_iter().chain(hidden) {
        let (documents, options) = (documents(&[secret]), Options { time: now(), ..Options::default() });
        let found = check(&bringing("server", "client"), &Sources::of(&documents, &options), &options);
        let lines: Vec<String> = found.diagnostics.iter().map(ToString::to_string).collect();
        assert!(lines[0].contains(&format!("Secret `server` {expected}")), "{lines:#?}");
        assert!(lines[1].contains("Secret `client` is not in the input"), "{lines:#?}");
        assert!(lines.iter().all(|line| line.starts_with("info: ")), "{lines:#?}");
    }
}

#[test]
fn two_secrets_of_one_name_or_one_for_two_purposes_are_told() {
    if !available("openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let root = make(path, "root", &P256, AUTHORITY, None);
    let capitals =
        SERVER.replace("postgres-operator.svc", "Postgres-Operator.SVC").replace("hippo-primary", "HIPPO-primary");
    let server = make(path, "server", &P256, &capitals, Some(&root));
    let client = make(path, "_crunchyrepl", &P256, CLIENT, Some(&root));
    let [server, client] =
        [("server", server), ("client", client)].map(|(name, made)| tls(name, &made, "", &root.certificate));
    assert_eq!(told(&bringing("server", "client"), &[server.clone(), client.clone()], now()), [""; 0]);
    // A duplicate has no effect.
    let same = [server.clone(), server.clone(), client.clone()];
    assert_eq!(told(&bringing("server", "client"), &same, now()), [""; 0]);
    let mut other = client.clone();
    other["metadata"]["name"] = "server".into();
    let lines = told(&bringing("server", "client"), &[server.clone(), other, client], now());
    assert!(lines.len() == 1 && lines[0].contains("is in the input twice with different contents"), "{lines:?}");

    let one = "is also the Secret of `spec.customTLSSecret`";
    let lines = told(&bringing("server", "server"), &[server], now());
    assert!(lines.last().unwrap().contains(one), "{lines:?}");
    let lines = told(&bringing("unseen", "unseen"), &[], now());
    assert!(lines.len() == 1 && lines[0].contains(one), "{lines:?}");
    // A certificate for both purposes, and other keys in the same Secret, are accepted.
    let both = SERVER.replace("serverAuth", "serverAuth,clientAuth");
    let both = tls("both", &make(path, "_crunchyrepl", &P256, &both, Some(&root)), "", &root.certificate);
    assert_eq!(told(&bringing("both", "both"), &[both], now()), [""; 0]);
    let mut cluster = bringing("unseen", "unseen");
    let item = |key: &str, path: &str| KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None };
    let items = vec![item("ca", "ca.crt"), item("server.crt", "tls.crt"), item("server.key", "tls.key")];
    cluster.custom_tls_secret.as_mut().unwrap().items = Some(items);
    assert_eq!(told(&cluster, &[], now()), [""; 0]);
}

#[test]
fn whom_clients_must_trust_is_told_where_only_one_server_is_the_users() {
    let mut cluster = bringing("server", "client");
    assert_eq!(told(&cluster, &[], now()), [""; 0]);
    cluster.pgbouncer.as_mut().unwrap().custom_tls_secret = None;
    let lines = told(&cluster, &[], now());
    assert!(
        lines.len() == 1
            && lines[0]
                .contains("`ca.crt` of your Secret `server`, and `pgbouncer-frontend.ca-roots` of `hippo-pgbouncer`"),
        "{lines:?}"
    );

    let mut cluster = Cluster { custom_tls_secret: None, custom_replication_tls_secret: None, ..bringing("", "") };
    let item = KeyToPath { key: "root.pem".to_owned(), path: "ca.crt".to_owned(), mode: None };
    cluster.pgbouncer.as_mut().unwrap().custom_tls_secret.as_mut().unwrap().items = Some(vec![item]);
    let lines = told(&cluster, &[], now());
    assert!(
        lines[0].contains("no item has the path `tls.crt`") && lines[1].contains("no item has the path `tls.key`"),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("`root.pem` of your Secret `elsewhere`, and `ca.crt` of `hippo-cluster-cert`"),
        "{lines:?}"
    );
}

#[test]
fn many_authorities_are_not_all_tried() {
    if !available("openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let roots: Vec<Made> = (0..60).map(|_| make(path, "root", &P256, AUTHORITY, None)).collect();
    let stranger = make(path, "root", &P256, AUTHORITY, None);
    let bundle: String = roots.iter().map(|root| root.certificate.as_str()).collect();
    let server = make(path, "server", &P256, SERVER, Some(&stranger));
    let client = make(path, "_crunchyrepl", &P256, CLIENT, Some(&roots[59]));

    // None of these CAs has signed the certificate, and there are as many intermediate certificates.
    let secrets = [tls("server", &server, &bundle, &bundle), tls("client", &client, "", &bundle)];
    let (documents, options) = (documents(&secrets), Options { time: now(), ..Options::default() });
    let found = check(&bringing("server", "client"), &Sources::of(&documents, &options), &options);
    assert_eq!(found.signatures, 100 + 60);
    let lines = told(&bringing("server", "client"), &secrets, now());
    assert!(lines.len() == 1 && lines[0].contains("too many certificates with the same name"), "{lines:?}");

    // Copies of a certificate count once.
    let copies = roots[59].certificate.repeat(50);
    let good = make(path, "server", &P256, SERVER, Some(&roots[59]));
    let secrets = [tls("server", &good, &copies, &copies), tls("client", &client, "", &copies)];
    assert_eq!(told(&bringing("server", "client"), &secrets, now()), [""; 0]);

    for (chain, authorities, key) in [("", copies.repeat(2), "ca.crt"), (copies.repeat(2).as_str(), copies, "tls.crt")]
    {
        let secrets = [tls("server", &good, chain, &authorities), tls("client", &client, "", &bundle)];
        let lines = told(&bringing("server", "client"), &secrets, now());
        let refused = lines.iter().any(|line| line.contains(key) && line.contains("reads at most 64"));
        assert!(refused, "{lines:?}");
    }
}
