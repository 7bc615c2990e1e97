//! Tests that for any invalid input, a failed run says why, prints nothing else and does not panic.

use std::fs;

use super::{HIPPO, SEED, TIME, cluster, pgrender, run};

/// The standard input of `pgrender render`, and a text that the message must contain.
fn cases() -> Vec<(String, &'static str)> {
    let hippo = cluster("shop", "hippo");
    let secret = |fields: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, annotations: {{pgrender.dev/seed: 'true'}}}}\n{fields}\n---\n\
             {hippo}"
        )
    };
    let bomb: String =
        (1..12).map(|level| format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(9))).collect();
    vec![
        (String::new(), "no PostgresCluster"),
        ("# nothing\n---\n...\n".to_owned(), "no PostgresCluster"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: hippo}\n".to_owned(), "no PostgresCluster"),
        ("kind: [PostgresCluster]\n".to_owned(), "no PostgresCluster"),
        ("apiVersion: v1\nkind: List\nitems: []\n".to_owned(), "no PostgresCluster"),
        ("a: b: c\n".to_owned(), "<stdin>:1:"),
        ("a:\n\tb: c\n".to_owned(), "<stdin>:2:"),
        ("a: 'b\n".to_owned(), "<stdin>:"),
        ("a: [b\n".to_owned(), "<stdin>:"),
        ("a: *b\n".to_owned(), "<stdin>:1:"),
        ("a: 1\na: 2\n".to_owned(), "<stdin>:2:"),
        ("a: \0\n".to_owned(), "<stdin>:1:"),
        ("[".repeat(100_000), "<stdin>:1:"),
        ("{a: ".repeat(100_000), "<stdin>:1:"),
        ("- ".repeat(100_000), "<stdin>:1:"),
        (format!("a0: &a0 [x]\n{bomb}"), "<stdin>:"),
        (HIPPO.to_owned(), "metadata.namespace: a cluster needs a namespace"),
        (
            hippo.replace("crunchydata.com/v1", "crunchydata.com/v1alpha1"),
            "apiVersion: `postgres-operator.crunchydata.com/v1alpha1`",
        ),
        (hippo.replace("apiVersion: postgres-operator.crunchydata.com/v1\n", ""), "apiVersion"),
        (format!("{hippo}---\n{}", hippo.replace("17", "16")), "twice with different contents"),
        (
            format!("{hippo}---\n{}", hippo.replace("crunchydata.com/v1", "crunchydata.com/v1beta1")),
            "twice with different contents",
        ),
        (
            cluster("shop", "a").replace("instance1", "b-c")
                + "---\n"
                + &cluster("shop", "a-b").replace("instance1", "c"),
            "`PostgresCluster shop/a` and `PostgresCluster shop/a-b` would both create",
        ),
        (secret("data: {}"), "is missing"),
        (secret("data: {seed: '%%%'}"), "not valid base64"),
        (secret("data: {seed: 'ENC[AES256_GCM,data:abc]'}"), "SOPS"),
        (secret("stringData: {seed: short}"), "seed"),
        (secret("stringData: {seed: 1}"), "is not a string"),
        (
            secret(&format!("stringData: {{seed: {SEED}}}\n---\n{}", secret(&format!("stringData: {{seed: {SEED}}}")))),
            "more than one seed",
        ),
    ]
}

#[test]
fn bad_input_is_an_error_and_nothing_else() {
    for (text, expected) in cases() {
        // A seed is given unless the case is about the seed.
        let mut command = pgrender();
        command.arg("render");
        if !text.contains("kind: Secret") {
            command.env("PGRENDER_SEED", SEED);
        }
        let output = run(&mut command, &text);
        let start: String = text.chars().take(200).collect();
        assert_eq!(output.code, 1, "{start}");
        assert_eq!(output.stdout, "", "{start}");
        assert!(output.stderr.contains(expected), "{start}\n{}", output.stderr);
        assert!(output.stderr.contains("error: ") && !output.stderr.contains("panicked"), "{}", output.stderr);
        assert!(!output.stderr.contains(SEED) && !output.stderr.contains("%%%"), "{}", output.stderr);
    }
}

