//! Tests certificates that cert-manager creates: cert-manager accepts its resources, and pods find the same files as with other
//! certificates.

use std::collections::BTreeSet;

use pgrender::identity::Seed;
use pgrender::identity::window::Window;
use pgrender::options::{CertificateSource, IssuerReference, Options};
use pgrender::read;
use serde_json::{Value, json};

use crate::common::custom_resources;
use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects, objects_from, options};

/// The options of a caller who uses cert-manager, with an issuer or with one CA per cluster.
fn with_cert_manager(issuer: Option<&str>) -> Options {
    let issuer = issuer.map(|name| IssuerReference::issuer(name.to_owned()));
    Options { certificate_source: CertificateSource::CertManager { issuer }, ..options() }
}

fn render(text: &str, options: &Options) -> Vec<Value> {
    objects_from(text, SEED, options).unwrap()
}

/// Returns cert-manager's resources among the objects.
fn resources(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter(|object| object["apiVersion"] == "cert-manager.io/v1").collect()
}

fn names<'a>(objects: &'a [Value], kind: &str) -> BTreeSet<&'a str> {
    let objects = objects.iter().filter(|object| object["kind"] == kind);
    objects.map(|object| object["metadata"]["name"].as_str().unwrap()).collect()
}

/// Returns what cert-manager's schemas report for resources.
fn complaints(resources: &[&Value]) -> Option<String> {
    custom_resources::complaints("cert-manager.yaml", resources)
}

#[test]
fn every_resource_fits_the_schemas_of_cert_manager() {
    let rendered: Vec<Vec<Value>> = fixtures()
        .iter()
        .flat_map(|(_, text)| [None, Some("company")].map(|issuer| render(text, &with_cert_manager(issuer))))
        .collect();
    let all: Vec<&Value> = rendered.iter().flat_map(|objects| resources(objects)).collect();
    assert!(all.len() > 100, "{}", all.len());
    let Some(complaints) = complaints(&all) else { return };
    assert_eq!(complaints, "");
}

#[test]
fn the_schemas_notice_what_is_wrong() {
    let objects = render(&fixture(), &with_cert_manager(None));
    let certificate = *resources(&objects).iter().find(|resource| resource["kind"] == "Certificate").unwrap();
    for (pointer, value) in [
        ("/spec/privateKey", json!({"rotationPolicy": "Sometimes"})),
        ("/spec/usages", json!(["everything"])),
        ("/spec/secretTemplate", json!({"label": {}})),
        ("/spec/secretName", json!(null)),
        ("/spec/revisionHistoryLimit", json!("one")),
    ] {
        let mut wrong = certificate.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let Some(complaints) = complaints(&[&wrong]) else { return };
        assert_eq!(complaints.lines().count(), 1, "{pointer}: {complaints}");
    }
}

/// A cluster with everything that has a certificate.
fn fixture() -> String {
    fixtures().into_iter().find(|(name, _)| name == "cert-manager").unwrap().1
}

#[test]
fn each_certificate_has_its_secret_and_no_secret_has_a_certificate() {
    let objects = render(&fixture(), &with_cert_manager(None));
    let secrets: BTreeSet<&str> =
        resources(&objects).iter().filter_map(|resource| resource["spec"]["secretName"].as_str()).collect();
    let expected = [
        "hippo-ca",
        "hippo-cluster-cert",
        "hippo-instance1-certs",
        "hippo-pgbackrest",
        "hippo-pgbouncer-tls",
        "hippo-replication-cert",
        "hippo-repo-host-tls",
    ];
    assert_eq!(secrets, expected.into());
    assert_eq!(names(&objects, "Certificate"), expected.into());
    assert_eq!(names(&objects, "Issuer"), ["hippo-ca", "hippo-selfsigned"].into());
    let expected = ["hippo-caretaker", "hippo-patroni", "hippo-pgbouncer", "hippo-pguser-hippo"];
    assert_eq!(names(&objects, "Secret"), expected.into());
    for secret in objects.iter().filter(|object| object["kind"] == "Secret") {
        let keys = secret["data"].as_object().unwrap().keys();
        assert!(keys.clone().all(|key| !key.contains(".crt") && !key.contains(".key") && !key.contains("ca-roots")));
    }
}

