//! No format shows a secret of the input.

use std::path::Path;

use super::{GOOD, run};

/// A word that must not be shown.
const CANARY: &str = "geheim0815";

/// Every format, and the text with colours.
const FORMATS: [&[&str]; 5] =
    [&["--color=always"], &["--format=text"], &["--format=json"], &["--format=sarif"], &["--format=github"]];

#[test]
fn a_line_with_a_secret_is_not_shown() {
    let secret = |rest: &str| format!("{GOOD}---\napiVersion: v1\nkind: Secret\n{rest}");
    let spec = |rest: &str| format!("{GOOD}{rest}");
    let set = |rest: &str| GOOD.replace("  - name: one\n", &format!("  - name: one\n    {rest}\n"));
    for text in [
        // What is wrong is in the line of the secret.
        secret(&format!("metadata: {{name: hippo-pguser-hippo, namespace: shop}}\ndata: {{password: {CANARY}}}\n")),
        secret(&format!("metadata: {{name: s, labels: {{pgrender.dev/sed: '{CANARY}'}}}}\n")),
        secret(&format!("data: {{a: {CANARY}\n")),
        secret(&format!("stringData:\n  a: b\n   c: {CANARY}\n")),
        spec(&format!("  users: [{{name: a, password: {{value: {CANARY}, tpye: 1}}}}]\n")),
        spec(&format!("  users: [{{name: a, passwort: {CANARY}}}]\n")),
        spec(&format!("  userz: {{name: a, token: {CANARY}}}\n")),
        spec(&format!("  backups: {{pgbackrest: {{global: {{repo1-cipher-pass: [{CANARY}]}}}}}}\n")),
        spec(&format!("  backups: {{pgbackrest: {{global: {{repo1-s3-key: {CANARY}, zzz: [1]}}}}}}\n")),
        spec(&format!("  backups:\n    pgbackrest:\n      global:\n        repo1-s3-key:\n        - {CANARY}\n")),
        spec(&format!("  config:\n    value:\n      a: {CANARY}\n      a: {CANARY}\n")),
        spec(&format!("  config: [\n  password: {CANARY}\n")),
        spec(&format!("  zzz: 'postgres://a:{CANARY}@b/c'\n")),
        spec(&format!("  zzz: &a {CANARY}\n  users: [{{password: *a}}]\n")),
        spec(&format!("  backups: {{pgbackrest: {{manual: {{repoName: 1, options: [--repo1-s3-key={CANARY}]}}}}}}\n")),
        spec(&format!("  backups:\n    pgbackrest:\n      manual:\n        options: --a={CANARY}\n")),
        set(&format!("containers: {CANARY}")),
        set(&format!("containers: [{CANARY}]")),
        set(&format!("containers: [{{name: a, args: {CANARY}}}]")),
        set(&format!("containers: [{{name: a, command: [{{a: {CANARY}}}]}}]")),
        set(&format!("containers:\n    - name: a\n      env: {CANARY}")),
        set(&format!("containers:\n    - name: a\n      args:\n      - a: {CANARY}")),
        // It is not read, because a key is repeated.
        spec(&format!("  instances: [{{containers: [{{args: {CANARY}}}]}}]\n")),
        // Nothing is known about a document without a kind.
        format!("{GOOD}---\na: [{CANARY}\n"),
        format!("{{\"kind\": \"PostgresCluster\", \"spec\": {{\"password\": \"{CANARY}\", \"a\": }}}}\n"),
    ] {
        for format in FORMATS {
            let output = run(&[&["check"], format].concat(), Path::new("/"), &[], &text);
            assert!(output.code == 1 && !output.stdout.is_empty(), "{text}");
            assert!(!output.stdout.contains(CANARY), "{format:?}\n{text}\n{}", output.stdout);
        }
    }
}

#[test]
fn other_lines_are_shown() {
    for text in [
        format!("{GOOD}  prot: {CANARY}\n"),
        format!("{GOOD}  prot: [\n  zzz: {CANARY}\n"),
        format!("{GOOD}  users: [{{name: A, passwort: a}}]\n  prot: {CANARY}\n"),
    ] {
        let output = run(&["check"], Path::new("/"), &[], &text);
        assert!(output.stdout.contains("prot:"), "{text}\n{}", output.stdout);
    }
}
