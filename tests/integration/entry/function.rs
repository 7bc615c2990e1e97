//! Tests the KRM function alone: it gets a ResourceList on standard input and always writes one.

use super::{Output, SEED, TIME, cluster, documents, owners, pgrender, run};
use pgrender::identity::window::{Schedule, Window};
use pgrender::read::Document;

fn function(list: &str) -> Output {
    run(pgrender().env("PGRENDER_SEED", SEED).env("SOURCE_DATE_EPOCH", TIME), list)
}

/// Returns `texts` as items, indented like kyaml does.
fn list(texts: &[&str], rest: &str) -> String {
    let indented = |text: &&str| {
        let lines: Vec<String> = text.lines().map(|line| format!("  {line}\n")).collect();
        format!("- {}", lines.concat().trim_start())
    };
    let items: String = texts.iter().map(indented).collect();
    format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}{rest}")
}

/// Returns the items of an output.
fn items(answer: &str) -> Vec<Document> {
    let answer = documents(answer);
    assert_eq!(answer.len(), 1);
    let items = answer[0].node.get("items").expect("items are always there").items();
    items.iter().map(|node| Document { file: String::new(), node: node.clone() }).collect()
}

#[test]
fn the_answer_is_one_list_that_ends_in_one_newline() {
    let answer = function(&list(&[&cluster("shop", "hippo")], "")).ok();
    assert!(answer.ends_with('\n') && !answer.ends_with("\n\n"));
    assert!(answer.starts_with("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- "));
    let items = items(&answer);
    assert_eq!(owners(&items), ["shop/hippo"]);
    assert_eq!(items[0].node.get("kind").unwrap().as_str(), Some("PostgresCluster"));
}

#[test]
fn the_answer_is_the_same_anywhere_in_a_window_with_what_it_says_of_certificates() {
    let at = |time: i64| {
        let mut command = pgrender();
        command.env("PGRENDER_SEED", SEED).env("SOURCE_DATE_EPOCH", time.to_string());
        run(&mut command, list(&[&cluster("shop", "hippo")], "")).ok()
    };
    let window = Window::containing(TIME.parse().unwrap(), Schedule::default()).unwrap();
    let first = at(window.start());
    let renewal = window.renewal().to_string();
    assert!(first.contains(&renewal));
    assert!([window.start() + 1, TIME.parse().unwrap(), window.end() - 1].iter().all(|time| at(*time) == first));
    assert!(!at(window.end()).contains(&renewal));
}

#[test]
fn other_items_come_back_byte_for_byte() {
    let odd = "apiVersion: v1 # core\n# between\nkind: ConfigMap\nmetadata:\n  name: 'a'\n  annotations: {config.kubernetes.io/index: '0'}\n\
               data: {\"on\": \"\\x41\", x: &a 'b', y: *a}\ntext: >-\n  folded\n   more\n\n  end";
    let input = list(&[odd, &cluster("shop", "hippo"), odd], "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n");
    let answer = function(&input).ok();
    let verbatim = list(&[odd], "");
    let verbatim = verbatim.split_once("items:\n").unwrap().1;
    assert_eq!(answer.matches(verbatim).count(), 2, "{answer}");
}

#[test]
fn the_cluster_may_be_the_configuration_as_well() {
    let hippo = cluster("shop", "hippo");
    let config: String = hippo.lines().map(|line| format!("  {line}\n")).collect();
    for list in [
        format!("kind: ResourceList\nitems: []\nfunctionConfig:\n{config}"),
        format!("kind: ResourceList\nfunctionConfig:\n{config}"),
        list(&[&hippo], &format!("functionConfig:\n{config}")),
    ] {
        assert_eq!(owners(&items(&function(&list).ok())), ["shop/hippo"]);
    }
    let differs = list(&[&hippo.replace("17", "16")], &format!("functionConfig:\n{config}"));
    assert!(function(&differs).stderr.contains("twice with different contents"));
}

#[test]
fn running_over_its_own_answer_changes_nothing() {
    let first = function(&list(&[&cluster("shop", "hippo"), &cluster("shop", "rhino")], "")).ok();
    assert_eq!(function(&first).ok(), first);
}

#[test]
fn on_an_error_the_items_come_back_with_results() {
    let broken = cluster("shop", "hippo").replace("com/v1", "com/v3");
    let input = list(&["kind: Service # mine\nmetadata:\n  name: a", &broken], "");
    let output = function(&input);
    assert_eq!(output.code, 1);
    assert!(output.stdout.starts_with(&input), "{}", output.stdout);
    let answer = documents(&output.stdout);
    let results = answer[0].node.get("results").unwrap().to_json();
    assert_eq!(results[0]["severity"], "error");
    assert_eq!(results[0]["field"]["path"], "apiVersion");
    assert_eq!(results[0]["resourceRef"]["name"], "hippo");
    assert!(output.stderr.contains("PostgresCluster shop/hippo: apiVersion"), "{}", output.stderr);
}

