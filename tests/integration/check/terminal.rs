//! The text for people: exactly these words, colours only for those who see them, and nothing that disturbs a terminal.

use std::fs;
use std::path::Path;

use snapbox::{assert_data_eq, str};

use super::{GOOD, run};

#[test]
fn a_finding_has_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let text = GOOD.replace("  postgresVersion: 17\n", "  postgresVersion: 17\n  \"prot\": 1 # 日本\n");
    let text = text.replace("name: one", "replicaz: 2");
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {pgrender.dev/seeed: 'true'}}\n";
    fs::write(directory.path().join("cluster.yaml"), text + secret).unwrap();
    let output = run(&["check", "cluster.yaml"], directory.path(), &[], "");
    assert_eq!((output.code, output.stderr.as_str()), (1, ""));
    assert_data_eq!(
        output.stdout,
        str![[r#"
error: unknown field, did you mean `port`?
 --> cluster.yaml:6:3
  |
6 |   "prot": 1 # 日本
  |   ^^^^^^
  |
  = field: spec.prot
  = object: PostgresCluster shop/hippo

error: unknown field, did you mean `replicas`?
 --> cluster.yaml:8:5
  |
8 |   - replicaz: 2
  |     ^^^^^^^^
  |
  = field: spec.instances[0].replicaz
  = object: PostgresCluster shop/hippo

error: does not mark this Secret as a seed: write the annotation `pgrender.dev/seed: "true"`
--> cluster.yaml:13:30
 = field: metadata.labels["pgrender.dev/seeed"]
 = object: Secret s

3 errors in 1 file

"#]]
    );
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let long = "a1: 日本, ".repeat(300).replace("a1", "name");
    let text = format!("{GOOD}  zzz: {{x: [{}], y: {{b: 1, b: 2}}, {long}}}\n", "1, ".repeat(2000));
    let output = run(&["check"], Path::new("/"), &[], &text);
    assert!(output.stdout.contains("y: {b: 1, b: 2}"), "{}", output.stdout);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() < 160), "{}", output.stdout);
    // The mark is below the second `b`.
    let line = lines.iter().position(|line| line.contains("y: {b: 1, b: 2}")).unwrap();
    assert_eq!(lines[line].find("b: 2"), lines[line + 1].find('^'), "{}", output.stdout);
}

#[test]
fn nothing_disturbs_the_terminal() {
    let files = ["a\u{1b}[2J.yaml", "b\u{202e}.yaml"];
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        (files[0], format!("{GOOD}  \"a\\e[2Jb\\n\": 1\n\tc: 1\n")),
        (files[1], format!("{GOOD}  zzz: 1 # \u{1b}]0;a\u{7}\r\n")),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    for format in ["text", "json", "sarif", "github"] {
        let output = run(&["check", "--format", format, "."], directory.path(), &[], "");
        let disturbing = |character: char| character.is_control() && !['\n', '\t'].contains(&character);
        assert!(output.code == 1 && !output.stdout.contains(disturbing), "{format}: {:?}", output.stdout);
    }
}

#[test]
fn colours_are_for_terminals() {
    let is_coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        run(&[&["check"], arguments].concat(), Path::new("/"), variables, "a: b\n").stdout.contains('\u{1b}')
    };
    assert!(!is_coloured(&[], &[]));
    assert!(!is_coloured(&["--color", "auto"], &[]));
    assert!(!is_coloured(&["--color", "never"], &[]));
    assert!(is_coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!is_coloured(&["--color", "always", "--format", "json"], &[]));
}
