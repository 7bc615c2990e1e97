//! Tests credentials that the user provides: pgrender does not render their Secrets, pods refer to them, and nothing else
//! changes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::diagnostic::has_errors;
use pgrender::identity::Seed;
use pgrender::options::{CredentialSource, Options};
use pgrender::read;
use pgrender::render::render;
use serde_json::{Value, json};

use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects, objects_from, options};

fn reference() -> Options {
    Options { credentials: CredentialSource::Reference, ..options() }
}

/// Two users, pgBouncer and an exporter, with these annotations.
fn cluster(annotations: &Value) -> String {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "zoo", "annotations": annotations},
        "spec": {
            "postgresVersion": 17,
            "users": [{"name": "app", "databases": ["zoo"]}, {"name": "zoo", "databases": ["zoo"]}],
            "instances": [{"name": "one", "dataVolumeClaimSpec": claim}],
            "proxy": {"pgBouncer": {}},
            "monitoring": {"pgmonitor": {"exporter": {}}},
        },
    })
    .to_string()
}

fn get<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

fn secrets(objects: &[Value]) -> BTreeSet<&str> {
    let secrets = objects.iter().filter(|object| object["kind"] == "Secret");
    secrets.map(|secret| secret["metadata"]["name"].as_str().unwrap()).collect()
}

fn roles(objects: &[Value]) -> Value {
    let text = get(objects, "Secret", "hippo-caretaker").unwrap()["data"]["roles.json"].as_str().unwrap();
    serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()
}

/// The Secrets with credentials that the pods of a workload mount: name, key and path.
fn mounted(objects: &[Value], kind: &str, workload: &str) -> BTreeSet<(String, String, String)> {
    let volumes = &get(objects, kind, workload).unwrap()["spec"]["template"]["spec"]["volumes"];
    let mut found = BTreeSet::new();
    let volumes = volumes.as_array().unwrap().iter();
    for source in volumes.filter_map(|volume| volume["projected"]["sources"].as_array()).flatten() {
        for item in source["secret"]["items"].as_array().into_iter().flatten() {
            let [name, key, path] =
                [&source["secret"]["name"], &item["key"], &item["path"]].map(|text| text.as_str().unwrap().to_owned());
            if path.starts_with("credentials/") || key.ends_with("users.txt") {
                assert!(key.ends_with("users.txt") || source["secret"]["optional"] == true);
                found.insert((name, key, path));
            }
        }
    }
    found
}

fn mounts<const N: usize>(mounts: [(&str, &str, &str); N]) -> BTreeSet<(String, String, String)> {
    mounts.map(|(name, key, path)| (name.to_owned(), key.to_owned(), path.to_owned())).into()
}

