//! Tests existing Secrets that PGO or users have created: OpenSSL creates and checks them, and PostgreSQL accepts the
//! credentials.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::identity::{Seed, scram};
use pgrender::naming::annotation;
use pgrender::options::Options;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;
use pgrender::postgres_cluster::secrets::derive::derive;
use pgrender::postgres_cluster::secrets::existing::{Existing, Sources, existing};
use pgrender::postgres_cluster::secrets::identity::Identity;
use pgrender::read::{self, Document};
use serde_json::{Value, json};

use crate::common::authority::{Authority, new_key};
use crate::identity::cluster::{hippo, standby};
use crate::identity::derived::{certificates, credential, leaf, member, members_trust, trust, verifier};
use crate::identity::server::Server;
use crate::identity::tools::{available, run};
use crate::identity::{at, blocks, seed, window_of, with_authority};

const DAY: i64 = 86_400;

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A Secret as `kubectl get -o yaml` prints it.
pub(crate) fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let data: BTreeMap<&str, String> = data.iter().map(|(key, text)| (*key, STANDARD.encode(text))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {
            "name": name, "namespace": "postgres-operator", "uid": "5d0d4f0c", "resourceVersion": "7",
            "ownerReferences": [{"kind": "PostgresCluster", "name": "hippo"}],
        },
    })
}

pub(crate) fn documents(secrets: &[Value]) -> Vec<Document> {
    let texts: Vec<String> = secrets.iter().map(Value::to_string).collect();
    read::documents("existing.yaml", &texts.join("\n---\n")).unwrap()
}

/// Returns the identity of a cluster that already has these Secrets, and what is reported.
fn with(
    cluster: &pgrender::postgres_cluster::cluster::Cluster,
    secrets: &[Value],
    time: i64,
) -> (Identity, Vec<String>) {
    let (documents, options) = (documents(secrets), Options { time, ..Options::default() });
    let (existing, errors) = existing(&Sources::of(&documents, &options), cluster);
    assert_eq!(errors, []);
    let (identity, told) = derive(cluster, &seed(), window_of(&options), &options, &existing);
    (identity.unwrap_or_else(|| panic!("{told:?}")), told.iter().map(ToString::to_string).collect())
}

/// PGO's CA, and the Secrets of `hippo` as PGO creates them.
struct Pgo(Authority);

impl Pgo {
    fn new() -> Self {
        Self(Authority::new())
    }

    /// Creates a certificate with its key. Its common name is the first of its names.
    fn leaf(&self, names: &[&str]) -> (String, String) {
        let key = new_key();
        (self.0.sign(&key, names[0], names), key)
    }

    fn root(&self) -> &str {
        &self.0.root
    }

    fn root_secret(&self) -> Value {
        secret("pgo-root-cacert", &[("root.crt", self.root()), ("root.key", &self.0.root_key)])
    }

    fn secrets(&self) -> Vec<Value> {
        let tls = |name: &str, names: &[&str]| {
            let (certificate, key) = self.leaf(names);
            secret(name, &[("tls.crt", &certificate), ("tls.key", &key), ("ca.crt", self.root())])
        };
        let verifier = scram::verifier("geheim", b"salt of somebody");
        vec![
            self.root_secret(),
            tls("hippo-cluster-cert", &["hippo-primary.postgres-operator.svc.cluster.local.", "hippo-primary"]),
            tls("hippo-replication-cert", &["_crunchyrepl"]),
            secret("hippo-pguser-hippo", &[("password", "geheim"), ("verifier", &verifier)]),
        ]
    }

    fn verifies(&self, bundle: &str, certificate: &str) -> bool {
        self.0.verifies(bundle, certificate)
    }
}

