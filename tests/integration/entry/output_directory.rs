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

    // A file of an earlier run. The others must stay: files of another cluster's run, with another name, with two objects, and
    // of the user.
    let ours = first.iter().find(|(name, _)| name.starts_with("hippo/configmap-")).unwrap().1;
    let old = ours.replacen("  name: hippo-", "  name: old-", 1);
    let name = "hippo/".to_owned() + &old_file(&old);
    let others = [
        ("hippo/configmap-other.yaml", ours.replace("namespace: shop", "namespace: other")),
        ("hippo/kept.yaml", ours.clone()),
        ("hippo/configmap-two.yaml", format!("{old}---\n{old}")),
        ("hippo/mine.yaml", "kind: Secret\n".to_owned()),
        ("mine.yaml", ours.clone()),
    ];
    fs::write(out.join(&name), old).unwrap();
    for (name, text) in &others {
        fs::write(out.join(name), text).unwrap();
    }
    render(directory.path(), &input).ok();
    let mut second = files(&out);
    for (name, _) in &others {
        assert!(second.remove(*name).is_some(), "{name}");
    }
    assert_eq!(second, first);
}

/// The file of a ConfigMap.
fn old_file(text: &str) -> String {
    format!("configmap-{}.yaml", super::object::reference(&super::documents(text)[0].node).name)
}

#[test]
fn files_of_a_cluster_that_has_left_the_input_go() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let both = cluster("shop", "hippo") + "---\n" + &cluster("shop", "rhino");
    render(directory.path(), &both).ok();
    fs::write(out.join("rhino/mine.yaml"), "kind: Secret\n").unwrap();
    // Another command with another input writes to the same directory.
    render(directory.path(), &cluster("zoo", "giraffe")).ok();
    // A failed run removes nothing.
    let before = files(&out);
    assert_eq!(render(directory.path(), &(cluster("shop", "hippo") + "---\na: [\n")).code, 1);
    assert_eq!(files(&out), before);

    assert_eq!(render(directory.path(), &cluster("shop", "hippo")).ok(), "");
    let left = files(&out);
    assert!(left.keys().any(|name| name.starts_with("hippo/")));
    assert!(left.keys().any(|name| name.starts_with("giraffe/")));
    assert_eq!(left.keys().filter(|name| name.starts_with("rhino/")).collect::<Vec<_>>(), ["rhino/mine.yaml"]);

    // An empty directory is removed too. Files of clusters that are in no record stay.
    fs::remove_file(out.join("rhino/mine.yaml")).unwrap();
    render(directory.path(), &both).ok();
    fs::remove_file(out.join(".pgrender")).unwrap();
    render(directory.path(), &cluster("shop", "hippo")).ok();
    assert!(out.join("rhino").is_dir());
    render(directory.path(), &both).ok();
    render(directory.path(), &cluster("shop", "hippo")).ok();
    assert!(!out.join("rhino").exists());
}