/// As in PGO, nothing in the spec changes the superuser.
#[test]
fn postgres_is_a_superuser_whatever_its_options() {
    let user = r#""users":[{"name":"postgres","options":"NOSUPERUSER","databases":["zoo"]},"#;
    let text = cluster(&json!({})).replace(r#""users":["#, user);
    assert_ne!(text, cluster(&json!({})));
    let roles = roles(&objects(&text).unwrap());
    let postgres = &roles["users"][0];
    assert_eq!((&postgres["options"], &postgres["databases"]), (&json!("LOGIN SUPERUSER"), &json!(["postgres"])));
}

#[test]
fn no_credential_of_a_whole_cluster_is_rendered() {
    for (name, text) in fixtures() {
        for secret in
            objects_from(&text, SEED, &reference()).unwrap().iter().filter(|object| object["kind"] == "Secret")
        {
            for key in secret["data"].as_object().unwrap().keys() {
                let credential = ["password", "verifier", "users.txt", "uri"].iter().any(|part| key.contains(part));
                assert!(!credential, "{name} {key}");
            }
            let text: String = secret["data"].as_object().unwrap().values().map(Value::to_string).collect();
            assert!(!text.contains("SCRAM-SHA-256"), "{name}");
        }
    }
}

#[test]
fn the_caretaker_reads_what_the_user_brings() {
    let objects = objects_from(&cluster(&json!({})), SEED, &reference()).unwrap();
    assert_eq!(
        roles(&objects),
        json!({
            "users": [
                {"name": "app", "databases": ["zoo"], "options": "", "secret": "hippo-pguser-app"},
                {"name": "zoo", "databases": ["zoo"], "options": "", "secret": "hippo-pguser-zoo"},
            ],
            "pgbouncer": {"name": "_crunchypgbouncer", "secret": "hippo-pgbouncer"},
            "monitoring": {"name": "ccp_monitoring", "secret": "hippo-monitoring"},
        })
    );
    assert_eq!(
        mounted(&objects, "StatefulSet", "hippo-one"),
        mounts([
            ("hippo-pguser-app", "password", "credentials/app/password"),
            ("hippo-pguser-app", "verifier", "credentials/app/verifier"),
            ("hippo-pguser-zoo", "password", "credentials/zoo/password"),
            ("hippo-pguser-zoo", "verifier", "credentials/zoo/verifier"),
            ("hippo-pgbouncer", "pgbouncer-password", "credentials/_crunchypgbouncer/password"),
            ("hippo-pgbouncer", "pgbouncer-verifier", "credentials/_crunchypgbouncer/verifier"),
            ("hippo-monitoring", "password", "credentials/ccp_monitoring/password"),
            ("hippo-monitoring", "verifier", "credentials/ccp_monitoring/verifier"),
        ])
    );
    assert_eq!(
        mounted(&objects, "Deployment", "hippo-pgbouncer"),
        mounts([("hippo-pgbouncer", "pgbouncer-users.txt", "~postgres-operator/users.txt")])
    );
    // The certificate is not in the Secret that the user provides.
    let certificate = get(&objects, "Secret", "hippo-pgbouncer-tls").unwrap();
    assert_eq!(certificate["data"].as_object().unwrap().len(), 3);
}

#[test]
fn one_user_may_bring_a_secret_alone_and_changes_nothing_of_the_others() {
    let before = objects(&cluster(&json!({}))).unwrap();
    let after = objects(&cluster(&json!({"pgrender.dev/credentials.app": "reference"}))).unwrap();
    let gone: Vec<&str> = secrets(&before).difference(&secrets(&after)).copied().collect();
    assert_eq!(gone, ["hippo-pguser-app"]);
    assert!(secrets(&after).is_subset(&secrets(&before)));
    let changed: Vec<&str> = after
        .iter()
        .filter(|object| !before.contains(object))
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(changed, ["hippo-fingerprints", "hippo-caretaker", "hippo-one"]);
    let roles = roles(&after);
    assert_eq!(roles["users"][0]["secret"], "hippo-pguser-app");
    assert!(roles["users"][0].get("verifier").is_none() && roles["users"][1].get("verifier").is_some());

    // The opposite setting for a role.
    let annotations = json!({"pgrender.dev/credentials.app": "seed"});
    let mixed = objects_from(&cluster(&annotations), SEED, &reference()).unwrap();
    assert_eq!(get(&mixed, "Secret", "hippo-pguser-app"), get(&before, "Secret", "hippo-pguser-app"));
    assert!(!secrets(&mixed).contains("hippo-pguser-zoo"));
}

#[test]
fn what_can_be_no_reference_is_refused() {
    for (annotations, expected) in [
        (json!({"pgrender.dev/credentials.nobody": "reference"}), "is not for a user of the cluster"),
        (json!({"pgrender.dev/credentials.app": "vault"}), "write `reference` or `seed`"),
        (
            json!({"pgrender.dev/credentials.app": "reference", "pgrender.dev/rotate-password.app": "2"}),
            "change the password in the Secret",
        ),
    ] {
        let errors = objects(&cluster(&annotations)).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].to_string().contains(expected), "{}", errors[0]);
    }
    let all = cluster(&json!({"pgrender.dev/rotate-passwords": "2"}));
    assert!(objects(&all).is_ok());
    assert!(
        objects_from(&all, SEED, &reference()).unwrap_err()[0].message.contains("change the password in the Secret")
    );
}