/// Returns the Secrets with the certificates of an identity, as an earlier run rendered them.
fn rendered(identity: &Identity) -> Vec<Value> {
    let bundle = trust(identity);
    let pair = |name: &str| certificates(identity)[name];
    let simple = |name: &str, role: &str| {
        let pair = pair(role);
        secret(name, &[("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", bundle)])
    };
    let (set, client, host, frontend) =
        (pair("instance-set instance1"), pair("pgbackrest-client"), pair("pgbackrest-repo-host"), pair("pgbouncer"));
    let member = member(identity);
    let combined = format!("{}{}", *member.key, member.certificate);
    let (pgbouncer, hippo) = (credential(identity, "_crunchypgbouncer"), credential(identity, "hippo"));
    let mut secrets = vec![
        simple("hippo-cluster-cert", "postgres"),
        simple("hippo-replication-cert", "replication"),
        secret(
            "hippo-instance1-certs",
            &[
                ("patroni.ca-roots", members_trust(identity)),
                ("patroni.crt-combined", &combined),
                ("pgbackrest-server.crt", &set.certificate),
                ("pgbackrest-server.key", &set.key),
            ],
        ),
        secret(
            "hippo-pgbackrest",
            &[
                ("pgbackrest.ca-roots", bundle),
                ("pgbackrest-client.crt", &client.certificate),
                ("pgbackrest-client.key", &client.key),
                ("pgbackrest-repo-host.crt", &host.certificate),
                ("pgbackrest-repo-host.key", &host.key),
            ],
        ),
        secret(
            "hippo-pgbouncer",
            &[
                ("pgbouncer-frontend.ca-roots", bundle),
                ("pgbouncer-frontend.crt", &frontend.certificate),
                ("pgbouncer-frontend.key", &frontend.key),
                ("pgbouncer-password", &pgbouncer.password),
                ("pgbouncer-verifier", verifier(pgbouncer)),
            ],
        ),
        secret("hippo-pguser-hippo", &[("password", &hippo.password), ("verifier", verifier(hippo))]),
    ];
    let generation = identity.trust.as_ref().unwrap().generation.to_string();
    for secret in &mut secrets {
        secret["metadata"]["annotations"] = json!({annotation::GENERATION_CA: generation});
    }
    secrets
}

#[test]
fn whoever_trusts_pgos_ca_notices_nothing_of_a_take_over() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let secrets = pgo.secrets();
    let (identity, told) = with(&hippo(), &secrets, now());
    assert_eq!(*credential(&identity, "hippo").password, "geheim");
    assert_eq!(told.iter().filter(|line| !line.contains("info: ")).collect::<Vec<_>>(), [""; 0]);
    for (name, certificate) in certificates(&identity) {
        assert!(pgo.verifies(pgo.root(), &certificate.certificate), "{name}");
    }
    // PGO's certificate for replicas has the same name in every cluster, and its server certificate has too few names.
    for name in ["_crunchyrepl@postgres-operator/hippo", "hippo-primary.postgres-operator.svc.cluster.local"] {
        let reason = format!("is replaced, because it does not have the name `{name}`");
        assert!(told.iter().any(|line| line.contains(&reason)), "{name}: {told:?}");
    }
    assert_eq!(blocks(trust(&identity))[0], pgo.root());

    // The next run changes nothing, even if it also gets Secrets of PGO.
    let mut second = rendered(&identity);
    second.push(pgo.root_secret());
    let (again, told) = with(&hippo(), &second, now());
    assert_eq!(told, [""; 0]);
    assert_eq!(crate::identity::differences(&identity, &again), [""; 0]);
}

#[test]
fn pgos_ca_is_left_in_two_steps_without_leaving_anybody_behind() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let root = pgo.root_secret();
    let (first, _) = with(&hippo(), &pgo.secrets(), now());
    let step = |before: &Identity, generation: u32, root: Option<&Value>| {
        let secrets: Vec<Value> = rendered(before).into_iter().chain(root.cloned()).collect();
        with(&with_authority(generation), &secrets, now())
    };
    for root in [Some(&root), None] {
        let (second, told) = step(&first, 2, root);
        assert!(told.iter().all(|line| line.contains("info: ")), "{told:?}");
        let (third, _) = step(&second, 3, root);
        for (one, other) in [(&first, &second), (&second, &third)] {
            for (name, _) in certificates(one) {
                assert!(pgo.verifies(trust(one), &certificates(other)[&name].certificate), "{name}");
                assert!(pgo.verifies(trust(other), &certificates(one)[&name].certificate), "{name}");
            }
        }
        assert!(trust(&second).contains(pgo.root()) && !trust(&third).contains(pgo.root()));
        assert!(!pgo.verifies(trust(&third), &leaf(&first, CertificateRole::Postgres).certificate));
    }
}

#[test]
fn without_pgos_ca_its_certificates_stay_trusted_and_a_warning_says_who_must_read_again() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let (identity, told) = with(&hippo(), &pgo.secrets()[1..], now());
    let warnings: Vec<&String> = told.iter().filter(|line| line.contains("warning: ")).collect();
    assert!(
        warnings.len() == 1 && warnings[0].contains("does not contain the CA that signs new certificates"),
        "{told:?}"
    );
    let (old, _) = pgo.leaf(&["hippo-primary"]);
    assert!(pgo.verifies(trust(&identity), &old));
    assert_eq!(
        crate::identity::differences(&identity, &at(&hippo(), now())),
        ["password hippo", "trust bundle", "verifier hippo"]
    );
    // From then on, the trusted CAs stay the same.
    let (again, told) = with(&hippo(), &rendered(&identity), now());
    assert_eq!((told, trust(&again)), (Vec::new(), trust(&identity)));
}