#[test]
fn an_issuer_of_the_user_signs_every_certificate() {
    let objects = render(&fixture(), &with_cert_manager(Some("company")));
    assert!(names(&objects, "Issuer").is_empty() && !names(&objects, "Certificate").contains("hippo-ca"));
    let company = json!({"group": "cert-manager.io", "kind": "Issuer", "name": "company"});
    assert!(resources(&objects).iter().all(|resource| resource["spec"]["issuerRef"] == company));
}

/// In the failsafe mode, the members of a cluster ask each other whether they follow the leader, and send the password of the
/// REST API with the request.
#[test]
fn an_issuer_of_the_user_leaves_the_failsafe_mode_off() {
    let mode = |text: &str, options: &Options| {
        let objects = render(text, options);
        let find = |object: &&Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "hippo-caretaker";
        let settings = objects.iter().find(find).unwrap()["data"]["caretaker.json"].as_str().unwrap();
        serde_json::from_str::<Value>(settings).unwrap()["dynamicConfiguration"]["failsafe_mode"].clone()
    };
    let set = |value: &str| {
        let section = format!("spec:\n  patroni: {{dynamicConfiguration: {{failsafe_mode: {value}}}}}\n");
        fixture().replacen("spec:\n", &section, 1)
    };
    for (issuer, text, expected) in [
        (None, fixture(), json!(true)),
        (None, set("null"), json!(true)),
        (None, set("false"), json!(false)),
        (Some("company"), fixture(), json!(false)),
        (Some("company"), set("null"), json!(false)),
        (Some("company"), set("'on'"), json!("on")),
    ] {
        let options = with_cert_manager(issuer);
        assert_eq!(mode(&text, &options), expected, "{issuer:?}");
        let documents = read::documents("cluster.yaml", &text).unwrap();
        let told =
            pgrender::render::render(&documents, &options, Ok(&Seed::new(SEED.as_bytes()).ok().unwrap())).diagnostics;
        let message = "sends the password of Patroni's REST API to each pod";
        let is_told = told.iter().any(|diagnostic| diagnostic.to_string().contains(message));
        assert_eq!(is_told, expected == "on", "{issuer:?}: {told:?}");
    }
}

/// Each file that is projected into a pod: workload, volume, path and mode.
fn files(objects: &[Value]) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for object in objects {
        let pod = match object["kind"].as_str() {
            Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            _ => &object["spec"]["template"]["spec"],
        };
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
                for item in source["secret"]["items"].as_array().into_iter().flatten() {
                    let workload = format!("{} {}", object["kind"], object["metadata"]["name"]);
                    files.insert(format!("{workload} {} {} {}", volume["name"], item["path"], item["mode"]));
                }
            }
        }
    }
    files
}

#[test]
fn pods_find_the_same_files_either_way() {
    for (name, text) in fixtures() {
        let ours = files(&objects(&text).unwrap());
        assert!(ours.len() > 8, "{name}");
        assert_eq!(ours, files(&render(&text, &with_cert_manager(None))), "{name}");
    }
}

#[test]
fn neither_the_next_window_nor_another_seed_changes_a_certificate() {
    let options = with_cert_manager(None);
    let first = render(&fixture(), &options);
    let window = Window::containing(options.time, options.certificates).unwrap();
    assert_eq!(first, render(&fixture(), &Options { time: window.end(), ..options.clone() }));
    let other = "YW5vdGhlciBzZWVkIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==";
    let other = objects_from(&fixture(), other, &options).unwrap();
    assert_eq!(resources(&first), resources(&other));
    assert_ne!(first, other);
}

#[test]
fn what_only_cert_manager_can_rotate_is_refused() {
    for annotation in ["pgrender.dev/rotate-ca", "pgrender.dev/rotate-certificates"] {
        let text =
            fixture().replace("  name: hippo\n", &format!("  name: hippo\n  annotations: {{{annotation}: \"2\"}}\n"));
        let errors = objects_from(&text, SEED, &with_cert_manager(None)).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("cmctl renew"), "{}", errors[0]);
        assert!(objects(&text).is_ok());
    }
}
