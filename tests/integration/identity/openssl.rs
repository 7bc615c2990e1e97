//! Checks the certificates with OpenSSL.

use pgrender::identity::certificate::Certificate;
use pgrender::naming::{COMMON_NAME_MAX, REPLICATION_USER};
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;

use crate::identity::cluster::{hippo, standby};
use crate::identity::derived::{certificates, leaf, trust};
use crate::identity::identity;
use crate::identity::tools::{available, run, verifies};

/// A certificate and its expected use: hosts that it is valid for, hosts that it is not valid for, and the purposes server and
/// client.
struct Expectation<'a>(&'a str, &'a [&'a str], &'a [&'a str], bool, bool);

#[test]
fn openssl_verifies_every_certificate_for_its_names_and_purposes() {
    if !available("openssl") {
        return;
    }
    let identity = identity(&hippo());
    let certificates = certificates(&identity);
    let directory = tempfile::tempdir().unwrap();
    let expectations = [
        Expectation(
            "postgres",
            &[
                "hippo-primary.postgres-operator.svc.cluster.local",
                "hippo-primary.postgres-operator.svc",
                "hippo-primary.postgres-operator",
                "hippo-primary",
                "hippo-replicas.postgres-operator.svc.cluster.local",
                "hippo-replicas.postgres-operator.svc",
                "hippo-replicas.postgres-operator",
                "hippo-replicas",
                "hippo-ha.postgres-operator.svc.cluster.local",
                "hippo-ha.postgres-operator.svc",
                "hippo-ha.postgres-operator",
                "hippo-ha",
            ],
            &["hippo", "hippo-primary.other.svc", "rhino-primary.postgres-operator.svc"],
            true,
            false,
        ),
        Expectation("replication", &[], &["hippo-primary", "_crunchyrepl"], false, true),
        Expectation(
            "instance-set instance1",
            &[
                "hippo-instance1-0.hippo-pods.postgres-operator.svc.cluster.local",
                "hippo-instance1-7.hippo-pods.postgres-operator.svc.cluster.local",
                "hippo-instance1-123.hippo-pods.postgres-operator.svc",
                "hippo-instance1-0.hippo-pods.postgres-operator",
            ],
            &[
                "hippo-pods.postgres-operator.svc",
                "a.b.hippo-pods.postgres-operator.svc",
                "x.rhino-pods.postgres-operator",
            ],
            true,
            true,
        ),
        Expectation("pgbackrest-client", &[], &["hippo-primary"], false, true),
        Expectation(
            "pgbackrest-repo-host",
            &[
                "hippo-repo-host-0.hippo-pods.postgres-operator.svc.cluster.local",
                "hippo-repo-host-0.hippo-pods.postgres-operator.svc",
                "hippo-repo-host-0.hippo-pods.postgres-operator",
            ],
            &["hippo-repo-host-1.hippo-pods.postgres-operator.svc"],
            true,
            false,
        ),
        Expectation(
            "pgbouncer",
            &[
                "hippo-pgbouncer.postgres-operator.svc.cluster.local",
                "hippo-pgbouncer.postgres-operator.svc",
                "hippo-pgbouncer.postgres-operator",
                "hippo-pgbouncer",
            ],
            &["hippo-primary"],
            true,
            false,
        ),
    ];
    assert_eq!(expectations.len(), certificates.len());
    for Expectation(name, good, bad, server, client) in expectations {
        let certificate = &certificates[name].certificate;
        let verifies = |more: &[&str]| verifies(directory.path(), trust(&identity), certificate, more);
        assert!(verifies(&[]), "{name}");
        assert_eq!(verifies(&["-purpose", "sslserver"]), server, "{name}");
        assert_eq!(verifies(&["-purpose", "sslclient"]), client, "{name}");
        for host in good {
            assert!(verifies(&["-verify_hostname", host]), "{name}: {host}");
        }
        for host in bad {
            assert!(!verifies(&["-verify_hostname", host]), "{name}: {host}");
        }
    }
}

#[test]
fn every_key_is_that_of_its_certificate() {
    if !available("openssl") {
        return;
    }
    for (name, Certificate { certificate, key, .. }) in certificates(&identity(&hippo())) {
        assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----\n") && key.ends_with("-----END EC PRIVATE KEY-----\n"));
        run("openssl", &["ec", "-check", "-noout"], key);
        let public = run("openssl", &["pkey", "-pubout"], key);
        assert_eq!(public, run("openssl", &["x509", "-noout", "-pubkey"], certificate), "{name}");
    }
}

#[test]
fn clients_are_called_what_their_servers_expect() {
    if !available("openssl") {
        return;
    }
    for name in ["hippo".to_owned(), "c".repeat(46)] {
        let cluster = Cluster { name, ..hippo() };
        let standby = Cluster { name: cluster.name.clone(), ..standby() };
        let [ours, followers] = [&cluster, &standby].map(identity);
        for (certificate, name) in [
            (leaf(&ours, CertificateRole::PgBackRestClient), cluster.pgbackrest_client_name()),
            (leaf(&ours, CertificateRole::Replica), cluster.replica_name()),
            (leaf(&followers, CertificateRole::Replication), REPLICATION_USER.to_owned()),
        ] {
            let certificate = &certificate.certificate;
            let subject = run("openssl", &["x509", "-noout", "-subject", "-nameopt", "multiline"], certificate);
            assert!(subject.ends_with(&format!("= {name}\n")), "{subject}");
        }
    }
}

#[test]
fn the_longest_names_give_certificates_that_verify() {
    if !available("openssl") {
        return;
    }
    let cluster =
        Cluster { name: "c".repeat(46), namespace: "n".repeat(63), domain: "d.".repeat(40) + "example", ..hippo() };
    let identity = identity(&cluster);
    let directory = tempfile::tempdir().unwrap();
    for (name, Certificate { certificate, .. }) in certificates(&identity) {
        assert!(verifies(directory.path(), trust(&identity), certificate, &[]), "{name}");
        for part in ["-subject", "-issuer"] {
            let text = run("openssl", &["x509", "-noout", part, "-nameopt", "multiline"], certificate);
            let common_name = text.trim_end().rsplit_once("= ").unwrap().1;
            assert!((1..=COMMON_NAME_MAX).contains(&common_name.len()), "{name}: {text}");
        }
    }
    let certificate = &leaf(&identity, CertificateRole::Postgres).certificate;
    for host in cluster.service_names(&cluster.primary_service()) {
        assert!(verifies(directory.path(), trust(&identity), certificate, &["-verify_hostname", &host]), "{host}");
    }
}