#[test]
fn every_rotation_that_is_none_is_told_where_it_stands() {
    let annotations = json!({
        "pgrender.dev/rotate-ca": "two",
        "pgrender.dev/rotate-password.app": "0",
        "pgrender.dev/rotate-password.apps": "2",
        "pgrender.dev/rotate-pasword.app": "2",
    });
    let errors = objects(&cluster(&annotations)).unwrap_err();
    assert_eq!(errors.len(), 4, "{errors:?}");
    for (error, (key, part)) in errors.iter().zip([
        ("rotate-ca", "invalid value `two` of annotation `pgrender.dev/rotate-ca`"),
        ("rotate-password.app", "invalid value `0` of annotation `pgrender.dev/rotate-password.app`"),
        ("rotate-password.apps", "rotate-password.apps` is not for a user"),
        ("rotate-pasword.app", "`pgrender.dev/rotate-pasword.app` does not rotate anything"),
    ]) {
        let place = format!("metadata.annotations[\"pgrender.dev/{key}\"]: ");
        let error = error.to_string();
        assert!(error.contains(part) && error.contains(&place), "{error}");
    }
}

#[test]
fn what_makes_the_secret_may_be_in_the_input() {
    let maker = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "hippo-pguser-app", "namespace": "zoo"},
    });
    let with_maker = |annotations: &Value| objects(&format!("{}\n---\n{maker}\n", cluster(annotations)));
    assert!(with_maker(&json!({})).is_err());
    assert!(with_maker(&json!({"pgrender.dev/credentials.app": "reference"})).is_ok());
}

/// What is said about Secrets that the user provides and that are in the input.
#[test]
fn a_provided_secret_in_the_input_has_what_its_program_needs() {
    let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "zoo"}, "stringData": data});
    let told = |secret: &Value, options: &Options| -> Vec<String> {
        let text = format!("{}\n---\n{secret}\n", cluster(&json!({})));
        let documents = read::documents("input.yaml", &text).unwrap();
        let rendered = render(&documents, options, Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()));
        assert!(!has_errors(&rendered.diagnostics), "{:?}", rendered.diagnostics);
        let lines = rendered.diagnostics.iter().map(ToString::to_string);
        lines.filter(|line| line.starts_with("input.yaml:3:")).collect()
    };
    for (name, data, fault) in [
        (
            "monitoring",
            json!({"verifier": "md50123"}),
            "`password` of `Secret zoo/hippo-monitoring` is missing, so the exporter",
        ),
        ("monitoring", json!({"password": ""}), "is missing, so the exporter cannot log in"),
        ("monitoring", json!({"password": "hush\n"}), "begins or ends with white space"),
        ("monitoring", json!({"password": "\u{a0}hush"}), "begins or ends with white space"),
        ("monitoring", json!({"password": "hush hush"}), "contains a space"),
        (
            "pgbouncer",
            json!({"pgbouncer-password": "hush"}),
            "`pgbouncer-users.txt` of `Secret zoo/hippo-pgbouncer` is missing",
        ),
        ("pgbouncer", json!({"pgbouncer-users.txt": "hush"}), "because `pgbouncer-verifier` is missing too"),
        ("patroni", json!({"password": "hush"}), "`authentication.yaml` of `Secret zoo/hippo-patroni` is missing"),
        ("pguser-app", json!({"user": "app"}), "`password` of `Secret zoo/hippo-pguser-app` is missing"),
    ] {
        let secret = secret(&format!("hippo-{name}"), data);
        let lines = told(&secret, &reference());
        assert!(lines.len() == 1 && lines[0].contains("warning") && lines[0].contains(fault), "{secret}: {lines:?}");
        assert!(!lines[0].contains("hush"), "{lines:?}");
    }
    // The rendered Secret reuses this password.
    let reused = secret("hippo-monitoring", json!({"password": "hush hush"}));
    let lines = told(&reused, &options());
    assert!(lines.len() == 1 && lines[0].contains("contains a space"), "{lines:?}");
    for (name, data) in [
        ("monitoring", json!({"password": "'one'"})),
        ("pgbouncer", json!({"pgbouncer-users.txt": "a", "pgbouncer-verifier": "b"})),
        ("patroni", json!({"authentication.yaml": "a"})),
        ("pguser-app", json!({"verifier": "b"})),
        ("elsewhere", json!({})),
    ] {
        let secret = secret(&format!("hippo-{name}"), data);
        assert_eq!(told(&secret, &reference()), Vec::<String>::new(), "{secret}");
    }
}
