//! Tests that a rotation changes only what was requested.

use pgrender::identity::window::{Schedule, Window};
use pgrender::naming::annotation;
use pgrender::options::Options;
use serde_json::json;

use crate::common::rendering::{SEED, objects, objects_from, options};
use crate::determinism::{hippo, lines};

/// All fields with a certificate or its key.
const CERTIFICATES: [&str; 18] = [
    "~ ConfigMap/hippo-fingerprints /data/secret.hippo-cluster-cert",
    "~ ConfigMap/hippo-fingerprints /data/secret.hippo-one-certs",
    "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pgbackrest",
    "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pgbouncer",
    "~ ConfigMap/hippo-fingerprints /data/secret.hippo-replication-cert",
    "~ Secret/hippo-cluster-cert /data/tls.crt",
    "~ Secret/hippo-cluster-cert /data/tls.key",
    "~ Secret/hippo-one-certs /data/patroni.crt-combined",
    "~ Secret/hippo-one-certs /data/pgbackrest-server.crt",
    "~ Secret/hippo-one-certs /data/pgbackrest-server.key",
    "~ Secret/hippo-pgbackrest /data/pgbackrest-client.crt",
    "~ Secret/hippo-pgbackrest /data/pgbackrest-client.key",
    "~ Secret/hippo-pgbackrest /data/pgbackrest-repo-host.crt",
    "~ Secret/hippo-pgbackrest /data/pgbackrest-repo-host.key",
    "~ Secret/hippo-pgbouncer /data/pgbouncer-frontend.crt",
    "~ Secret/hippo-pgbouncer /data/pgbouncer-frontend.key",
    "~ Secret/hippo-replication-cert /data/tls.crt",
    "~ Secret/hippo-replication-cert /data/tls.key",
];

/// Returns what an annotation changes in `hippo`.
fn rotated(key: &str) -> Vec<String> {
    let mut cluster = hippo();
    cluster["metadata"]["annotations"] = json!({key: "2"});
    lines(objects(&hippo().to_string()).unwrap(), objects(&cluster.to_string()).unwrap())
}

/// Returns `lines`, and one line for each Secret that then has an annotation with its generation.
fn with_generations(lines: &[&str], secrets: &[&str]) -> Vec<String> {
    let generations = secrets.iter().map(|secret| format!("~ Secret/hippo-{secret} /metadata/annotations"));
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).chain(generations).collect();
    lines.sort();
    lines
}

/// The Secrets with certificates.
const HOLDERS: [&str; 5] = ["cluster-cert", "one-certs", "pgbackrest", "pgbouncer", "replication-cert"];

/// The options of a rendering in the next window.
fn next_window() -> Options {
    let window = Window::containing(options().time, Schedule::default()).unwrap();
    Options { time: window.end(), ..options() }
}

#[test]
fn one_password_changes_its_secret_and_the_caretakers() {
    assert_eq!(
        rotated(&format!("{}hippo", annotation::ROTATE_PASSWORD)),
        with_generations(
            &[
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-caretaker",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pguser-hippo",
                "~ Secret/hippo-caretaker /data/roles.json",
                "~ Secret/hippo-pguser-hippo /data/jdbc-uri",
                "~ Secret/hippo-pguser-hippo /data/password",
                "~ Secret/hippo-pguser-hippo /data/pgbouncer-jdbc-uri",
                "~ Secret/hippo-pguser-hippo /data/pgbouncer-uri",
                "~ Secret/hippo-pguser-hippo /data/uri",
                "~ Secret/hippo-pguser-hippo /data/verifier",
            ],
            &["pguser-hippo"]
        )
    );
}

#[test]
fn all_passwords_change_the_secrets_that_hold_one() {
    assert_eq!(
        rotated(annotation::ROTATE_PASSWORDS),
        with_generations(
            &[
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-caretaker",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-patroni",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pgbouncer",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pguser-hippo",
                "~ Secret/hippo-caretaker /data/roles.json",
                "~ Secret/hippo-patroni /data/authentication.yaml",
                "~ Secret/hippo-patroni /data/password",
                "~ Secret/hippo-pgbouncer /data/pgbouncer-password",
                "~ Secret/hippo-pgbouncer /data/pgbouncer-users.txt",
                "~ Secret/hippo-pgbouncer /data/pgbouncer-verifier",
                "~ Secret/hippo-pguser-hippo /data/jdbc-uri",
                "~ Secret/hippo-pguser-hippo /data/password",
                "~ Secret/hippo-pguser-hippo /data/pgbouncer-jdbc-uri",
                "~ Secret/hippo-pguser-hippo /data/pgbouncer-uri",
                "~ Secret/hippo-pguser-hippo /data/uri",
                "~ Secret/hippo-pguser-hippo /data/verifier",
            ],
            &["patroni", "pgbouncer", "pguser-hippo"]
        )
    );
}

#[test]
fn certificates_change_with_their_keys_and_the_ca_stays() {
    assert_eq!(rotated(annotation::ROTATE_CERTIFICATES), with_generations(&CERTIFICATES, &HOLDERS));
}

#[test]
fn the_ca_changes_certificates_and_no_key() {
    assert_eq!(
        rotated(annotation::ROTATE_CA),
        with_generations(
            &[
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-cluster-cert",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-one-certs",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pgbackrest",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-pgbouncer",
                "~ ConfigMap/hippo-fingerprints /data/secret.hippo-replication-cert",
                "~ Secret/hippo-cluster-cert /data/ca.crt",
                "~ Secret/hippo-cluster-cert /data/tls.crt",
                "~ Secret/hippo-one-certs /data/patroni.ca-roots",
                "~ Secret/hippo-one-certs /data/patroni.crt-combined",
                "~ Secret/hippo-one-certs /data/pgbackrest-server.crt",
                "~ Secret/hippo-pgbackrest /data/pgbackrest-client.crt",
                "~ Secret/hippo-pgbackrest /data/pgbackrest-repo-host.crt",
                "~ Secret/hippo-pgbackrest /data/pgbackrest.ca-roots",
                "~ Secret/hippo-pgbouncer /data/pgbouncer-frontend.ca-roots",
                "~ Secret/hippo-pgbouncer /data/pgbouncer-frontend.crt",
                "~ Secret/hippo-replication-cert /data/ca.crt",
                "~ Secret/hippo-replication-cert /data/tls.crt",
            ],
            &HOLDERS
        )
    );
}

#[test]
fn the_next_window_changes_what_a_rotation_of_certificates_changes() {
    let text = hippo().to_string();
    let next = objects_from(&text, SEED, &next_window()).unwrap();
    assert_eq!(lines(objects(&text).unwrap(), next), CERTIFICATES);
}
