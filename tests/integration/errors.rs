//! Tests invalid input: each case in `fixtures/errors` gives the errors in its `stderr.txt`, exit code 1 and nothing else, on
//! the command line and as a KRM function. Random changes of valid input do not crash the program.
//!
//! `SNAPSHOTS=overwrite cargo test --test integration errors::` updates the expected errors.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pgrender::identity::Seed;
use pgrender::options::Options;
use pgrender::postgres_cluster::parse::DEFINITION;
use pgrender::read;
use pgrender::render::{is_rendered, render};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use snapbox::{Data, assert_data_eq};

use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects};

/// Runs the program until it exits. If `seed` is empty, it runs without a seed.
fn run(arguments: &[&str], directory: &Path, seed: &str, stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgrender"))
        .args(arguments)
        .env_clear()
        .envs([("PGRENDER_SEED", seed), ("SOURCE_DATE_EPOCH", "1767225600")])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input closes it, which is not an error here.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// The directories below `fixtures/errors`.
fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/errors");
    let mut cases: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 40, "{}", cases.len());
    cases
}

/// Returns the seed of a case: its own, or a valid one.
fn seed(case: &Path) -> String {
    fs::read_to_string(case.join("seed.txt")).unwrap_or_else(|_| SEED.to_owned())
}

#[test]
fn bad_input_is_refused_with_these_words() {
    for case in cases() {
        let output = run(&["render", "cluster.yaml"], &case, &seed(&case), "");
        let name = case.display();
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(output.stdout.is_empty(), "{name}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("error: ") && !stderr.contains("panicked"), "{name}\n{stderr}");
        assert_data_eq!(stderr, Data::read_from(&case.join("stderr.txt"), None).raw());
    }
}

#[test]
fn a_function_refuses_the_same_with_results() {
    for case in cases() {
        let text = fs::read_to_string(case.join("cluster.yaml")).unwrap();
        let Ok(documents) = read::documents("cluster.yaml", &text) else { continue };
        let items: Vec<Value> = documents.iter().map(|document| document.node.to_json()).collect();
        if !items.iter().any(|item| item["kind"] == "PostgresCluster") {
            // A function without a cluster changes nothing.
            continue;
        }
        let list = json!({"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items});
        let output = run(&[], &case, &seed(&case), &list.to_string());
        let name = case.display();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let mut answer = answer(output);
        for item in answer["items"].as_array_mut().unwrap() {
            // Even then, the Secret with the seed gets the annotation that keeps it out of the Kubernetes cluster. Nothing else
            // changes.
            if item["metadata"]["annotations"]["pgrender.dev/seed"] == "true" {
                let away = item["metadata"]["annotations"]
                    .as_object_mut()
                    .unwrap()
                    .remove("config.kubernetes.io/local-config");
                assert_eq!(away, Some(json!("true")), "{name}");
            }
        }
        assert_eq!(answer["items"], json!(items), "{name}");
        let errors = |result: &&Value| result["severity"] == "error";
        let mut told: Vec<&str> = answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter(errors)
            .map(|result| result["message"].as_str().unwrap())
            .collect();
        let stderr = fs::read_to_string(case.join("stderr.txt")).unwrap();
        let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("error: ")).collect();
        assert_eq!(told.len(), lines.len(), "{name} {told:?}");
        // A message may contain the position of another cluster, which is different here.
        for line in lines.iter().filter(|line| !line.contains(" in `cluster.yaml`")) {
            let position = told.iter().position(|message| line.ends_with(&message.replace('\n', " ")));
            told.swap_remove(position.unwrap_or_else(|| panic!("{name}: {line} is not among {told:?}")));
        }
    }
}

#[test]
fn a_function_refuses_what_is_no_list_with_an_empty_one() {
    let mut unreadable = 0;
    for case in cases() {
        let text = fs::read_to_string(case.join("cluster.yaml")).unwrap();
        if read::documents("cluster.yaml", &text).is_ok() {
            continue;
        }
        unreadable += 1;
        let output = run(&[], &case, SEED, &text);
        let name = case.display();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let answer = answer(output);
        assert_eq!(answer["items"], json!([]), "{name}");
        assert_eq!(answer["results"][0]["severity"], "error", "{name}");
    }
    assert!(unreadable >= 8, "{unreadable}");
}

/// Returns the list that a function writes.
fn answer(output: Output) -> Value {
    let answer =
        read::documents("answer", &String::from_utf8(output.stdout).unwrap()).unwrap().remove(0).node.to_json();
    assert_eq!(answer["kind"], "ResourceList");
    answer
}

#[test]
fn huge_input_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("#".repeat(65 * 1024 * 1024), "at most 67108864"),
        ("- \n".repeat(1_000_001), "more than 1000000 values"),
        ("[".repeat(1_000_000), "more than 64 nested lists and mappings"),
        (format!("a: {}\n", "x".repeat(1_000_000)), "no PostgresCluster"),
    ] {
        let output = run(&["render"], directory.path(), SEED, &text);
        assert_eq!(output.status.code(), Some(1), "{expected}");
        assert!(output.stdout.is_empty(), "{expected}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected) && stderr.len() < 1000, "{expected}: {} bytes", stderr.len());
    }
}

/// A change of one value in a tree.
#[derive(Clone, Debug)]
enum Mutation {
    Delete,
    Replace(Value),
    Insert(&'static str, Value),
    /// Copies another part of the same tree to this place.
    Copy(Index),
}

fn mutation() -> impl Strategy<Value = (Index, Mutation)> {
    let values = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(65536),
        json!(9_223_372_036_854_775_807_i64),
        json!(1.5),
        json!(""),
        json!("x"),
        json!("é\u{0}\n'\"`"),
        json!("a".repeat(300)),
        json!("99999999999999999999Gi"),
        json!("-1"),
        json!([]),
        json!({}),
        json!([null]),
        json!({"": null}),
        json!([[["deep"]]]),
    ];
    let fields = vec![
        "name",
        "items",
        "replicas",
        "key",
        "",
        "a b",
        "spec",
        "resources",
        "requests",
        "image",
        "users",
        "backups",
    ];
    let value = || proptest::sample::select(values.clone());
    let mutation = prop_oneof![
        Just(Mutation::Delete),
        value().prop_map(Mutation::Replace),
        (proptest::sample::select(fields), value()).prop_map(|(field, value)| Mutation::Insert(field, value)),
        any::<Index>().prop_map(Mutation::Copy),
    ];
    (any::<Index>(), mutation)
}

/// Collects the pointers to every value in a tree except the root.
fn pointers(node: &Value, pointer: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match node {
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let pointer = format!("{pointer}/{key}");
        pointers(child, &pointer, found);
        found.push(pointer);
    }
}

fn mutate(tree: &mut Value, place: Index, mutation: Mutation) {
    let mut all = Vec::new();
    pointers(tree, "", &mut all);
    if all.is_empty() {
        return;
    }
    let pointer = place.get(&all);
    match mutation {
        Mutation::Delete => {
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            match tree.pointer_mut(parent).unwrap() {
                Value::Object(entries) => drop(entries.remove(&last.replace("~1", "/").replace("~0", "~"))),
                Value::Array(items) => drop(items.remove(last.parse().unwrap())),
                _ => {}
            }
        }
        Mutation::Replace(value) => *tree.pointer_mut(pointer).unwrap() = value,
        Mutation::Insert(field, value) => match tree.pointer_mut(pointer).unwrap() {
            Value::Object(entries) => drop(entries.insert(field.to_owned(), value)),
            Value::Array(items) => items.push(value),
            _ => {}
        },
        Mutation::Copy(from) => {
            let value = tree.pointer(from.get(&all).as_str()).unwrap().clone();
            *tree.pointer_mut(pointer).unwrap() = value;
        }
    }
}

/// A valid cluster after several mutations.
fn mutated() -> impl Strategy<Value = Value> {
    let trees: Vec<Value> =
        fixtures().iter().map(|(_, text)| read::documents("cluster.yaml", text).unwrap()[0].node.to_json()).collect();
    (proptest::sample::select(trees), proptest::collection::vec(mutation(), 1..4)).prop_map(|(mut tree, mutations)| {
        for (place, mutation) in mutations {
            mutate(&mut tree, place, mutation);
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// This runs in the same process, so that a panic fails the test.
    #[test]
    fn a_good_cluster_made_bad_is_rendered_or_refused(tree in mutated()) {
        let text = tree.to_string();
        let documents = read::documents("cluster.yaml", &text).unwrap();
        match objects(&text) {
            Ok(objects) => prop_assert_eq!(objects.is_empty(), !is_rendered(&documents[0].node)),
            Err(errors) => prop_assert!(errors.iter().all(|error| !error.message.is_empty())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_function_always_answers_with_a_list(item in mutated(), config in mutated()) {
        let list = json!({"kind": "ResourceList", "items": [item], "functionConfig": config}).to_string();
        let output = run(&[], Path::new(env!("CARGO_MANIFEST_DIR")), SEED, &list);
        let code = output.status.code();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        prop_assert!(code == Some(0) || (code == Some(1) && stderr.contains("error: ")), "{:?} {}", code, stderr);
        prop_assert!(!stderr.contains("panicked"), "{}", stderr);
        let answer = answer(output);
        if code == Some(1) {
            prop_assert_eq!(&answer["items"], &json!([item]));
        }
    }
}

#[test]
fn a_text_cut_off_anywhere_is_rendered_or_refused() {
    let (_, text) = fixtures().into_iter().find(|(name, _)| name == "users").unwrap();
    let mut refused = 0;
    for (offset, _) in text.char_indices().filter(|(offset, _)| offset % 3 == 0) {
        refused += usize::from(objects(&text[..offset]).is_err());
    }
    assert!(refused > 100, "{refused}");
}

/// The time is the same for all clusters.
#[test]
fn a_time_before_2020_is_refused_once() {
    let cluster = |name: &str| {
        let metadata = json!({"name": name, "namespace": "shop"});
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let spec = json!({"postgresVersion": 17, "instances": [{"dataVolumeClaimSpec": claim}]});
        json!({"apiVersion": DEFINITION.api_versions[0], "kind": "PostgresCluster", "metadata": metadata, "spec": spec})
            .to_string()
    };
    let clusters = read::documents("c.yaml", &format!("{}\n---\n{}\n", cluster("a"), cluster("b"))).unwrap();
    let images = ["POSTGRES_17", "PGBACKREST"].map(|name| (format!("RELATED_IMAGE_{name}"), "image".to_owned()));
    let options = Options { images: images.into(), ..Options::default() };
    let seed = Seed::new(SEED.as_bytes()).ok().unwrap();
    let errors: Vec<String> =
        render(&clusters, &options, Ok(&seed)).diagnostics.iter().map(ToString::to_string).collect();
    assert!(errors.len() == 1 && errors[0].contains("before 2020") && !errors[0].contains("`a`"), "{errors:?}");
}
