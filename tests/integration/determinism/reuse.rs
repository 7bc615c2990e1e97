//! Tests Secrets of an earlier run, or of other programs, in the input: values stay the same unless a change is requested.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::naming::annotation;
use pgrender::options::Options;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::rendering::{SEED, objects, objects_from, options};
use crate::determinism::{by_name, hippo, lines};

static PLAIN: OnceLock<Vec<Value>> = OnceLock::new();

const OTHER_SEED: &str = "YW5vdGhlciBzZWVkIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==";

/// The annotations of everything that rotates.
fn rotations() -> [String; 6] {
    let password = |user: &str| format!("{}{user}", annotation::ROTATE_PASSWORD);
    let all = [annotation::ROTATE_PASSWORDS, annotation::ROTATE_CERTIFICATES, annotation::ROTATE_CA].map(str::to_owned);
    let [passwords, certificates, ca] = all;
    [password("hippo"), password("_crunchypatroni"), password("_crunchypgbouncer"), passwords, certificates, ca]
}

/// Returns the cluster with these generations.
fn rotated(generations: &BTreeMap<String, u32>) -> Value {
    let mut cluster = hippo();
    cluster["metadata"]["annotations"] =
        generations.iter().map(|(key, number)| (key.clone(), json!(number.to_string()))).collect();
    cluster
}

fn secrets(objects: &[Value]) -> Vec<Value> {
    objects.iter().filter(|object| object["kind"] == "Secret").cloned().collect()
}

/// Renders the cluster with these Secrets in the input.
fn render(cluster: &Value, existing: &[Value], seed: &str, options: &Options) -> Vec<Value> {
    let documents: Vec<String> = existing.iter().chain([cluster]).map(Value::to_string).collect();
    objects_from(&documents.join("\n---\n"), seed, options).unwrap()
}