#[test]
fn files_move_when_a_namesake_comes_and_goes() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    render(directory.path(), &cluster("one", "hippo")).ok();
    let alone = files(&out);
    render(directory.path(), &(cluster("one", "hippo") + "---\n" + &cluster("two", "hippo"))).ok();
    assert!(!out.join("hippo").exists());
    render(directory.path(), &cluster("one", "hippo")).ok();
    assert_eq!(files(&out), alone);
    assert!(!out.join("one").exists() && !out.join("two").exists());
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    /// Creates a directory with the output of a run, and a file and a directory outside of it that must not change.
    fn world() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        render(directory.path(), &cluster("shop", "hippo")).ok();
        fs::create_dir(directory.path().join("outside")).unwrap();
        fs::write(directory.path().join("outside/victim"), "mine").unwrap();
        directory
    }

    fn assert_untouched(directory: &Path) {
        let outside = files(&directory.join("outside"));
        assert_eq!(outside.into_iter().collect::<Vec<_>>(), [("victim".to_owned(), "mine".to_owned())]);
    }

    /// Returns a Secret of the output.
    fn secret(out: &Path) -> std::path::PathBuf {
        let name = files(out).into_keys().find(|name| name.starts_with("hippo/secret-")).unwrap();
        out.join(name)
    }

    fn draft(path: &Path) -> std::path::PathBuf {
        path.with_file_name(format!(".{}.1-0.pgrender", path.file_name().unwrap().to_str().unwrap()))
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        let world = world();
        let secret = secret(&world.path().join("out"));
        for (name, _) in files(&world.path().join("out")) {
            assert_eq!(fs::metadata(world.path().join("out").join(&name)).unwrap().mode() & 0o777, 0o600, "{name}");
        }
        // Drafts of an interrupted run are removed, but drafts that another run may be writing stay.
        for old in [false, true] {
            fs::write(draft(&secret), "left").unwrap();
            if old {
                let time = std::time::SystemTime::UNIX_EPOCH;
                fs::File::options().write(true).open(draft(&secret)).unwrap().set_modified(time).unwrap();
            }
            render(world.path(), &cluster("shop", "hippo")).ok();
            assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
            assert_eq!(draft(&secret).exists(), !old);
        }
    }

    #[test]
    fn no_link_to_a_file_is_followed() {
        let world = world();
        let secret = secret(&world.path().join("out"));
        for link in [draft(&secret), secret.clone(), world.path().join("out/.pgrender")] {
            let _ = fs::remove_file(&link);
            symlink(world.path().join("outside/victim"), &link).unwrap();
            render(world.path(), &cluster("shop", "hippo")).ok();
            assert_untouched(world.path());
            assert!(fs::symlink_metadata(&secret).unwrap().is_file());
        }
        // The target of a dangling link is not created either.
        fs::remove_file(draft(&secret)).unwrap();
        symlink(world.path().join("outside/new"), draft(&secret)).unwrap();
        render(world.path(), &cluster("shop", "hippo")).ok();
        assert_untouched(world.path());
    }

    #[test]
    fn a_directory_that_is_a_link_is_refused() {
        let world = world();
        let out = world.path().join("out");
        fs::rename(out.join("hippo"), world.path().join("aside")).unwrap();
        symlink(world.path().join("outside"), out.join("hippo")).unwrap();
        let output = render(world.path(), &cluster("shop", "hippo"));
        assert_eq!(output.code, 1);
        assert!(
            output.stderr.contains("out/hippo` is a symbolic link, which pgrender does not follow: remove it"),
            "{}",
            output.stderr
        );
        assert_untouched(world.path());
        fs::remove_file(out.join("hippo")).unwrap();
        symlink(world.path().join("outside"), out.join("one")).unwrap();
        let namesakes = cluster("one", "hippo") + "---\n" + &cluster("two", "hippo");
        assert_eq!(render(world.path(), &namesakes).code, 1);
        assert_untouched(world.path());
        fs::remove_file(out.join("one")).unwrap();
        fs::write(out.join("one"), "").unwrap();
        assert!(render(world.path(), &namesakes).stderr.contains("out/one` is not a directory: remove it"));
    }

    #[test]
    fn nothing_is_removed_through_a_link() {
        let world = world();
        let out = world.path().join("out");
        render(world.path(), &(cluster("shop", "hippo") + "---\n" + &cluster("shop", "rhino"))).ok();
        // First the files of a removed cluster in a linked directory, then an old file that is a link.
        fs::rename(out.join("rhino"), world.path().join("aside")).unwrap();
        symlink(world.path().join("aside"), out.join("rhino")).unwrap();
        let aside = files(&world.path().join("aside"));
        render(world.path(), &cluster("shop", "hippo")).ok();
        assert_eq!(files(&world.path().join("aside")), aside);
        assert!(fs::symlink_metadata(out.join("rhino")).unwrap().is_symlink());

        let name = aside.keys().next().unwrap();
        let text = aside[name].replace("rhino", "hippo").replacen("name: hippo", "name: old-hippo", 1);
        let (kind, _) = name.split_once('-').unwrap();
        let target = world.path().join("outside.yaml");
        fs::write(&target, &text).unwrap();
        let old = super::super::object::reference(&super::super::documents(&text)[0].node).name;
        let link = out.join(format!("hippo/{kind}-{old}.yaml"));
        symlink(&target, &link).unwrap();
        render(world.path(), &cluster("shop", "hippo")).ok();
        assert!(target.exists() && fs::symlink_metadata(link).unwrap().is_symlink());
    }

    #[test]
    fn the_directory_itself_may_be_a_link() {
        let world = world();
        fs::rename(world.path().join("out"), world.path().join("real")).unwrap();
        symlink(world.path().join("real"), world.path().join("out")).unwrap();
        render(world.path(), &cluster("shop", "rhino")).ok();
        assert!(world.path().join("real/rhino").is_dir());
    }
}

/// Jobs of a pipeline may share a directory.
#[test]
fn runs_at_once_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let input = cluster("shop", "hippo");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| render(directory.path(), &input))).collect();
        for run in runs {
            run.join().unwrap().ok();
        }
    });
    let together = files(&directory.path().join("out"));
    let alone = tempfile::tempdir().unwrap();
    render(alone.path(), &input).ok();
    assert_eq!(together, files(&alone.path().join("out")));
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

    // A directory has the name of a file that is to be written: the drafts are removed again.
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
