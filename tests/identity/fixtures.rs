//! `fixtures/identity`: what was derived once is derived for ever.

use pgrender::identity::{Certificate, Credential, Identity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cluster::{hippo, standby};
use crate::tools::{available, run};
use crate::{SEED, TIME, blocks, identity};

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What the certificates of `hippo` say: role, name, DNS names, purposes. One of them it has only as a standby cluster.
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
    let single = |role: &str, certificate: &Option<Certificate>, names: &[String], purpose: &str| {
        row(role, "", certificate.as_ref().unwrap(), names, &[purpose])
    };
    let replication = ["_crunchyrepl".to_owned()];
    let replica = ["_crunchyrepl@postgres-operator/hippo".to_owned()];
    let pgbackrest = ["pgbackrest@postgres-operator/hippo".to_owned()];
    vec![
        single("postgres", &identity.cluster_certificate, &postgres, "serverAuth"),
        single("replication", &standby.replication_certificate, &replication, "clientAuth"),
        single("pgbackrest-client", &identity.pgbackrest_client, &pgbackrest, "clientAuth"),
        single("pgbackrest-repo-host", &identity.pgbackrest_repo_host, &pod("hippo-repo-host-0"), "serverAuth"),
        single("pgbouncer", &identity.pgbouncer_frontend, &service("hippo-pgbouncer"), "serverAuth"),
        row(
            "instance-set",
            "instance1",
            &identity.instance_sets["instance1"],
            &pod("*"),
            &["serverAuth", "clientAuth"],
        ),
        row("member", "instance1", &identity.members["instance1"], &pod("*"), &["serverAuth", "clientAuth"]),
        single("replica", &identity.replication_certificate, &replica, "clientAuth"),
    ]
}

#[test]
fn the_identity_of_hippo_is_what_it_always_was() {
    let identity = identity(&hippo());
    let credential = |credential: &Credential, alphabet: &str| {
        let Credential { password, verifier, .. } = credential;
        json!({"alphabet": alphabet, "generation": 1, "password": **password, "verifier": **verifier})
    };
    let actual = json!({
        "seed": SEED,
        "time": TIME,
        "trust_bundle": blocks(&identity.trust_bundle),
        "members_bundle": blocks(&identity.members_bundle),
        "credentials": {
            "hippo": credential(&identity.users["hippo"], "ascii"),
            "app": credential(&identity.users["app"], "alphanumeric"),
            "_crunchypgbouncer": credential(identity.pgbouncer.as_ref().unwrap(), "ascii"),
            "ccp_monitoring": credential(identity.monitoring.as_ref().unwrap(), "ascii"),
            "_crunchypatroni": {
                "alphabet": "alphanumeric", "generation": 1, "password": *identity.patroni.as_ref().unwrap().password,
            },
        },
        "certificates": described(&identity, &crate::identity(&standby())),
    });
    let text = serde_json::to_string_pretty(&actual).unwrap() + "\n";
    snapbox::assert_data_eq!(text, snapbox::file!["../../fixtures/identity/hippo.json"].raw());
}

#[test]
fn another_implementation_derives_the_same() {
    if !available("python3") {
        return;
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let program = format!("{root}/tests/identity/verify.py");
    let fixtures = format!("{root}/fixtures/identity");
    print!("{}", run("python3", &["-B", &program, &fixtures], ""));
}
