//! Tests the identity of a cluster. This file tests what changes it; the modules test it with OpenSSL, PostgreSQL, pgjdbc, Go
//! and Python.

mod brought;
mod cluster;
mod derived;
mod fixtures;
mod jdbc;
mod openssl;
mod postgres;
mod reuse;
mod server;
mod tools;
mod uri;

use std::collections::BTreeSet;

use pgrender::identity::Seed;
use pgrender::identity::certificate::Certificate;
use pgrender::identity::window::{Schedule, Window};
use pgrender::kubernetes::SecretProjection;
use pgrender::options::Options;
use pgrender::postgres_cluster::cluster::{Cluster, PasswordType};
use pgrender::postgres_cluster::pgbackrest::model::Storage;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;
use pgrender::postgres_cluster::secrets::derive::derive;
use pgrender::postgres_cluster::secrets::existing::Existing;
use pgrender::postgres_cluster::secrets::generations::Generations;
use pgrender::postgres_cluster::secrets::identity::Identity;

use crate::identity::cluster::{hippo, instance_set, user};
use crate::identity::derived::{certificates, credential, leaf, member, members_trust, trust, values};
use crate::identity::tools::{available, verifies};

/// The seed of `fixtures/identity`.
const SEED: &str = "pgrender test vectors: a seed that guards nothing";
/// 2026-01-01 00:00:00 UTC.
const TIME: i64 = 1_767_225_600;

/// The window of time that contains the time of `options`.
pub(crate) fn window_of(options: &Options) -> Window {
    Window::containing(options.time, options.certificates).unwrap()
}

fn seed() -> Seed {
    Seed::new(SEED.as_bytes()).ok().unwrap()
}

fn identity(cluster: &Cluster) -> Identity {
    at(cluster, TIME)
}

fn at(cluster: &Cluster, time: i64) -> Identity {
    with(cluster, &Options { time, ..Options::default() })
}