#[test]
fn what_is_nearly_a_cluster_is_told() {
    let render = |text: &str| run(pgrender().arg("render").env("PGRENDER_SEED", SEED), text);
    let good = cluster("shop", "hippo");
    for (bad, words) in [
        (
            good.replace("PostgresCluster", "postgrescluster"),
            "kind: pgrender does not render `postgrescluster`: did you mean",
        ),
        (good.replace("PostgresCluster", "PostgreSQLCluster"), "did you mean `PostgresCluster`?"),
        (
            good.replace("crunchydata.com/v1", "crunchydata.io/v1"),
            "did you mean `postgres-operator.crunchydata.com/v1`?",
        ),
    ] {
        let alone = render(&bad);
        assert!(alone.code == 1 && alone.stderr.contains(words), "{}", alone.stderr);
        let both = render(&format!("{good}---\n{bad}"));
        assert!(both.code == 0 && both.stderr.contains("warning: ") && both.stderr.contains(words), "{}", both.stderr);
    }
    for (word, other) in [
        ("kind: PostgresCluster", "kind: PGUpgrade"),
        ("kind: PostgresCluster", "kind: PGAdmin"),
        ("postgres-operator.crunchydata.com", "postgres-operator.example.com"),
    ] {
        let other = good.replace(word, other);
        assert_eq!(render(&format!("{good}---\n{other}")).stderr, "", "{other}");
    }
}

#[test]
fn the_same_cluster_twice_is_rendered_once() {
    let hippo = cluster("shop", "hippo");
    let once = run(pgrender().args(["render", "--time", TIME]).env("PGRENDER_SEED", SEED), &hippo).ok();
    let twice = format!("{hippo}---\n{hippo}");
    assert_eq!(run(pgrender().args(["render", "--time", TIME]).env("PGRENDER_SEED", SEED), twice).ok(), once);
}

#[test]
fn a_missing_seed_is_explained_in_three_lines() {
    let output = run(pgrender().arg("render"), cluster("shop", "hippo"));
    assert_eq!(output.code, 1);
    assert_eq!(output.stdout, "");
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", output.stderr);
    for word in
        ["pgrender seed", "--seed-file", "PGRENDER_SEED_FILE", "PGRENDER_SEED`", "pgrender.dev/seed", "--random"]
    {
        assert!(output.stderr.contains(word), "{word}\n{}", output.stderr);
    }
}

#[test]
fn two_seeds_at_once_are_refused_unless_one_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("seed"), SEED).unwrap();
    let hippo = cluster("shop", "hippo");
    let mut command = pgrender();
    command.arg("render").env("PGRENDER_SEED", SEED).env("PGRENDER_SEED_FILE", "seed").current_dir(&directory);
    let output = run(&mut command, &hippo);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("more than one seed"), "{}", output.stderr);
    run(command.args(["--seed-file", "seed"]), &hippo).ok();
}

#[test]
fn files_that_cannot_be_read_are_named_all_at_once() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("latin.yaml"), b"a: \xe9\n").unwrap();
    fs::write(directory.path().join("broken.yaml"), "a: [\n").unwrap();
    let mut command = pgrender();
    command
        .args(["render", "absent.yaml", "latin.yaml", "broken.yaml", "--seed-file", "absent"])
        .current_dir(&directory);
    let output = run(&mut command, "");
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    for name in ["`absent.yaml`", "latin.yaml", "broken.yaml:"] {
        assert!(output.stderr.contains(name), "{name}\n{}", output.stderr);
    }
    let output = run(pgrender().args(["render", "--seed-file", "absent"]), cluster("shop", "hippo"));
    assert!(output.stderr.contains("cannot read the seed file `absent`"), "{}", output.stderr);
    let output = run(pgrender().args(["render", "--seed-file", "/dev/zero"]), cluster("shop", "hippo"));
    assert!(output.stderr.contains("longer than"), "{}", output.stderr);
}

#[test]
fn errors_of_the_cluster_and_of_the_seed_come_together() {
    let output = run(pgrender().arg("render"), HIPPO);
    assert!(output.stderr.contains("needs a namespace") && output.stderr.contains("no seed"), "{}", output.stderr);
}