#[test]
fn what_is_no_list_is_answered_with_an_empty_one_and_an_error() {
    for (input, expected) in [
        ("", "standard input is empty"),
        ("{", "<stdin>:1:"),
        ("kind: PostgresCluster\n", "pgrender render"),
        ("kind: ResourceList\nitems: []\n---\nkind: ResourceList\n", "one ResourceList"),
        ("[]", "one ResourceList"),
    ] {
        let output = function(input);
        assert_eq!(output.code, 1, "{input}");
        assert!(output.stderr.contains(expected), "{input}: {}", output.stderr);
        assert!(items(&output.stdout).is_empty());
        assert!(output.stdout.contains("severity: error"));
    }
}

#[test]
fn a_list_without_clusters_passes_with_a_warning() {
    let input = list(&["kind: Service\nmetadata:\n  name: a"], "");
    let output = function(&input);
    assert!(output.stderr.starts_with("warning: "), "{}", output.stderr);
    assert!(output.ok().starts_with(&input));
}

#[test]
fn results_of_earlier_functions_stay() {
    let input = list(&[&cluster("shop", "hippo")], "results:\n- message: before\n  severity: info\n");
    assert!(function(&input).ok().contains("message: before"));
}

/// A seed in a Secret, with additional annotations.
fn seed(annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: seed\n  annotations:\n    pgrender.dev/seed: \"true\"\n{annotations}\
         stringData:\n  seed: {SEED}\n"
    )
}

#[test]
fn a_seed_never_goes_out_in_a_form_that_could_be_applied() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SEED).unwrap();
    let config = format!(
        "functionConfig:\n  apiVersion: pgrender.dev/v1alpha1\n  kind: PgRender\n  spec: {{seedFile: {}}}\n",
        file.path().display()
    );
    let hippo = cluster("shop", "hippo");
    let broken = hippo.replace("17", "x");
    for annotations in
        ["", "    config.kubernetes.io/local-config: \"false\"\n", "    config.kubernetes.io/local-config: false\n"]
    {
        let seed = seed(annotations);
        for (items, rest, code) in [
            (vec![seed.as_str(), &hippo], "", 0),
            (vec![seed.as_str(), &hippo], config.as_str(), 0),
            (vec![seed.as_str()], "", 0),
            (vec![seed.as_str(), &broken], "", 1),
            (vec![seed.as_str(), &hippo], "functionConfig: {kind: Service}\n", 1),
            (vec![seed.as_str(), seed.as_str(), &hippo], "", 1),
        ] {
            let output = run(pgrender().env("SOURCE_DATE_EPOCH", TIME), list(&items, rest));
            assert_eq!(output.code, code, "{}", output.stderr);
            let answer = self::items(&output.stdout);
            let annotation = |item: &Document| {
                item.node.get("metadata")?.get("annotations")?.get("config.kubernetes.io/local-config").cloned()
            };
            let seeds =
                answer.iter().filter(|item| item.node.get("stringData").is_some_and(|data| data.get("seed").is_some()));
            let local: Vec<_> = seeds.map(|seed| annotation(seed).unwrap().to_json()).collect();
            assert!(!local.is_empty() && local.iter().all(|value| *value == "true"), "{local:?}");
        }
    }
}

#[test]
fn what_is_nearly_a_seed_is_an_error_whatever_else_gives_one() {
    for (from, to) in [
        ("\"true\"", "\"True\""),
        ("\"true\"", "true"),
        ("\"true\"", "\"yes\""),
        ("dev/seed", "io/seed"),
        ("dev/seed", "dev/Seed"),
        ("annotations", "labels"),
        ("kind: Secret", "kind: ConfigMap"),
    ] {
        let output = function(&list(&[&seed("").replace(from, to), &cluster("shop", "hippo")], ""));
        assert_eq!(output.code, 1, "{to}");
        assert!(output.stderr.contains("seed\"]: ") || output.stderr.contains("Seed\"]: "), "{to}: {}", output.stderr);
        assert!(!output.stderr.contains(SEED));
        let mut command = pgrender();
        command.args(["render", "--random"]);
        let output = run(&mut command, seed("").replace(from, to) + "---\n" + &cluster("shop", "hippo"));
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{to}");
    }
    let none = seed("").replace("\"true\"", "\"false\"");
    let answer = function(&list(&[&none, &cluster("shop", "hippo")], "")).ok();
    assert!(!items(&answer)[0].node.to_json().to_string().contains("local-config"));
}

#[test]
fn a_secret_whose_values_are_no_mapping_lends_nothing_silently() {
    for data in ["stringData: text", "data: [x]", "data: 1", "stringData: [{password: x}]"] {
        let secret =
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: hippo-pguser-hippo, namespace: shop}}\n{data}\n");
        let output = function(&list(&[&cluster("shop", "hippo"), &secret], ""));
        assert_eq!(output.code, 1, "{data}");
        let (section, _) = data.split_once(':').unwrap();
        let expected = format!("{section}: `{section}` of `Secret shop/hippo-pguser-hippo` is not a mapping");
        assert!(output.stderr.contains(&expected), "{}", output.stderr);
    }
}