#[test]
fn pgos_ca_signs_in_the_trust_domain_of_its_namespace_only() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let documents = documents(&pgo.secrets());
    for (domain, signs) in [("postgres-operator", true), ("team", false)] {
        let options = Options { time: now(), trust_domain: Some(domain.to_owned()), ..Options::default() };
        let (existing, _) = existing(&Sources::of(&documents, &options), &hippo());
        let (identity, told) = derive(&hippo(), &seed(), window_of(&options), &options, &existing);
        let identity = identity.unwrap();
        let server = &leaf(&identity, CertificateRole::Postgres).certificate;
        assert_eq!(pgo.verifies(pgo.root(), server), signs, "{domain}");
        assert!(pgo.verifies(trust(&identity), server) && trust(&identity).contains(pgo.root()));
        assert_eq!(
            told.iter().any(|told| told.message.contains("does not contain the CA that signs")),
            !signs,
            "{told:?}"
        );
    }
}

/// The source of a standby cluster knows it by PGO's name. After the promotion, this name must not be accepted any more.
#[test]
fn a_standby_cluster_keeps_pgos_certificate_until_it_is_promoted() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let secrets = pgo.secrets();
    let shown = |identity: &Identity| certificates(identity)["replication"].certificate.clone();
    let (follower, _) = with(&standby(), &secrets, now());
    assert_eq!(STANDARD.encode(shown(&follower)), secrets[2]["data"]["tls.crt"].as_str().unwrap());
    let mut second = rendered(&follower);
    second.push(pgo.root_secret());
    let (promoted, told) = with(&hippo(), &second, now());
    assert!(told.iter().any(|line| line.contains("/hippo-replication-cert` is replaced")), "{told:?}");
    assert_eq!(crate::identity::differences(&follower, &promoted), ["certificate replication", "key replication"]);
    assert!(pgo.verifies(pgo.root(), &shown(&promoted)));
    let mut third = rendered(&promoted);
    third.push(pgo.root_secret());
    let (back, _) = with(&standby(), &third, now());
    assert_ne!(shown(&back), shown(&promoted));
}

#[test]
fn pgos_ca_must_outlive_what_it_signs() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let root = [pgo.root_secret()];
    let (_, told) = with(&hippo(), &root, now() + 3500 * DAY);
    assert!(
        told.iter().any(|line| line.contains("warning: ") && line.contains("before the certificates that it signs")),
        "{told:?}"
    );
    let later = now() + 3651 * DAY;
    let (documents, options) = (documents(&root), Options { time: later, ..Options::default() });
    let (found, _) = existing(&Sources::of(&documents, &options), &hippo());
    let (identity, told) = derive(&hippo(), &seed(), window_of(&options), &options, &found);
    assert!(identity.is_none() && told[0].to_string().contains("increase `pgrender.dev/rotate-ca`"), "{told:?}");
    // The action that the message suggests works.
    let (_, told) = with(&with_authority(2), &root, later);
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_certificate_of_another_client_is_replaced_even_if_it_has_the_name_too() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let name = hippo().replica_name();
    for (names, kept) in [([name.as_str(), "more"], true), (["more", &name], false), (["_crunchyrepl", &name], false)] {
        let (certificate, key) = pgo.leaf(&names);
        let client = [("tls.crt", &*certificate), ("tls.key", &*key), ("ca.crt", pgo.root())];
        let (identity, _) = with(&hippo(), &[pgo.root_secret(), secret("hippo-replication-cert", &client)], now());
        assert_eq!(leaf(&identity, CertificateRole::Replica).certificate == certificate, kept, "{names:?}");
    }
}

#[test]
fn a_certificate_is_kept_for_two_thirds_of_its_life() {
    if !available("openssl") {
        return;
    }
    let pgo = Pgo::new();
    let secrets = pgo.secrets();
    let kept = |days: i64| {
        let (identity, _) = with(&standby(), &secrets, now() + days * DAY);
        let certificate = STANDARD.encode(&leaf(&identity, CertificateRole::Replication).certificate);
        certificate == secrets[2]["data"]["tls.crt"].as_str().unwrap()
    };
    assert!(kept(0) && kept(243) && !kept(244));
}