/// Returns the Secrets of a rendering with passwords that somebody has chosen.
fn chosen(objects: &[Value], password: &str) -> Vec<Value> {
    let mut secrets = secrets(objects);
    // Patroni's clients accept only ASCII.
    let possible = |secret: &&mut Value| password.is_ascii() || secret["metadata"]["name"] != "hippo-patroni";
    for secret in secrets.iter_mut().filter(possible) {
        let data = secret["data"].as_object_mut().unwrap();
        for key in
            ["password", "pgbouncer-password"].into_iter().filter(|key| data.contains_key(*key)).collect::<Vec<_>>()
        {
            data[key] = json!(STANDARD.encode(password));
            if let Some(verifier) = data.get_mut(&key.replace("password", "verifier")) {
                *verifier = json!("");
            }
        }
    }
    secrets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// A function gets the Secrets that it has rendered before, but the command line does not. Both must rotate the same
    /// values.
    #[test]
    fn a_rotation_does_the_same_where_the_secrets_of_before_are_there(steps in prop::collection::vec(0..6_usize, 1..5)) {
        let mut generations = BTreeMap::new();
        let mut kept = objects(&hippo().to_string()).unwrap();
        for step in steps {
            *generations.entry(rotations()[step].clone()).or_insert(1) += 1;
            let cluster = rotated(&generations);
            kept = render(&cluster, &secrets(&kept), SEED, &options());
            prop_assert_eq!(lines(objects(&cluster.to_string()).unwrap(), kept.clone()), [""; 0]);
        }
    }

    /// A value that somebody else has chosen stays until its rotation is requested. Then only this value changes.
    #[test]
    fn what_was_taken_over_changes_where_it_is_asked_to(step in 0..6_usize, password in "[ -~é🦛]{1,40}") {
        let plain = objects(&hippo().to_string()).unwrap();
        let taken = render(&hippo(), &chosen(&plain, &password), SEED, &options());
        let user = by_name(taken.clone())["Secret/hippo-pguser-hippo"].clone();
        prop_assert_eq!(&user["data"]["password"], &json!(STANDARD.encode(&password)));
        prop_assert_eq!(lines(taken.clone(), render(&hippo(), &secrets(&taken), SEED, &options())), [""; 0]);

        let cluster = rotated(&BTreeMap::from([(rotations()[step].clone(), 2)]));
        let without = lines(plain, objects(&cluster.to_string()).unwrap());
        let with = render(&cluster, &secrets(&taken), SEED, &options());
        prop_assert_eq!(lines(taken, with.clone()), without);
        prop_assert_eq!(lines(with.clone(), render(&cluster, &secrets(&with), SEED, &options())), [""; 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes are changed at any position, also inside the base64 of PEM. The certificate must then be kept, replaced or
    /// refused.
    #[test]
    fn a_damaged_value_is_refused_or_replaced_and_never_shown(
        secret in any::<prop::sample::Index>(), key in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut all = secrets(PLAIN.get_or_init(|| objects(&hippo().to_string()).unwrap()));
        let data = secret.get_mut(&mut all)["data"].as_object_mut().unwrap();
        let key = key.get(&data.keys().cloned().collect::<Vec<_>>()).clone();
        let mut value = STANDARD.decode(data[&key].as_str().unwrap()).unwrap();
        *at.get_mut(&mut value) = byte;
        let damaged = String::from_utf8_lossy(&value).into_owned();
        data[&key] = json!(STANDARD.encode(&value));
        let documents: Vec<String> = all.iter().chain([&hippo()]).map(Value::to_string).collect();
        if let Err(errors) = objects(&documents.join("\n---\n")) {
            for error in errors {
                prop_assert!(error.message.contains(&key) && error.message.contains("Secret zoo/hippo-"), "{}", error);
                prop_assert!(!error.message.contains(damaged.trim()), "{}", error);
            }
        }
    }
}

#[test]
fn secrets_of_others_change_nothing() {
    let plain = objects(&hippo().to_string()).unwrap();
    let mut others = chosen(&plain, "another");
    for (index, secret) in others.iter_mut().enumerate() {
        let field = if index % 2 == 0 { "name" } else { "namespace" };
        secret["metadata"][field] = json!("other");
        secret["data"]["password"] = json!("not base64!");
    }
    assert_eq!(lines(plain, render(&hippo(), &others, SEED, &options())), [""; 0]);
}

#[test]
fn another_seed_keeps_passwords_and_goes_on_trusting_the_ca_of_before() {
    let before = objects(&hippo().to_string()).unwrap();
    let after = render(&hippo(), &secrets(&before), OTHER_SEED, &options());
    let changed = lines(before.clone(), after.clone());
    assert!(!changed.iter().any(|line| line.contains("pguser") && line.starts_with("~ Secret")), "{changed:?}");
    assert!(changed.contains(&"~ Secret/hippo-cluster-cert /data/tls.crt".to_owned()), "{changed:?}");
    let bundle = |objects: &[Value]| {
        let secret = by_name(objects.to_vec())["Secret/hippo-cluster-cert"].clone();
        String::from_utf8(STANDARD.decode(secret["data"]["ca.crt"].as_str().unwrap()).unwrap()).unwrap()
    };
    let authorities = |bundle: &str| -> Vec<String> {
        bundle.split_inclusive("-----END CERTIFICATE-----\n").map(str::to_owned).collect()
    };
    let [first, second] = [&before, &after].map(|objects| authorities(&bundle(objects)));
    // This is the CA that signed, and not the one that would have been the next.
    assert_eq!((second.len(), &second[2]), (3, &first[0]));
    assert_eq!(lines(after.clone(), render(&hippo(), &secrets(&after), OTHER_SEED, &options())), [""; 0]);

    // The bundle does not grow with the number of seed changes.
    let last = render(&hippo(), &secrets(&after), &OTHER_SEED.to_lowercase(), &options());
    let third = authorities(&bundle(&last));
    assert_eq!((third.len(), &third[2]), (3, &second[0]));
}

#[test]
fn a_generation_never_goes_back() {
    let all: BTreeMap<String, u32> = rotations().into_iter().map(|key| (key, 3)).collect();
    let later = objects(&rotated(&all).to_string()).unwrap();
    let without = render(&hippo(), &secrets(&later), SEED, &options());
    assert_eq!(lines(later, without), [""; 0]);
}

#[test]
fn what_kubectl_prints_of_a_secret_besides_its_data_stays_out() {
    let plain = objects(&hippo().to_string()).unwrap();
    let mut printed = secrets(&plain);
    for secret in &mut printed {
        let metadata = secret["metadata"].as_object_mut().unwrap();
        metadata.remove("labels");
        metadata.insert("uid".to_owned(), json!("5d0d4f0c"));
        metadata.insert("resourceVersion".to_owned(), json!("7"));
        metadata.insert("managedFields".to_owned(), json!([{"manager": "postgrescluster-controller"}]));
        metadata.insert("ownerReferences".to_owned(), json!([{"kind": "PostgresCluster", "name": "hippo"}]));
        metadata.insert("annotations".to_owned(), json!({"example.com/a": "b"}));
    }
    assert_eq!(lines(plain, render(&hippo(), &printed, SEED, &options())), [""; 0]);
}
