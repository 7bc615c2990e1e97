//! `pgrender render`, `pgrender seed`, `pgrender schema`.

use std::fs;
use std::process::Stdio;

use super::{HIPPO, SEED, TIME, cluster, documents, owners, pgrender, run};

#[test]
fn a_cluster_on_standard_input_is_rendered() {
    for arguments in [vec!["render", "-n", "shop"], vec!["render", "--namespace", "shop", "-"]] {
        let output = run(pgrender().args(arguments).env("PGRENDER_SEED", SEED), HIPPO);
        assert_eq!(output.stderr.lines().filter(|line| line.contains("error")).count(), 0);
        assert_eq!(owners(&documents(&output.ok())), ["shop/hippo"]);
    }
}

#[test]
fn the_order_of_documents_changes_nothing() {
    let (one, two) = (cluster("shop", "hippo"), cluster("shop", "rhino"));
    let render = |text: String| run(pgrender().args(["render", "--time", TIME]).env("PGRENDER_SEED", SEED), text).ok();
    let output = render(format!("{one}---\n{two}"));
    assert_eq!(output, render(format!("{two}---\n{one}")));
    assert_eq!(owners(&documents(&output)), ["shop/hippo", "shop/rhino"]);
}

#[test]
fn directories_are_read_and_hidden_files_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir_all(path.join("sub/.git")).unwrap();
    fs::write(path.join("b.yaml"), cluster("shop", "hippo")).unwrap();
    fs::write(path.join("sub/a.yml"), cluster("shop", "rhino")).unwrap();
    let json = documents(&cluster("shop", "tapir"))[0].node.to_json().to_string();
    fs::write(path.join("sub/c.json"), json).unwrap();
    fs::write(path.join("sub/.git/d.yaml"), cluster("shop", "hidden")).unwrap();
    fs::write(path.join(".e.yaml"), cluster("shop", "hidden")).unwrap();
    fs::write(path.join("f.txt"), "}{").unwrap();
    fs::write(path.join("values.yaml"), "- no\n- object\n---\nkind: Service\n").unwrap();
    let output = run(pgrender().arg("render").arg(path).env("PGRENDER_SEED", SEED), "");
    assert_eq!(owners(&documents(&output.ok())), ["shop/hippo", "shop/rhino", "shop/tapir"]);
}

#[test]
fn what_kubectl_get_prints_is_rendered() {
    let items = [cluster("shop", "hippo"), cluster("shop", "rhino")].map(|text| documents(&text)[0].node.to_json());
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let output = run(pgrender().arg("render").env("PGRENDER_SEED", SEED), list);
    assert_eq!(owners(&documents(&output.ok())), ["shop/hippo", "shop/rhino"]);
}

#[test]
fn the_seed_may_be_a_secret_of_the_input_and_stays_out_of_the_output() {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: seed, annotations: {{pgrender.dev/seed: 'true'}}}}\n\
         stringData: {{seed: {SEED}}}\n---\n"
    );
    let given = run(pgrender().args(["render", "--time", TIME]), secret + &cluster("shop", "hippo")).ok();
    assert!(!given.contains(SEED));
    let other = run(pgrender().args(["render", "--time", TIME]).env("PGRENDER_SEED", SEED), cluster("shop", "hippo"));
    assert_eq!(given, other.ok());
}

#[test]
fn existing_secrets_keep_their_values_and_nothing_else_of_their_file_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let user = |password: &str| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hippo-pguser-hippo", "namespace": "shop"},
            "stringData": {"password": password},
        })
    };
    let other = documents(&cluster("shop", "rhino"))[0].node.to_json();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [user("geheim"), other]}).to_string();
    fs::create_dir(path.join("existing")).unwrap();
    fs::write(path.join("existing/all.yaml"), &list).unwrap();
    fs::write(path.join("cluster.yaml"), cluster("shop", "hippo")).unwrap();
    let render = |arguments: &[&str], stdin: &str| {
        let mut command = pgrender();
        command.args(["render", "--time", TIME]).args(arguments).env("PGRENDER_SEED", SEED).current_dir(path);
        run(&mut command, stdin)
    };
    let plain = render(&["cluster.yaml"], "").ok();
    // `geheim` in base64.
    let kept = "password: Z2VoZWlt\n";
    let from_directory = render(&["--existing", "existing", "cluster.yaml"], "").ok();
    assert!(from_directory.contains(kept) && !plain.contains(kept));
    assert_eq!(owners(&documents(&from_directory)), ["shop/hippo"]);
    assert_eq!(render(&["--existing", "-", "cluster.yaml"], &list).ok(), from_directory);
    // The output of an earlier run has the same effect.
    fs::write(path.join("rendered.yaml"), &from_directory).unwrap();
    assert_eq!(render(&["--existing", "rendered.yaml", "cluster.yaml"], "").ok(), from_directory);
    assert_eq!(render(&["cluster.yaml", "rendered.yaml"], "").ok(), from_directory);

    let twice = render(&["--existing", "existing", "cluster.yaml", "-"], &user("another").to_string());
    assert!(twice.code == 1 && twice.stderr.contains("twice with different contents"), "{}", twice.stderr);
    assert!(!twice.stderr.contains("geheim") && !twice.stderr.contains("another"), "{}", twice.stderr);
    let stdin = render(&["--existing", "-"], &list);
    assert!(stdin.code == 1 && stdin.stderr.contains("give a file for one of them"), "{}", stdin.stderr);
    let absent = render(&["--existing", "nowhere", "cluster.yaml"], "");
    assert!(absent.code == 1 && absent.stderr.contains("cannot read `nowhere`"), "{}", absent.stderr);
}

