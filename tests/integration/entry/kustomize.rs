//! Tests with the real kustomize and the one in the real kubectl.

use std::fs;
use std::path::Path;

use super::{HIPPO, Output, SEED, caller, documents, owners, run};
use crate::common::tools::program;

const TRANSFORMER: &str = "\
apiVersion: pgrender.dev/v1alpha1
kind: PgRender
metadata:
  name: pgrender
  annotations:
    config.kubernetes.io/function: 'exec: {path: pgrender}'
";

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn build(kustomize: &Path, directory: &Path, seed: bool) -> Output {
    let mut command = caller(kustomize);
    if !seed {
        command.env_remove("PGRENDER_SEED");
    }
    run(command.args(["build", "--enable-alpha-plugins", "--enable-exec"]).arg(directory), "")
}

/// Objects that only an orchestrator of functions understands must not reach a cluster.
fn assert_clean(output: &str) {
    for word in ["config.kubernetes.io", "config.k8s.io", "PostgresCluster", "PgRender", "kind: ResourceList", SEED] {
        assert!(!output.contains(word), "{word} in\n{output}");
    }
}

#[test]
fn a_transformer_sees_names_and_namespaces_as_kustomize_has_made_them() {
    let Some(kustomize) = program("kustomize") else { return };
    let directory = tempfile::tempdir().unwrap();
    let seed = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: seed, annotations: {{pgrender.dev/seed: 'true'}}}}\n\
         stringData: {{seed: {SEED}}}\n"
    );
    write(
        directory.path(),
        &[
            ("cluster.yaml", HIPPO),
            ("seed.yaml", &seed),
            ("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"),
            ("pgrender.yaml", TRANSFORMER),
            (
                "kustomization.yaml",
                "namespace: shop\nnamePrefix: big-\nresources: [cluster.yaml, service.yaml, seed.yaml]\n\
                 transformers: [pgrender.yaml]\n",
            ),
        ],
    );
    let output = build(&kustomize, directory.path(), false).ok();
    let objects = documents(&output);
    assert_eq!(owners(&objects), ["shop/big-hippo"]);
    assert!(output.contains("name: big-shop"));
    assert_clean(&output);

    // An outer kustomization builds the same result.
    write(directory.path(), &[("outer/kustomization.yaml", "resources: [../inner]\n")]);
    fs::create_dir(directory.path().join("inner")).unwrap();
    for name in ["cluster.yaml", "seed.yaml", "service.yaml", "pgrender.yaml", "kustomization.yaml"] {
        fs::rename(directory.path().join(name), directory.path().join("inner").join(name)).unwrap();
    }
    assert_eq!(build(&kustomize, &directory.path().join("outer"), false).ok(), output);
}

#[test]
fn a_generator_renders_the_cluster_that_configures_it() {
    let Some(kustomize) = program("kustomize") else { return };
    let directory = tempfile::tempdir().unwrap();
    let annotated = HIPPO.replace(
        "  name: hippo # short\n",
        "  name: hippo\n  namespace: shop\n  annotations:\n    config.kubernetes.io/function: 'exec: {path: pgrender}'\n",
    );
    write(
        directory.path(),
        &[
            ("cluster.yaml", &annotated),
            ("rhino.yaml", &HIPPO.replace("hippo", "rhino")),
            ("pgrender.yaml", &format!("{TRANSFORMER}spec: {{namespace: shop}}\n")),
            ("kustomization.yaml", "generators: [cluster.yaml]\n"),
        ],
    );
    let output = build(&kustomize, directory.path(), true).ok();
    assert_eq!(owners(&documents(&output)), ["shop/hippo"]);
    assert_clean(&output);

    // A transformer for another cluster does not change what the generator has created.
    write(
        directory.path(),
        &[(
            "kustomization.yaml",
            "generators: [cluster.yaml]\nresources: [rhino.yaml]\ntransformers: [pgrender.yaml]\n",
        )],
    );
    let output = build(&kustomize, directory.path(), true).ok();
    assert_eq!(owners(&documents(&output)), ["shop/hippo", "shop/rhino"]);
    assert_clean(&output);
}

#[test]
fn a_boolean_of_yaml_1_1_is_understood_in_the_quotes_that_kustomize_gives_it() {
    let Some(kustomize) = program("kustomize") else { return };
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        &[
            ("cluster.yaml", &format!("{HIPPO}  shutdown: off\n")),
            ("pgrender.yaml", TRANSFORMER),
            ("kustomization.yaml", "namespace: shop\nresources: [cluster.yaml]\ntransformers: [pgrender.yaml]\n"),
        ],
    );
    assert_eq!(owners(&documents(&build(&kustomize, directory.path(), true).ok())), ["shop/hippo"]);
}

#[test]
fn an_error_fails_the_build_and_is_shown() {
    let Some(kustomize) = program("kustomize") else { return };
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        &[
            ("cluster.yaml", HIPPO),
            ("pgrender.yaml", &format!("{TRANSFORMER}spec: {{namepsace: shop}}\n")),
            ("kustomization.yaml", "resources: [cluster.yaml]\ntransformers: [pgrender.yaml]\n"),
        ],
    );
    let output = build(&kustomize, directory.path(), true);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("did you mean `namespace`"), "{}", output.stderr);
    write(directory.path(), &[("pgrender.yaml", TRANSFORMER)]);
    let output = build(&kustomize, directory.path(), false);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("no seed") && output.stderr.contains("needs a namespace"), "{}", output.stderr);
}

#[cfg(unix)]
#[test]
fn the_legacy_plugin_works_in_kubectl_as_generator_and_as_transformer() {
    let directory = tempfile::tempdir().unwrap();
    let plugins = directory.path().join("plugins");
    for (group, kind) in [
        ("postgres-operator.crunchydata.com/v1", "PostgresCluster"),
        ("postgres-operator.crunchydata.com/v1beta1", "PostgresCluster"),
        ("pgrender.dev/v1alpha1", "PgRender"),
    ] {
        let home = plugins.join(group).join(kind.to_lowercase());
        fs::create_dir_all(&home).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pgrender"), home.join(kind)).unwrap();
    }
    let plain = "apiVersion: pgrender.dev/v1alpha1\nkind: PgRender\nmetadata: {name: pgrender}\n";
    write(
        directory.path(),
        &[
            ("cluster.yaml", HIPPO),
            ("rhino.yaml", &super::cluster("shop", "rhino").replace("com/v1", "com/v1beta1")),
            ("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"),
            ("pgrender.yaml", plain),
            (
                "kustomization.yaml",
                "namespace: shop\nnameSuffix: -x\nresources: [cluster.yaml, service.yaml]\ngenerators: [rhino.yaml]\n\
                 transformers: [pgrender.yaml]\n",
            ),
        ],
    );
    for (name, command) in [("kubectl", "kustomize"), ("kustomize", "build")] {
        let Some(program) = program(name) else { continue };
        let mut program = caller(&program);
        program.arg(command).arg("--enable-alpha-plugins").arg(directory.path()).env("KUSTOMIZE_PLUGIN_HOME", &plugins);
        let output = run(&mut program, "").ok();
        assert_eq!(owners(&documents(&output)), ["shop/hippo-x", "shop/rhino"], "{name}");
        assert!(output.contains("name: shop-x"), "{name}");
        assert_clean(&output);

        let failed = run(program.env_remove("PGRENDER_SEED"), "");
        assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{name}");
        assert!(failed.stderr.contains("no seed"), "{name}: {}", failed.stderr);
    }
}