#[test]
fn another_window_keeps_certificates_and_says_until_when() {
    let first = at(&hippo(), crate::identity::TIME);
    let next = first.renewal.due;
    let (kept, _) = with(&hippo(), &rendered(&first), next);
    let certificates = |identity: &Identity| {
        certificates(identity)
            .into_iter()
            .map(|(name, pair)| (name, pair.certificate.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    assert!(certificates(&kept) == certificates(&first));
    assert_eq!(kept.renewal.last, first.renewal.last);
    // Two thirds of 397 days.
    assert_eq!((kept.renewal.due - (first.renewal.last - 397 * DAY)) / DAY, 264);
    let (replaced, _) = with(&hippo(), &rendered(&first), kept.renewal.due);
    assert!(certificates(&replaced) == certificates(&at(&hippo(), kept.renewal.due)));
}

#[test]
fn what_makes_a_secret_of_a_rendered_name_is_refused_and_others_are_not() {
    let maker = |kind: &str, group: &str, name: &str, target: Value| {
        json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name, "namespace": "postgres-operator"},
               "spec": {"target": target}})
    };
    for (maker, refused) in [
        (maker("SealedSecret", "bitnami.com", "hippo-pguser-hippo", Value::Null), true),
        (maker("ExternalSecret", "external-secrets.io", "app", json!({"name": "hippo-pgbouncer"})), true),
        (maker("ExternalSecret", "external-secrets.io", "hippo-pgbouncer", json!({"name": "app"})), false),
        (maker("SealedSecret", "bitnami.com", "rhino-pguser-rhino", Value::Null), false),
        (maker("SealedSecret", "example.com", "hippo-pguser-hippo", Value::Null), false),
    ] {
        let (documents, options) = (documents(&[maker]), Options { time: now(), ..Options::default() });
        let (_, errors) = existing(&Sources::of(&documents, &options), &hippo());
        // pgBouncer's Secret is read twice, for its password and for its certificate, but refused once.
        assert_eq!(errors.len(), usize::from(refused), "{errors:?}");
    }
}

#[test]
fn postgres_lets_in_whom_a_kept_verifier_lets_in() {
    if !available("psql") || !available("setpriv") || !available("md5sum") {
        return;
    }
    let digest = |text: &str| format!("md5{}", run("md5sum", &[], text).split(' ').next().unwrap());
    let hippo_verifier = digest("geheim\u{1f99b}hippo");
    let secrets = [
        secret("hippo-pguser-hippo", &[("password", "geheim\u{1f99b}"), ("verifier", &hippo_verifier)]),
        secret("hippo-pguser-app", &[("password", "chosen 'by' hand"), ("verifier", "")]),
        secret(
            "hippo-monitoring",
            &[("password", "a decoy"), ("verifier", &scram::verifier("true", b"0123456789abcdef"))],
        ),
    ];
    let (identity, told) = with(&hippo(), &secrets, now());
    assert_eq!(verifier(credential(&identity, "hippo")), hippo_verifier);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("existing.yaml:")
            && told[0].contains("`verifier` of `Secret postgres-operator/hippo-monitoring`")
    );
    assert!(told[0].contains("does not match the password in the same Secret"));
    let Some(server) = Server::start(&hippo(), &identity) else { return };
    let login = |role: &str, password: &str| {
        let connection = format!("host=hippo-primary user={role} dbname=postgres");
        server.connect(&connection, &[("PGPASSWORD", password)]).status.success()
    };
    let monitoring = credential(&identity, "ccp_monitoring");
    for (role, credential) in [
        ("hippo", credential(&identity, "hippo")),
        ("app", credential(&identity, "app")),
        ("ccp_monitoring", monitoring),
    ] {
        server.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", verifier(credential)));
    }
    server.allow_md5("hippo");
    assert!(login("hippo", "geheim\u{1f99b}") && !login("hippo", "geheim"));
    assert!(login("app", "chosen 'by' hand"));
    assert!(login("ccp_monitoring", "true") && !login("ccp_monitoring", "a decoy"));
}

/// Changes the bundle in one key of an instance set's Secret.
fn bundle_of_instances(secrets: &mut [Value], key: &str, change: impl FnOnce(String) -> String) {
    let secret = secrets.iter_mut().find(|secret| secret["metadata"]["name"] == "hippo-instance1-certs").unwrap();
    let value = &mut secret["data"][key];
    let text = String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    *value = STANDARD.encode(change(text)).into();
}