#[test]
fn a_made_seed_can_be_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let seed = run(pgrender().arg("seed"), "").ok();
    assert!(seed.ends_with('\n') && seed.len() > 32);
    assert_ne!(seed, run(pgrender().arg("seed"), "").ok());
    fs::write(directory.path().join("seed"), seed).unwrap();
    let file =
        run(pgrender().args(["render", "--seed-file", "seed"]).current_dir(&directory), cluster("shop", "hippo"));
    assert_eq!(file.code, 0, "{}", file.stderr);
    let variable = run(
        pgrender().arg("render").env("PGRENDER_SEED_FILE", "seed").current_dir(&directory),
        cluster("shop", "hippo"),
    );
    assert_eq!(file.stdout, variable.ok());
}

#[cfg(unix)]
#[test]
fn a_seed_file_that_others_may_read_earns_a_warning() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seed");
    fs::write(&file, SEED).unwrap();
    // The layout of a Secret that the kubelet mounts.
    fs::create_dir(directory.path().join("volume")).unwrap();
    symlink(directory.path(), directory.path().join("volume/..data")).unwrap();
    symlink("..data/seed", directory.path().join("volume/seed")).unwrap();
    for (mode, path, warning) in [
        (0o600, "seed", None),
        (0o400, "seed", None),
        (
            0o640,
            "seed",
            Some("mode 0640, so other users can read it and derive every password and key: run `chmod 600 seed`"),
        ),
        (0o644, "seed", Some("chmod 600 seed")),
        (0o602, "seed", Some("mode 0602")),
        (0o440, "volume/seed", None),
        (0o644, "volume/seed", Some("set `defaultMode: 0440` on its volume")),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = pgrender();
        command.args(["render", "--time", TIME, "--seed-file", path]).current_dir(&directory);
        let output = run(&mut command, cluster("shop", "hippo"));
        assert_eq!(output.code, 0, "{}", output.stderr);
        match warning {
            None => assert_eq!(output.stderr, "", "{mode:o} {path}"),
            Some(warning) => {
                assert!(output.stderr.starts_with("warning: ") && output.stderr.contains(warning), "{}", output.stderr);
                assert_eq!(output.stderr.lines().count(), 1);
            }
        }
        assert!(!output.stderr.contains(SEED));
    }
}

#[test]
fn help_version_and_schema_are_printed() {
    assert!(run(pgrender().arg("--version"), "").ok().starts_with("pgrender "));
    assert!(run(pgrender().arg("--help"), "").ok().contains("pgrender seed > seed)"));
    assert!(run(pgrender().args(["render", "--help"]), "").ok().contains("--output-dir"));
    let schema: serde_json::Value = serde_json::from_str(&run(pgrender().arg("schema"), "").ok()).unwrap();
    assert!(schema.is_object());
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    for arguments in [
        vec!["rendr"],
        vec!["render", "--hlep"],
        vec!["render", "--random", "--seed-file", "a"],
        vec!["render", "--time", "yesterday"],
        vec!["render", "--image", "pgbackrest=a"],
        vec!["render", "--cluster-domain", "a b"],
    ] {
        let output = run(pgrender().args(&arguments), "");
        assert_eq!(output.code, 2, "{arguments:?}");
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("--help"), "{}", output.stderr);
    }
}

#[test]
fn a_line_break_in_an_argument_is_shown_and_not_written() {
    for arguments in [
        ["render", "--cluster-domain", "a\nerror: b"],
        ["render", "--trust-domain", "a\nerror: b"],
        ["render", "--certificate-issuer", "a\nerror: b"],
        ["render", "--time", "a\nerror: b"],
        ["render", "--image", "a\nerror: b=c"],
        ["render", "--random", "--a\nerror: b"],
    ] {
        let output = run(pgrender().args(arguments), "");
        assert_eq!(output.code, 2, "{arguments:?}");
        assert!(output.stderr.contains(r"a\nerror: b"), "{}", output.stderr);
        assert!(!output.stderr.contains("a\nerror: b"), "{}", output.stderr);
    }
}

