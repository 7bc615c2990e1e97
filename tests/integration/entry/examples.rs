//! Renders PGO's own examples, if they are available, through every entry point: each gives the same objects.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pgrender::read::Document;
use pgrender::read::object;

use super::{caller, documents, run};
use crate::common::tools::program;

/// Every directory of PGO's examples with a `PostgresCluster`, and the file that contains it.
const EXAMPLES: [(&str, &str); 8] = [
    ("azure", "postgres.yaml"),
    ("certmanager/postgres", "postgres.yaml"),
    ("gcs", "postgres.yaml"),
    ("high-availability", "ha-postgres.yaml"),
    ("keycloak", "postgres.yaml"),
    ("multi-backup-repo", "postgres.yaml"),
    ("postgres", "postgres.yaml"),
    ("s3", "postgres.yaml"),
];

const TRANSFORMER: &str = "\
apiVersion: pgrender.dev/v1alpha1
kind: PgRender
metadata:
  name: pgrender
  annotations:
    config.kubernetes.io/function: 'exec: {path: pgrender}'
";

fn examples() -> Option<PathBuf> {
    let shared = std::env::var_os("PGRENDER_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let directory = shared.join("pgo/examples");
    if directory.is_dir() {
        return Some(directory);
    }
    println!("skipped: PGO's examples are not at hand");
    None
}

/// Copies an example and does what its README asks the user to do: write the credentials.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_str().unwrap();
            fs::write(to.join(name.trim_end_matches(".example")), fs::read(&path).unwrap()).unwrap();
        }
    }
    fs::write(to.join("gcs-key.json"), "{}").unwrap();
}

/// Returns the contents of the rendered objects, without what a tool may add.
fn ours(documents: &[Document]) -> BTreeMap<String, serde_json::Value> {
    let rendered = documents.iter().filter(|document| object::label(&document.node, "pgrender.dev/cluster").is_some());
    rendered.map(|document| (object::reference(&document.node).to_string(), sorted(&document.node.to_json()))).collect()
}

/// Sorts keys, because tools may do so.
fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            serde_json::Value::Object(sorted.into_iter().collect())
        }
        serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[test]
fn every_example_of_pgo_comes_out_the_same_of_every_entry_point() {
    let (Some(examples), Some(kustomize), Some(kubectl), Some(kpt)) =
        (examples(), program("kustomize"), program("kubectl"), program("kpt"))
    else {
        return;
    };
    for (name, file) in EXAMPLES {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        copy(&examples.join(name), &root.join("example"));
        let cluster = root.join("example").join(file);

        let mut command_line = caller(Path::new(env!("CARGO_BIN_EXE_pgrender")));
        command_line.args(["render", "--namespace", "postgres-operator"]).arg(&cluster);
        let expected = ours(&documents(&run(&mut command_line, "").ok()));
        assert!(expected.len() > 15, "{name}: {:?}", expected.keys());

        // With the example's own kustomization as the outermost one.
        let kustomization = root.join("example/kustomization.yaml");
        let theirs = fs::read_to_string(&kustomization).unwrap();
        fs::write(root.join("example/pgrender.yaml"), TRANSFORMER).unwrap();
        fs::write(&kustomization, format!("{theirs}\ntransformers:\n- pgrender.yaml\n")).unwrap();
        let mut build = caller(&kustomize);
        build.args(["build", "--enable-alpha-plugins", "--enable-exec"]).arg(root.join("example"));
        assert_eq!(ours(&documents(&run(&mut build, "").ok())), expected, "{name} in kustomize");

        // With kubectl, which cannot run exec functions, as a legacy plugin.
        let plugin = root.join("plugins/pgrender.dev/v1alpha1/pgrender");
        fs::create_dir_all(&plugin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pgrender"), plugin.join("PgRender")).unwrap();
        let plain = TRANSFORMER.lines().take(4).collect::<Vec<_>>().join("\n");
        fs::write(root.join("example/pgrender.yaml"), format!("{plain}\n")).unwrap();
        let mut build = caller(&kubectl);
        build.args(["kustomize", "--enable-alpha-plugins"]).arg(root.join("example"));
        build.env("KUSTOMIZE_PLUGIN_HOME", root.join("plugins"));
        assert_eq!(ours(&documents(&run(&mut build, "").ok())), expected, "{name} in kubectl");

        // As a package of kpt.
        let package = root.join("package");
        fs::create_dir_all(&package).unwrap();
        fs::copy(&cluster, package.join(file)).unwrap();
        let kptfile = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: example\npipeline:\n  mutators:\n  \
                       - exec: pgrender\n    configMap:\n      namespace: postgres-operator\n";
        fs::write(package.join("Kptfile"), kptfile).unwrap();
        run(caller(&kpt).args(["fn", "render", "--allow-exec"]).arg(&package), "").ok();
        let written: String = super::files(&package).into_values().collect::<Vec<_>>().join("\n---\n");
        assert_eq!(ours(&documents(&written)), expected, "{name} in kpt");
    }
}

/// Changes of kustomize to the cluster are applied before rendering, so they are also in hosts, URIs and certificates.
#[test]
fn names_namespaces_labels_and_patches_of_kustomize_are_inside_uris_and_certificates() {
    let Some(kustomize) = program("kustomize") else { return };
    let directory = tempfile::tempdir().unwrap();
    let kustomization = "\
namespace: shop
namePrefix: big-
labels:
- pairs: {team: blue}
resources: [cluster.yaml]
patches:
- target: {kind: PostgresCluster}
  patch: |-
    - {op: add, path: /spec/port, value: 5433}
    - {op: add, path: /spec/users, value: [{name: app, databases: [store]}]}
transformers: [pgrender.yaml]
";
    for (name, text) in
        [("cluster.yaml", super::HIPPO), ("pgrender.yaml", TRANSFORMER), ("kustomization.yaml", kustomization)]
    {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let mut build = caller(&kustomize);
    build.args(["build", "--enable-alpha-plugins", "--enable-exec"]).arg(directory.path());
    let objects = ours(&documents(&run(&mut build, "").ok()));
    let data = |name: &str, key: &str| {
        let value = objects[&format!("Secret shop/{name}")]["data"][key].as_str().unwrap().to_owned();
        String::from_utf8(base64_decode(&value)).unwrap()
    };
    let uri = data("big-hippo-pguser-app", "uri");
    assert!(uri.ends_with("@big-hippo-primary.shop.svc:5433/store"), "the host and port are not those of the patch");
    let certificate = data("big-hippo-cluster-cert", "tls.crt");
    let Some(openssl) = program("openssl") else { return };
    let names = run(caller(&openssl).args(["x509", "-noout", "-ext", "subjectAltName"]), certificate).ok();
    assert!(names.contains("DNS:big-hippo-primary.shop.svc,"), "{names}");
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