#[test]
fn members_trust_no_authority_but_their_own() {
    if !available("openssl") {
        return;
    }
    let (identity, _) = with(&hippo(), &[], now());
    let stranger = Authority::new().root;
    let neighbour = Cluster { name: "hippo-instance1".to_owned(), ..hippo() };
    let (neighbour, _) = with(&neighbour, &[], now());
    for foreign in [stranger.as_str(), members_trust(&neighbour)] {
        let mut secrets = rendered(&identity);
        bundle_of_instances(&mut secrets, "patroni.ca-roots", |bundle| format!("{bundle}{foreign}"));
        let (again, told) = with(&hippo(), &secrets, now());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("`patroni.ca-roots` of `Secret postgres-operator/hippo-instance1-certs` contains a CA"),
            "{told:?}"
        );
        assert_eq!(crate::identity::differences(&identity, &again), [""; 0]);
    }
}

#[test]
fn a_bundle_of_an_earlier_version_gives_way_without_a_word() {
    let (identity, _) = with(&hippo(), &[], now());
    let mut secrets = rendered(&identity);
    // For some time, Patroni's servers trusted both CAs, and the CA of the members had its own key.
    bundle_of_instances(&mut secrets, "patroni.ca-roots", |members| format!("{}{members}", trust(&identity)));
    let mut before = rendered(&identity);
    // Before that, there was only one CA.
    bundle_of_instances(&mut before, "patroni.ca-roots", |_| trust(&identity).to_owned());
    let set = identity.certificate(CertificateRole::InstanceSet, "instance1").unwrap();
    bundle_of_instances(&mut before, "patroni.crt-combined", |_| format!("{}{}", *set.key, set.certificate));
    for (secrets, expected) in
        [(secrets, "contains a CA that is not"), (before, "is replaced, because another CA signed it")]
    {
        let (again, told) = with(&hippo(), &secrets, now());
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        assert_eq!(crate::identity::differences(&identity, &again), [""; 0]);
    }
}

#[test]
fn a_ca_that_is_only_called_as_that_of_members_is_told() {
    let (identity, _) = with(&hippo(), &[], now());
    let other =
        Seed::new(b"YW5vdGhlciBzZWVkIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==").ok().unwrap();
    let options = Options { time: now(), ..Options::default() };
    let (earlier, _) = derive(&hippo(), &other, window_of(&options), &options, &Existing::default());
    let earlier = earlier.unwrap();
    let earlier = blocks(members_trust(&earlier))[0];
    let mut secrets = rendered(&identity);
    bundle_of_instances(&mut secrets, "patroni.ca-roots", |bundle| format!("{bundle}{earlier}"));
    let (again, told) = with(&hippo(), &secrets, now());
    assert!(told.len() == 1 && told[0].contains("contains a CA of members that this seed does not give"), "{told:?}");
    assert!(members_trust(&again).contains(earlier));
    let (third, _) = with(&with_authority(2), &rendered(&again), now());
    assert!(!members_trust(&third).contains(earlier));
}

#[test]
fn a_secret_of_another_cluster_is_not_taken() {
    for (label, expected) in [("hippo", false), ("hippo-instance1", true)] {
        for name in
            ["hippo-instance1-certs", "hippo-pguser-hippo", "hippo-patroni", "hippo-pgbouncer", "hippo-cluster-cert"]
        {
            let mut secret = secret(name, &[]);
            secret["metadata"]["labels"] = json!({"postgres-operator.crunchydata.com/cluster": label});
            let documents = documents(&[secret]);
            let (_, errors) = existing(&Sources::of(&documents, &Options::default()), &hippo());
            let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), usize::from(expected), "{name}: {told:?}");
            assert!(
                told.iter().all(|line| line.contains("says that it belongs to the cluster `hippo-instance1`")),
                "{told:?}"
            );
        }
    }
    let ours = "postgres-operator.crunchydata.com/cluster";
    for (labels, expected) in [
        (json!({"pgrender.dev/cluster": "beta"}), "says that it belongs to the cluster `beta`"),
        (json!({ours: "hippo", "pgrender.dev/cluster": "beta"}), "says that it belongs to the cluster `beta`"),
        (json!({ours: 7}), "is not a string: write it in quotes"),
        (json!({ours: ["hippo"]}), "is not a string: write it in quotes"),
        (json!("hippo"), "are not a mapping"),
    ] {
        let mut secret = secret("hippo-pguser-hippo", &[]);
        secret["metadata"]["labels"] = labels;
        let documents = documents(&[secret]);
        let (_, errors) = existing(&Sources::of(&documents, &Options::default()), &hippo());
        assert!(errors.len() == 1 && errors[0].to_string().contains(expected), "{errors:?}");
    }
}