#[test]
fn a_window_that_a_lifetime_does_not_bear_is_an_error_of_its_flag() {
    for (arguments, flag) in [
        (vec!["--certificate-window", "366"], "--certificate-window <DAYS>"),
        (vec!["--certificate-lifetime", "826"], "--certificate-lifetime <DAYS>"),
        (vec!["--certificate-lifetime", "90"], "--certificate-lifetime <DAYS>"),
        (vec!["--certificate-window", "90", "--certificate-lifetime", "100"], "--certificate-window <DAYS>"),
    ] {
        let output = run(pgrender().args(["render", "--random"]).args(&arguments), cluster("shop", "hippo"));
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{arguments:?}");
        let start = format!("error: invalid value for '{flag}': a certificate ");
        assert!(output.stderr.starts_with(&start) && output.stderr.contains("--help"), "{}", output.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is() {
    let mut child = pgrender()
        .args(["render", "--random"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let clusters: String = (0..20).map(|number| cluster("shop", &format!("hippo{number}")) + "---\n").collect();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), clusters.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));

    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        return println!("skipped: there is no /dev/full");
    };
    let mut child = pgrender()
        .args(["render", "--random"])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), cluster("shop", "hippo").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the output"));
}

#[test]
fn a_time_without_certificates_is_one_error_of_its_option() {
    let two = cluster("shop", "a") + "---\n" + &cluster("shop", "b");
    for time in ["-5", "12", "1999-12-31T00:00:00Z", "2050-01-01T00:00:00Z", "99999999999", "9223372036854775807"] {
        let output = run(pgrender().args(["render", "--random", &format!("--time={time}")]), &two);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{time}");
        assert!(output.stderr.starts_with("error: invalid value for '--time <TIME>': "), "{}", output.stderr);
        assert_eq!(output.stderr.matches("error: ").count(), 1, "{}", output.stderr);
        let output = run(pgrender().args(["render", "--random"]).env("SOURCE_DATE_EPOCH", time), &two);
        assert_eq!((output.code, output.stderr.matches("error: ").count()), (1, 1), "{}", output.stderr);
    }
}

#[test]
fn a_warning_is_told_whatever_goes_wrong_after_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let warned =
        cluster("shop", "hippo").replace("spec:\n", "spec:\n  userInterface: {pgAdmin: {dataVolumeClaimSpec: {}}}\n");
    let warned = warned.replace("crunchydata.com/v1\n", "crunchydata.com/v1beta1\n").replace(
        "dataVolumeClaimSpec: {}",
        "dataVolumeClaimSpec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
    );
    // The output cannot be written.
    fs::write(path("file"), "").unwrap();
    let output = run(pgrender().args(["render", "--random", "-o"]).arg(path("file/below")), &warned);
    assert_eq!(output.code, 1);
    for part in ["warning: spec.userInterface: ", "error: cannot write"] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    // The seed is invalid.
    fs::write(path("seed"), "short").unwrap();
    fs::set_permissions(path("seed"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(pgrender().args(["render", "--seed-file"]).arg(path("seed")), &warned);
    assert_eq!(output.code, 1);
    for part in ["warning: spec.userInterface: ", "error: the seed file", "warning: the seed file"] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    // Another cluster has an error.
    let other = cluster("shop", "other").replace("17", "3");
    let output = run(pgrender().args(["render", "--random"]), format!("{warned}---\n{other}"));
    assert!(output.code == 1 && output.stderr.contains("warning: spec.userInterface: "), "{}", output.stderr);
}

#[test]
fn the_templates_of_a_chart_are_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let templates = [
        (
            "broken.yaml",
            "{{- if .Values.x }}\nkind: PostgresCluster\nspec: {{ .Values.y }}\nname: {{ .Values.z }}\n{{- end }}\n"
                .to_owned(),
        ),
        ("quoted.yaml", cluster("shop", "'{{ .Release.Name }}'").replace("17", "'{{ .Values.version }}'")),
        // Templates in these fields belong to other programs.
        (
            "whole.yaml",
            cluster("shop", "whole")
                + "  metadata: {annotations: {vault.hashicorp.com/agent-inject-template-a: '{{ with secret \"b\" }}'}}\n",
        ),
    ];
    for (name, text) in &templates {
        fs::write(directory.path().join(name), text).unwrap();
    }
    for (name, _) in &templates[..2] {
        let output = run(pgrender().args(["render", "--random"]).arg(directory.path().join(name)), "");
        assert_eq!((output.code, output.stderr.lines().count()), (1, 1), "{}", output.stderr);
        assert!(output.stderr.contains("`helm template CHART | pgrender render -`"), "{}", output.stderr);
    }
    run(pgrender().args(["render", "--random"]).arg(directory.path().join("whole.yaml")), "").ok();
    // Another error is still reported.
    fs::copy(directory.path().join("broken.yaml"), directory.path().join("next.yaml")).unwrap();
    fs::write(directory.path().join("other.yaml"), "a: [\n").unwrap();
    let output = run(pgrender().args(["render", "--random"]).arg(directory.path()), "");
    assert_eq!((output.code, output.stderr.lines().count()), (1, 2), "{}", output.stderr);
    assert!(
        output.stderr.contains("broken.yaml:1:1: ") && output.stderr.contains("other.yaml:1:4: "),
        "{}",
        output.stderr
    );
}
