//! Tests `fixtures/identity`: derived values never change.

use pgrender::identity::certificate::Certificate;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;
use pgrender::postgres_cluster::secrets::identity::{Credential, Identity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::identity::cluster::{hippo, standby};
use crate::identity::derived::{credential, leaf, member, members_trust, trust};
use crate::identity::tools::{available, run};
use crate::identity::{SEED, TIME, blocks, identity};

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Describes the certificates of `hippo`: role, name, DNS names, purposes. It has one of them only as a standby cluster.
fn described(identity: &Identity, standby: &Identity) -> Vec<Value> {
    let service = |service: &str| {
        ["postgres-operator.svc.cluster.local", "postgres-operator.svc", "postgres-operator"]
            .map(|domain| format!("{service}.{domain}"))
            .into_iter()
            .chain([service.to_owned()])
            .collect::<Vec<_>>()
    };
    let pod = |pod: &str| service(&format!("{pod}.hippo-pods"))[..3].to_vec();
    let postgres = ["hippo-primary", "hippo-replicas", "hippo-ha"].map(service).concat();
    let row = |role: &str, name: &str, certificate: &Certificate, names: &[String], purposes: &[&str]| {
        json!({
            "role": role, "name": name, "names": names, "purposes": purposes, "certificate": certificate.certificate,
            "key_sha256": sha256(&certificate.key),
        })
    };
    let single = |identity: &Identity, role: CertificateRole, names: &[String], purpose: &str| {
        row(role.word(), "", leaf(identity, role), names, &[purpose])
    };
    let replication = ["_crunchyrepl".to_owned()];
    let replica = ["_crunchyrepl@postgres-operator/hippo".to_owned()];
    let pgbackrest = ["pgbackrest@postgres-operator/hippo".to_owned()];
    vec![
        single(identity, CertificateRole::Postgres, &postgres, "serverAuth"),
        single(standby, CertificateRole::Replication, &replication, "clientAuth"),
        single(identity, CertificateRole::PgBackRestClient, &pgbackrest, "clientAuth"),
        single(identity, CertificateRole::PgBackRestRepoHost, &pod("hippo-repo-host-0"), "serverAuth"),
        single(identity, CertificateRole::PgBouncer, &service("hippo-pgbouncer"), "serverAuth"),
        row(
            "instance-set",
            "instance1",
            identity.certificate(CertificateRole::InstanceSet, "instance1").unwrap(),
            &pod("*"),
            &["serverAuth", "clientAuth"],
        ),
        row("member", "instance1", member(identity), &pod("*"), &["serverAuth", "clientAuth"]),
        single(identity, CertificateRole::Replica, &replica, "clientAuth"),
    ]
}

#[test]
fn the_identity_of_hippo_is_what_it_always_was() {
    let identity = identity(&hippo());
    let described_credential = |role: &str, alphabet: &str| {
        let Credential { password, verifier, .. } = credential(&identity, role);
        json!({"alphabet": alphabet, "generation": 1, "password": **password, "verifier": **verifier.as_ref().unwrap()})
    };
    let actual = json!({
        "seed": SEED,
        "time": TIME,
        "trust_bundle": blocks(trust(&identity)),
        "members_bundle": blocks(members_trust(&identity)),
        "credentials": {
            "hippo": described_credential("hippo", "ascii"),
            "app": described_credential("app", "alphanumeric"),
            "_crunchypgbouncer": described_credential("_crunchypgbouncer", "ascii"),
            "ccp_monitoring": described_credential("ccp_monitoring", "ascii"),
            "_crunchypatroni": {
                "alphabet": "alphanumeric", "generation": 1, "password": *credential(&identity, "_crunchypatroni").password,
            },
        },
        "certificates": described(&identity, &crate::identity::identity(&standby())),
    });
    let text = serde_json::to_string_pretty(&actual).unwrap() + "\n";
    snapbox::assert_data_eq!(text, snapbox::file!["../../../fixtures/identity/hippo.json"].raw());
}

#[test]
fn another_implementation_derives_the_same() {
    if !available("python3") {
        return;
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let program = format!("{root}/tests/integration/identity/verify.py");
    let fixtures = format!("{root}/fixtures/identity");
    print!("{}", run("python3", &["-B", &program, &fixtures], ""));
}
