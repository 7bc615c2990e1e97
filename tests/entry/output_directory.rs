//! `pgrender render --output-dir`.

use std::fs;
use std::path::Path;

use super::{Output, SEED, TIME, cluster, files, owners, pgrender, run};

fn render(directory: &Path, input: &str) -> Output {
    let mut command = pgrender();
    command.args(["render", "--time", TIME, "-o"]).arg(directory.join("out")).env("PGRENDER_SEED", SEED);
    run(&mut command, input)
}

#[test]
fn each_object_gets_a_file_and_stale_ones_go() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let input = cluster("shop", "hippo") + "---\n" + &cluster("shop", "rhino");
    assert_eq!(render(directory.path(), &input).ok(), "");
    let first = files(&out);
    assert!(first.keys().any(|name| name.starts_with("hippo/configmap-hippo-")), "{first:?}");
    assert!(first.keys().any(|name| name.starts_with("rhino/")), "{first:?}");
    for (name, text) in &first {
        let documents = super::documents(text);
        assert_eq!(documents.len(), 1, "{name}");
        assert_eq!(owners(&documents).len(), 1, "{name}");
    }

    // A file of an earlier run, one of another cluster's run, and one of the user's.
    let ours = first.iter().find(|(name, _)| name.starts_with("hippo/")).unwrap().1;
    fs::write(out.join("hippo/old.yaml"), ours).unwrap();
    fs::write(out.join("hippo/other.yaml"), ours.replace("namespace: shop", "namespace: other")).unwrap();
    fs::write(out.join("hippo/mine.yaml"), "kind: Secret\n").unwrap();
    render(directory.path(), &cluster("shop", "hippo")).ok();
    let mut second = files(&out);
    assert!(second.remove("hippo/other.yaml").is_some() && second.remove("hippo/mine.yaml").is_some());
    assert_eq!(second, first);
}

#[test]
fn namesakes_in_two_namespaces_do_not_share_files() {
    let directory = tempfile::tempdir().unwrap();
    render(directory.path(), &(cluster("one", "hippo") + "---\n" + &cluster("two", "hippo"))).ok();
    let files = files(&directory.path().join("out"));
    assert!(files.keys().any(|name| name.starts_with("one/hippo/")), "{files:?}");
    assert!(files.keys().any(|name| name.starts_with("two/hippo/")), "{files:?}");
}

#[test]
fn a_failed_run_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let output = render(directory.path(), "a: [\n");
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(!directory.path().join("out").exists());

    // A directory stands where a file should go: the drafts are taken away again.
    render(directory.path(), &cluster("shop", "hippo")).ok();
    let out = directory.path().join("out/hippo");
    let victim = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&victim).unwrap();
    fs::create_dir_all(victim.join("x")).unwrap();
    let output = render(directory.path(), &cluster("shop", "hippo"));
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("cannot write"), "{}", output.stderr);
    let left = fs::read_dir(&out)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left.count(), 0);
}