fn with(cluster: &Cluster, options: &Options) -> Identity {
    let (identity, diagnostics) = derive(cluster, &seed(), window_of(options), options, &Existing::default());
    identity.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Returns the window of [`TIME`].
fn window(schedule: Schedule) -> Window {
    Window::containing(TIME, schedule).unwrap()
}

/// Returns the cluster after a rotation.
fn rotated(rotate: impl FnOnce(&mut Generations)) -> Cluster {
    let mut cluster = hippo();
    rotate(&mut cluster.generations);
    cluster
}

/// Returns the cluster after this number of rotations of its CA.
fn with_authority(generation: u32) -> Cluster {
    rotated(|generations| generations.authority = generation)
}

/// Returns the names of the values that differ.
fn differences(one: &Identity, other: &Identity) -> Vec<String> {
    let (one, other) = (values(one), values(other));
    one.keys()
        .chain(other.keys().filter(|name| !one.contains_key(*name)))
        .filter(|name| one.get(*name) != other.get(*name))
        .cloned()
        .collect()
}

fn blocks(bundle: &str) -> Vec<&str> {
    bundle.split_inclusive("-----END CERTIFICATE-----\n").collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_anywhere_in_a_window() {
    for (window_days, lifetime_days) in [(182, 397), (1, 31), (30, 90), (365, 825)] {
        let certificates = Schedule::new(window_days, lifetime_days).unwrap();
        let at = |time| with(&hippo(), &Options { time, certificates, ..Options::default() });
        let first = at(TIME);
        assert_eq!(values(&first).len(), 3 + 2 * 4 + 1 + 2 * 7);
        let window = window(certificates);
        for time in [window.start(), window.end() - 1] {
            assert_eq!(differences(&first, &at(time)), [""; 0]);
        }
        assert_eq!(differences(&first, &at(window.end())).len(), 14);
    }
}

#[test]
fn the_next_window_changes_certificates_and_their_keys_only() {
    let next = at(&hippo(), window(Schedule::default()).end());
    let changed = differences(&identity(&hippo()), &next);
    assert_eq!(changed.len(), 14);
    assert!(changed.iter().all(|name| name.starts_with("certificate ") || name.starts_with("key ")), "{changed:?}");
}

#[test]
fn another_seed_changes_every_value() {
    let first = identity(&hippo());
    let seed = Seed::new(SEED.to_uppercase().as_bytes()).ok().unwrap();
    let options = Options { time: TIME, ..Options::default() };
    let second = derive(&hippo(), &seed, window_of(&options), &options, &Existing::default()).0.unwrap();
    assert_eq!(differences(&first, &second).len(), values(&first).len());
}

#[test]
fn another_cluster_or_namespace_shares_nothing_but_the_ca_of_its_namespace() {
    let first = identity(&hippo());
    let renamed = Cluster { name: "rhino".to_owned(), ..hippo() };
    assert_eq!(differences(&first, &identity(&renamed)).len(), values(&first).len() - 1);
    let moved = Cluster { namespace: "other".to_owned(), ..hippo() };
    assert_eq!(differences(&first, &identity(&moved)).len(), values(&first).len());
}

#[test]
fn what_is_added_changes_nothing_else() {
    let first = identity(&hippo());
    let mut cluster = hippo();
    cluster.users.insert(0, user("aaa", PasswordType::Ascii));
    assert_eq!(differences(&first, &identity(&cluster)), ["password aaa", "verifier aaa"]);

    let mut cluster = hippo();
    cluster.instance_sets.insert(0, instance_set("00"));
    let added = ["certificate instance-set 00", "certificate member 00", "key instance-set 00", "key member 00"];
    assert_eq!(differences(&first, &identity(&cluster)), added);

    let mut cluster = hippo();
    cluster.instance_sets[0].replicas = 5;
    cluster.users[0].databases.push("more".to_owned());
    assert_eq!(differences(&first, &identity(&cluster)), [""; 0]);
}

#[test]
fn no_two_values_are_alike() {
    let mut all: Vec<String> = values(&identity(&hippo())).into_values().collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn passwords_have_the_lengths_and_alphabets_of_pgo() {
    let identity = identity(&hippo());
    assert_eq!(credential(&identity, "hippo").password.len(), 24);
    assert_eq!(credential(&identity, "app").password.len(), 24);
    assert!(credential(&identity, "app").password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(credential(&identity, "_crunchypgbouncer").password.len(), 32);
    assert_eq!(credential(&identity, "ccp_monitoring").password.len(), 24);
}

#[test]
fn a_cluster_has_only_what_it_needs() {
    let mut cluster = Cluster {
        backups: None,
        pgbouncer: None,
        exporter: None,
        custom_tls_secret: Some(SecretProjection::default()),
        custom_replication_tls_secret: Some("mine".to_owned()),
        ..hippo()
    };
    let identity = identity(&cluster);
    assert_eq!(certificates(&identity).keys().collect::<Vec<_>>(), [""; 0]);
    let planned: Vec<_> = identity.certificates.keys().collect();
    assert_eq!(planned, [&(CertificateRole::Member, "instance1".to_owned())]);
    assert_eq!(identity.credentials.keys().collect::<Vec<_>>(), ["_crunchypatroni", "app", "hippo"]);

    cluster.backups = hippo().backups;
    cluster.backups.as_mut().unwrap().repositories[0].storage = Storage::Gcs { bucket: "b".to_owned() };
    cluster.pgbouncer = hippo().pgbouncer;
    cluster.pgbouncer.as_mut().unwrap().custom_tls_secret = Some(SecretProjection::default());
    let identity = self::identity(&cluster);
    assert_eq!(certificates(&identity).keys().collect::<Vec<_>>(), ["instance-set instance1", "pgbackrest-client"]);
    assert!(identity.credentials.contains_key("_crunchypgbouncer"));
}

#[test]
fn another_lifetime_changes_certificates_but_not_their_keys() {
    let certificates = Schedule::new(182, 300).unwrap();
    let changed =
        differences(&identity(&hippo()), &with(&hippo(), &Options { time: TIME, certificates, ..Options::default() }));
    assert_eq!(changed.len(), 7);
    assert!(changed.iter().all(|name| name.starts_with("certificate ")), "{changed:?}");
}

#[test]
fn clusters_of_one_trust_domain_verify_each_other_across_namespaces() {
    let of = |namespace: &str, trust_domain: Option<&str>| {
        let cluster = Cluster { namespace: namespace.to_owned(), ..hippo() };
        let trust_domain = trust_domain.map(str::to_owned);
        with(&cluster, &Options { time: TIME, trust_domain, ..Options::default() })
    };
    let [one, other] = ["zoo", "park"].map(|namespace| of(namespace, Some("team-a")));
    assert_eq!(trust(&one), trust(&other));
    let strangers = [of("zoo", Some("team-b")), of("zoo", None), of("park", None)];

    // It changes the same values as a rotation of the CA, except for those with which the members of a cluster know each other.
    let mut rotated = differences(&identity(&hippo()), &identity(&with_authority(2)));
    rotated.retain(|name| !name.contains("member"));
    assert_eq!(differences(&of("zoo", None), &one), rotated);

    if available("openssl") {
        let directory = tempfile::tempdir().unwrap();
        let all_verify = |trusting: &Identity, presenting: &Identity| {
            let verdicts = certificates(presenting)
                .into_values()
                .map(|certificate| verifies(directory.path(), trust(trusting), &certificate.certificate, &[]))
                .collect::<BTreeSet<_>>();
            assert_eq!(verdicts.len(), 1);
            verdicts.contains(&true)
        };
        assert!(all_verify(&one, &other) && all_verify(&other, &one));
        for stranger in &strangers {
            assert!(!all_verify(&one, stranger) && !all_verify(stranger, &one));
            assert!(!all_verify(&other, stranger) && !all_verify(stranger, &other));
        }
    }
}

#[test]
fn the_members_of_a_cluster_know_each_other_and_nobody_else() {
    if !available("openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let verifies =
        |bundle: &str, certificate: &Certificate| verifies(directory.path(), bundle, &certificate.certificate, &[]);
    let of = |trust_domain: Option<&str>, cluster: &Cluster| {
        let trust_domain = trust_domain.map(str::to_owned);
        with(cluster, &Options { time: TIME, trust_domain, ..Options::default() })
    };
    let ours = of(None, &hippo());
    let presented = member(&ours);
    assert!(verifies(members_trust(&ours), presented));
    assert!(verifies(members_trust(&of(Some("another"), &hippo())), presented));
    assert!(!verifies(trust(&ours), presented));
    // Members do not trust a certificate of anybody else, nor the CA of another cluster.
    assert!(certificates(&ours).into_values().all(|other| !verifies(members_trust(&ours), other)));
    for stranger in
        [Cluster { name: "rhino".to_owned(), ..hippo() }, Cluster { namespace: "other".to_owned(), ..hippo() }]
    {
        let theirs = of(None, &stranger);
        assert!(!verifies(members_trust(&theirs), presented) && !verifies(members_trust(&ours), member(&theirs)));
    }
    // After a rotation, old and new members still trust each other.
    let [second, third] = [2, 3].map(|generation| identity(&with_authority(generation)));
    assert!(verifies(members_trust(&second), presented) && verifies(members_trust(&ours), member(&second)));
    assert!(!verifies(members_trust(&third), presented));
}

#[test]
fn a_trust_domain_changes_in_three_steps_that_trust_their_neighbours() {
    if !available("openssl") {
        return;
    }
    let step = |trust_domain: &str, also: &[&str]| {
        let trust_also = also.iter().map(|&domain| domain.to_owned()).collect();
        let trust_domain = Some(trust_domain.to_owned());
        with(&hippo(), &Options { time: TIME, trust_domain, trust_also, ..Options::default() })
    };
    let steps = [step("old", &[]), step("old", &["new"]), step("new", &["old"]), step("new", &[])];
    let directory = tempfile::tempdir().unwrap();
    let trusts = |one: &Identity, other: &Identity| {
        let presented = leaf(other, CertificateRole::Postgres);
        verifies(directory.path(), trust(one), &presented.certificate, &[])
    };
    for pair in steps.windows(2) {
        assert!(trusts(&pair[0], &pair[1]) && trusts(&pair[1], &pair[0]));
    }
    assert!(!trusts(&steps[0], &steps[2]) && !trusts(&steps[3], &steps[1]));
    // To name a domain twice, or the cluster's own domain, has no effect.
    assert_eq!(trust(&step("old", &["old"])), trust(&steps[0]));
    assert_eq!(trust(&step("old", &["new", "old", "new"])), trust(&steps[1]));
}

#[test]
fn a_password_rotates_alone() {
    let first = identity(&hippo());
    for role in ["hippo", "_crunchypgbouncer", "ccp_monitoring"] {
        let of = |generation| rotated(|generations| _ = generations.passwords.insert(role.to_owned(), generation));
        assert_eq!(differences(&first, &identity(&of(1))), [""; 0]);
        let rotated = identity(&of(2));
        assert_eq!(differences(&first, &rotated), [format!("password {role}"), format!("verifier {role}")]);
    }
    let of_patroni = rotated(|generations| _ = generations.passwords.insert("_crunchypatroni".to_owned(), 2));
    let rotated = identity(&of_patroni);
    assert_eq!(differences(&first, &rotated), ["password _crunchypatroni"]);
}

#[test]
fn all_passwords_rotate_and_nothing_else() {
    let first = identity(&hippo());
    assert_eq!(differences(&first, &identity(&rotated(|generations| generations.all_passwords = 1))), [""; 0]);
    let changed = differences(&first, &identity(&rotated(|generations| generations.all_passwords = 2)));
    let is_password = |name: &String| name.starts_with("password ") || name.starts_with("verifier ");
    assert_eq!(changed, values(&first).into_keys().filter(is_password).collect::<Vec<_>>());
}

#[test]
fn no_two_generations_of_a_password_are_alike() {
    let mut passwords = BTreeSet::new();
    for all in 1..=5 {
        for generation in 1..=5 {
            let cluster = rotated(|generations| {
                generations.all_passwords = all;
                generations.passwords.insert("hippo".to_owned(), generation);
            });
            passwords.insert(credential(&identity(&cluster), "hippo").password.to_string());
        }
    }
    assert_eq!(passwords.len(), 25);
}

#[test]
fn certificates_rotate_with_their_keys_and_nothing_else() {
    let first = identity(&hippo());
    assert_eq!(differences(&first, &identity(&rotated(|generations| generations.certificates = 1))), [""; 0]);
    let rotated = identity(&rotated(|generations| generations.certificates = 2));
    let is_leaf = |name: &String| name.starts_with("certificate ") || name.starts_with("key ");
    assert_eq!(differences(&first, &rotated), values(&first).into_keys().filter(is_leaf).collect::<Vec<_>>());
    if available("openssl") {
        let directory = tempfile::tempdir().unwrap();
        let leaf = &leaf(&rotated, CertificateRole::Postgres).certificate;
        assert!(verifies(directory.path(), trust(&first), leaf, &[]));
    }
}

#[test]
fn a_ca_rotates_without_leaving_anybody_behind() {
    let [first, second, third] = [1, 2, 3].map(|generation| identity(&with_authority(generation)));
    let changed = differences(&first, &second);
    assert_eq!(changed.iter().filter(|name| name.starts_with("certificate ")).count(), 7);
    assert_eq!(changed.len(), 9, "{changed:?}");

    let [one, two, three] = [&first, &second, &third].map(|identity| blocks(trust(identity)));
    assert_eq!((one.len(), two.len(), three.len()), (2, 3, 3));
    assert_eq!(one, two[..2]);
    assert_eq!(two[1..], three[..2]);

    if available("openssl") {
        let directory = tempfile::tempdir().unwrap();
        let verifies = |trusting: &Identity, presenting: &Identity| {
            let certificate = leaf(presenting, CertificateRole::Postgres);
            verifies(directory.path(), trust(trusting), &certificate.certificate, &[])
        };
        assert!(verifies(&first, &second) && verifies(&second, &first));
        assert!(verifies(&second, &third) && verifies(&third, &second));
        assert!(!verifies(&third, &first) && !verifies(&first, &third));
    }
}
