//! Tests that the files in `kustomize` and `functions`, which users copy, work unchanged.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns a command with pgrender on its PATH and a seed in its environment.
fn command(program: &Path) -> Command {
    let directory = Path::new(env!("CARGO_BIN_EXE_pgrender")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = [directory.to_owned()].into_iter().chain(std::env::split_paths(&path)).collect();
    let mut command = Command::new(program);
    command.current_dir(ROOT).env("PATH", std::env::join_paths(path).unwrap()).env_remove("PGRENDER_SEED_FILE");
    command.env("PGRENDER_SEED", "only the tests of the packages are rendered with this seed");
    command
}

/// Runs a command until it exits and returns its output. Panics with standard error if it fails.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn stateful_sets(manifests: &str) -> usize {
    manifests.lines().filter(|line| *line == "kind: StatefulSet").count()
}

/// The directories below `directory` whose kustomization runs pgrender as a function.
fn kustomizations(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kustomizations(&path, found);
        } else if fs::read_to_string(&path).unwrap().contains("exec: {path: pgrender}") {
            found.insert(directory.to_owned());
        }
    }
}

#[test]
fn every_kustomization_builds() {
    let Some(kustomize) = crate::common::tools::program("kustomize") else { return };
    let mut found = BTreeSet::new();
    kustomizations(&Path::new(ROOT).join("kustomize"), &mut found);
    assert!(found.len() >= 6, "{found:?}");
    for directory in found {
        let build = ["build", "--enable-alpha-plugins", "--enable-exec"];
        let manifests = output(command(&kustomize).args(build).arg(&directory));
        assert_eq!(stateful_sets(&manifests), 2, "{}: instances and a repo host", directory.display());
        assert!(!manifests.contains("kind: PostgresCluster"), "{}", directory.display());
    }
}

#[test]
fn an_environment_reaches_what_is_rendered() {
    let Some(kustomize) = crate::common::tools::program("kustomize") else { return };
    let build = ["build", "--enable-alpha-plugins", "--enable-exec", "kustomize/environments/staging"];
    let manifests = output(command(&kustomize).args(build));
    assert!(manifests.contains("scope: staging-hippo-ha"), "Patroni's scope has the prefix");
}

#[test]
fn the_legacy_plugin_is_installed_where_kubectl_looks() {
    let Some(kubectl) = crate::common::tools::program("kubectl") else { return };
    let home = tempfile::tempdir().unwrap();
    let mut install = command(&Path::new(ROOT).join("functions/legacy-plugin/install.sh"));
    output(install.env("KUSTOMIZE_PLUGIN_HOME", home.path()));
    let mut build = command(&kubectl);
    build.args(["kustomize", "--enable-alpha-plugins", "kustomize/legacy-plugin"]);
    assert_eq!(stateful_sets(&output(build.env("KUSTOMIZE_PLUGIN_HOME", home.path()))), 2);
}

#[test]
fn the_kpt_package_renders_and_stays() {
    let Some(kpt) = crate::common::tools::program("kpt") else { return };
    let package = tempfile::tempdir().unwrap();
    for file in fs::read_dir(Path::new(ROOT).join("functions/kpt")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), package.path().join(file.file_name())).unwrap();
    }
    let render = || {
        output(command(&kpt).args(["fn", "render", "--allow-exec"]).arg(package.path()));
        let mut files: Vec<(OsString, String)> = fs::read_dir(package.path().join("hippo"))
            .unwrap()
            .map(Result::unwrap)
            .map(|file| (file.file_name(), fs::read_to_string(file.path()).unwrap()))
            .collect();
        files.sort();
        files
    };
    let first = render();
    assert_eq!(first.iter().map(|(_, text)| stateful_sets(text)).sum::<usize>(), 2);
    assert_eq!(render(), first);
}

#[test]
fn the_configuration_to_copy_has_every_field_of_its_schema() {
    let read = |file| fs::read_to_string(Path::new(ROOT).join("functions/pgrender").join(file)).unwrap();
    let one = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    let schema = one(&read("definition.yaml"));
    let schema = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let mut configuration = one(&read("pgrender.yaml"));
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let mut described = names(schema);
    // This field excludes others, so it is only in a comment.
    assert!(described.remove("certificateIssuer") && read("pgrender.yaml").contains("`certificateIssuer`"));
    assert_eq!(names(&configuration["spec"]), described);

    // pgrender accepts the configuration. The seed file of the example does not exist on any machine.
    configuration["spec"].as_object_mut().unwrap().remove("seedFile");
    let cluster = one(&fs::read_to_string(Path::new(ROOT).join("kustomize/hippo/cluster.yaml")).unwrap());
    let list = serde_json::json!({
        "apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList",
        "items": [cluster], "functionConfig": configuration,
    });
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("list.yaml"), list.to_string()).unwrap();
    let mut function = command(Path::new(env!("CARGO_BIN_EXE_pgrender")));
    let answer = output(function.stdin(fs::File::open(directory.path().join("list.yaml")).unwrap()));
    assert!(answer.contains("registry.example.com/crunchy-postgres:18"));
}

#[test]
fn openshift_is_said_outside_of_the_cluster_in_every_way() {
    let cluster = fs::read_to_string(Path::new(ROOT).join("kustomize/hippo/cluster.yaml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cluster.yaml");
    let rights = |manifests: &str| manifests.contains("endpoints/restricted") && !manifests.contains("fsGroup:");
    let render = |text: &str, variable: &str, arguments: &[&str]| {
        fs::write(&file, text).unwrap();
        let mut command = command(Path::new(env!("CARGO_BIN_EXE_pgrender")));
        command.args(["render", "--namespace", "postgres"]).args(arguments).arg(&file);
        rights(&output(command.env("PGRENDER_OPENSHIFT", variable)))
    };
    let said = |word: &str| cluster.replacen("\nspec:\n", &format!("\nspec:\n  openshift: {word}\n"), 1);
    assert_ne!(said("true"), cluster);
    assert!(!render(&cluster, "", &[]) && !render(&cluster, "false", &[]));
    assert!(render(&cluster, "", &["--openshift"]) && render(&cluster, "true", &[]));
    // The cluster takes precedence over the option, and the option over the environment.
    assert!(!render(&said("false"), "true", &["--openshift"]) && render(&said("true"), "false", &[]));
    assert!(render(&cluster, "false", &["--openshift"]));

    let function = |setting: &str, variable: &str| {
        let items = serde_saphyr::from_str::<serde_json::Value>(&cluster).unwrap();
        let list = serde_json::json!({
            "apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [items],
            "functionConfig": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"namespace": "a", "openshift": setting}},
        });
        fs::write(&file, list.to_string()).unwrap();
        let mut command = command(Path::new(env!("CARGO_BIN_EXE_pgrender")));
        rights(&output(command.stdin(fs::File::open(&file).unwrap()).env("PGRENDER_OPENSHIFT", variable)))
    };
    assert!(function("true", "") && function("true", "false") && !function("false", "true"));

    // As in the container of a plugin, where only environment variables can be set.
    let Some(kustomize) = crate::common::tools::program("kustomize") else { return };
    let build = ["build", "--enable-alpha-plugins", "--enable-exec", "kustomize/hippo"];
    assert!(rights(&output(command(&kustomize).args(build).env("PGRENDER_OPENSHIFT", "true"))));
}
