//! Tests with the real kpt: what it reads from a package, what it writes to it, and that a second run changes nothing.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{HIPPO, Output, caller, documents, files, owners, run};
use crate::common::tools::program;

const KPTFILE: &str = "\
apiVersion: kpt.dev/v1
kind: Kptfile
metadata:
  name: shop
pipeline:
  mutators:
  - exec: pgrender
    configMap:
      namespace: shop
";

/// A file whose formatting no writer would restore.
const SERVICE: &str = "\
# Ours.
apiVersion: v1 # core
kind: Service
metadata: {name: 'shop', namespace: shop}
spec:
  # Above.
  selector: &selector {\"app\": shop}
  ports:
  - {port: 80, name: \"on\"}
";

fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn render(kpt: &Path, package: &Path) -> Output {
    run(caller(kpt).args(["fn", "render", "--allow-exec", "--truncate-output=false"]).arg(package), "")
}

#[test]
fn rendering_twice_changes_nothing_and_keeps_comments() {
    let Some(kpt) = program("kpt") else { return };
    let package = package(&[("Kptfile", KPTFILE), ("cluster.yaml", HIPPO), ("service.yaml", SERVICE)]);
    render(&kpt, package.path()).ok();
    let first = files(package.path());
    assert_eq!(first["service.yaml"], SERVICE);
    assert_eq!(first["Kptfile"], KPTFILE);
    let annotated = HIPPO.replace(
        "  name: hippo # short\n",
        "  name: hippo # short\n  annotations:\n    config.kubernetes.io/local-config: \"true\"\n",
    );
    assert_eq!(first["cluster.yaml"], annotated);
    let children: Vec<&String> = first.keys().filter(|name| name.starts_with("hippo/")).collect();
    assert!(!children.is_empty());
    assert_eq!(first.len(), children.len() + 3);
    for name in children {
        assert_eq!(owners(&documents(&first[name])), ["shop/hippo"], "{name}");
        assert!(!first[name].contains("config.kubernetes.io") && !first[name].contains("config.k8s.io"), "{name}");
    }
    render(&kpt, package.path()).ok();
    assert_eq!(files(package.path()), first);
}

#[test]
fn children_are_mended_where_they_are_and_pruned_when_their_cluster_goes() {
    let Some(kpt) = program("kpt") else { return };
    let rhino = HIPPO.replace("hippo", "rhino");
    let package = package(&[("Kptfile", KPTFILE), ("cluster.yaml", HIPPO), ("rhino.yaml", &rhino)]);
    let path = package.path();
    render(&kpt, path).ok();
    let first = files(path);
    let child = first.keys().find(|name| name.starts_with("hippo/configmap-")).unwrap();

    // The file was moved, edited and commented.
    fs::write(path.join("moved.yaml"), first[child].replacen("\ndata:", "\ndata:\n  # Keep.\n  edited: by hand", 1))
        .unwrap();
    fs::remove_file(path.join(child)).unwrap();
    fs::remove_file(path.join("rhino.yaml")).unwrap();
    render(&kpt, path).ok();
    let second = files(path);
    assert!(!second.contains_key(child));
    assert_eq!(documents(&second["moved.yaml"])[0].node.to_json(), documents(&first[child])[0].node.to_json());
    assert!(second.keys().all(|name| !name.starts_with("rhino")), "{:?}", second.keys());
    render(&kpt, path).ok();
    assert_eq!(files(path), second);
}

#[test]
fn a_boolean_of_yaml_1_1_is_understood_and_in_quotes_it_is_a_string() {
    let Some(kpt) = program("kpt") else { return };
    for (value, code) in [("off", 0), ("'off'", 1)] {
        let cluster = format!("{HIPPO}  shutdown: {value}\n");
        let package = package(&[("Kptfile", KPTFILE), ("cluster.yaml", &cluster)]);
        assert_eq!(render(&kpt, package.path()).code, code, "{value}");
    }
}

#[test]
fn an_error_leaves_the_package_as_it_was() {
    let Some(kpt) = program("kpt") else { return };
    let package = package(&[
        ("Kptfile", &KPTFILE.replace("namespace: shop", "namespaze: shop")),
        ("cluster.yaml", HIPPO),
        ("service.yaml", SERVICE),
    ]);
    let before = files(package.path());
    let output = render(&kpt, package.path());
    assert_eq!(output.code, 1);
    // Once in the results, and once on standard error.
    assert!(output.stderr.matches("did you mean `namespace`").count() >= 2, "{}", output.stderr);
    assert_eq!(files(package.path()), before);
}

/// Returns a file of a package as the API server stores it, with decoded data.
fn secret(text: &str) -> serde_json::Value {
    let mut secret = documents(text)[0].node.to_json();
    for value in secret["data"].as_object_mut().unwrap().values_mut() {
        *value = String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap().into();
    }
    secret
}

#[test]
fn secrets_of_pgo_are_taken_over_where_they_lie_and_rotate_when_asked() {
    let Some(kpt) = program("kpt") else { return };
    let user = "\
apiVersion: v1
kind: Secret
metadata:
  name: hippo-pguser-hippo
  namespace: shop
  uid: 5d0d4f0c
  labels: {postgres-operator.crunchydata.com/cluster: hippo}
stringData: {password: geheim, verifier: md545f2603610af569b6155c45067268c6b, mine: goes}
";
    let package = package(&[("Kptfile", KPTFILE), ("cluster.yaml", HIPPO), ("pgo.yaml", user)]);
    let path = package.path();
    render(&kpt, path).ok();
    let first = files(path);
    let taken = secret(&first["pgo.yaml"]);
    assert_eq!(taken["data"]["password"], "geheim");
    assert_eq!(taken["data"]["verifier"], "md545f2603610af569b6155c45067268c6b");
    assert_eq!(taken["data"]["uri"], "postgresql://hippo:geheim@hippo-primary.shop.svc:5432/hippo");
    assert_eq!(
        (&taken["metadata"]["uid"], &taken["data"]["mine"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    render(&kpt, path).ok();
    assert_eq!(files(path), first);

    let rotate = |text: &str, user: &str| {
        let annotation = format!("annotations:\n    pgrender.dev/rotate-password.{user}: \"2\"\n");
        text.replace("annotations:\n", &annotation)
    };
    fs::write(path.join("cluster.yaml"), rotate(&first["cluster.yaml"], "hippo")).unwrap();
    render(&kpt, path).ok();
    let second = files(path);
    let rotated = secret(&second["pgo.yaml"]);
    assert_eq!(rotated["metadata"]["annotations"]["pgrender.dev/generation.password"], "2");
    assert_ne!(rotated["data"]["password"], "geheim");
    let changed: Vec<&String> = first.keys().filter(|name| first[*name] != second[*name]).collect();
    let expected =
        ["cluster.yaml", "hippo/configmap-hippo-fingerprints.yaml", "hippo/secret-hippo-caretaker.yaml", "pgo.yaml"];
    assert_eq!(changed, expected);
    render(&kpt, path).ok();
    assert_eq!(files(path), second);
}

#[test]
fn an_object_of_the_user_with_the_name_of_a_child_is_an_error() {
    let Some(kpt) = program("kpt") else { return };
    let package = package(&[("Kptfile", KPTFILE), ("cluster.yaml", HIPPO)]);
    render(&kpt, package.path()).ok();
    let first = files(package.path());
    let child = first.keys().find(|name| name.starts_with("hippo/configmap-")).unwrap();
    let stolen = first[child].replace("    pgrender.dev/cluster: hippo\n", "");
    assert_ne!(stolen, first[child]);
    fs::write(package.path().join(child), &stolen).unwrap();
    let output = render(&kpt, package.path());
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("pgrender did not create it"), "{}", output.stderr);
    assert_eq!(files(package.path())[child], stolen);
}

#[test]
fn eval_takes_its_settings_as_arguments() {
    let Some(kpt) = program("kpt") else { return };
    let package = package(&[("cluster.yaml", HIPPO)]);
    let eval = |settings: &str| {
        let mut command = caller(&kpt);
        command.args(["fn", "eval"]).arg(package.path()).args(["--exec", "pgrender", "--", settings]);
        run(&mut command, "")
    };
    assert_eq!(eval("random=perhaps").code, 1);
    assert_eq!(files(package.path()).len(), 1);
    eval("namespace=shop").ok();
    let first = files(package.path());
    assert!(first.keys().any(|name| name.starts_with("hippo/")), "{:?}", first.keys());
    eval("namespace=shop").ok();
    assert_eq!(files(package.path()), first);
}
