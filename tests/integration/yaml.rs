//! Compares the YAML reader and writer with the tools that must agree with them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use pgrender::diagnostic::Diagnostic;
use pgrender::read::node::{Node, NodeValue};
use pgrender::read::{self, Document};
use pgrender::write::yaml;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A plain scalar and the value that kubectl reads.
#[derive(Deserialize)]
struct PlainScalar {
    text: String,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    refused: bool,
}

#[derive(Deserialize)]
struct NastyStrings {
    plain: Vec<String>,
    multiline: Vec<String>,
    /// Strings that no notation brings through kustomize.
    kustomize_cannot_carry: Vec<String>,
}

impl NastyStrings {
    fn all(&self) -> impl Iterator<Item = &String> + Clone {
        self.plain.iter().chain(&self.multiline).chain(&self.kustomize_cannot_carry)
    }
}

fn plain_scalars() -> Vec<PlainScalar> {
    serde_json::from_str(include_str!("../../fixtures/yaml/plain-scalars.json")).unwrap()
}

fn nasty_strings() -> NastyStrings {
    serde_json::from_str(include_str!("../../fixtures/yaml/nasty-strings.json")).unwrap()
}

/// Returns an object of a kind that kubectl does not know. `spec` is copied unchanged.
fn object(spec: &str) -> String {
    format!("apiVersion: example.com/v1\nkind: Example\nmetadata:\n  name: a\nspec:{spec}\n")
}

/// Returns the `spec` of each document of `text`, as pgrender reads it.
fn specs(text: &str) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let documents = read::documents("c.yaml", text)?;
    Ok(documents.iter().map(|document| rounded(&document.node.to_json()["spec"])).collect())
}

/// Whether a tool is installed. Without it, the test is skipped.
fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: `{program} {}` does not run", arguments.join(" "));
    }
    found
}

/// Whether kubectl is installed. On the build server it must be.
#[expect(clippy::disallowed_methods, reason = "a test asks where it runs")]
fn has_kubectl() -> bool {
    let found = has("kubectl", &["version", "--client"]);
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(found || !required, "the build server has no kubectl");
    found
}

/// Returns the output of a tool for this input, or its error.
fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // This needs its own thread, because the tool may write before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    if !output.status.success() {
        // A tool that refuses its input may not have read all of it.
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    written.unwrap();
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// Returns the `spec` of each document of `text`, as kubectl reads it.
fn kubectl(text: &str) -> Result<Vec<Value>, String> {
    let output = run("kubectl", &["annotate", "--local", "-f", "-", "-o", "json", "a=b", "--overwrite"], text)?;
    let objects = serde_json::Deserializer::from_str(&output).into_iter::<Value>();
    Ok(objects.map(|object| rounded(&object.unwrap()["spec"])).collect())
}

/// Returns a value with its numbers as Go stores them: those that do not fit into `int64` are floats. They are rounded to ten
/// digits, because serde_json misreads the last one or two digits of Go's output.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_i64().is_none() => json!(format!("{:.9e}", number.as_f64().unwrap())),
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), rounded(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn plain_scalars_mean_what_they_mean_to_kubectl() {
    for PlainScalar { text, value, refused } in plain_scalars() {
        match specs(&object(&format!("\n  v: {text}"))) {
            Ok(specs) if !refused => assert_eq!(specs, [json!({ "v": rounded(&value) })], "{text:?}"),
            Ok(specs) => panic!("{text:?} is read as {specs:?}"),
            Err(errors) => assert!(refused, "{text:?}: {errors:?}"),
        }
    }
}

#[test]
fn kubectl_reads_plain_scalars_as_recorded() {
    if !has_kubectl() {
        return;
    }
    let (refused, accepted): (Vec<_>, Vec<_>) = plain_scalars().into_iter().partition(|scalar| scalar.refused);
    let documents: Vec<_> = accepted.iter().map(|scalar| object(&format!("\n  v: {}", scalar.text))).collect();
    let specs = kubectl(&documents.join("---\n")).unwrap();
    assert_eq!(specs.len(), accepted.len());
    for (PlainScalar { text, value, .. }, spec) in accepted.iter().zip(specs) {
        assert_eq!(spec, json!({ "v": rounded(value) }), "{text:?}");
    }
    for PlainScalar { text, .. } in refused {
        assert!(kubectl(&object(&format!("\n  v: {text}"))).is_err(), "{text:?}");
    }
}

/// Texts that are similar to numbers and words.
const SCALARS: &str = "[-+.]?[0-9_xXoObBeEfF.+-]{0,6}|[-+]?0[xXoObB][0-9a-fA-F_]{1,18}|[-+]?[0-9]{17,22}\
    |[-+]?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][-+]?[0-9]{1,3})?|[yYnNtTfFoO~.-]{1,2}[a-zA-Z]{0,4}";

#[test]
fn random_scalars_and_keys_mean_what_they_mean_to_kubectl() {
    if !has_kubectl() {
        return;
    }
    let scalars = proptest::string::string_regex(SCALARS).unwrap();
    let mut runner = TestRunner::deterministic();
    let texts: BTreeSet<String> = (0..4000).map(|_| scalars.new_tree(&mut runner).unwrap().current()).collect();
    for as_line in [|text: &str| format!("\n- {text}"), |text: &str| format!("\n- ? {text}\n  : 1")] {
        // A single dash begins a list, and values that JSON cannot express are refused. Other tests cover both.
        let readable: Vec<String> = texts
            .iter()
            .filter(|text| *text != "-")
            .map(|text| as_line(text))
            .filter(|line| specs(&object(line)).is_ok())
            .collect();
        assert!(readable.len() > 2000, "{}", readable.len());
        let document = object(&readable.concat());
        let (ours, theirs) = (specs(&document).unwrap().remove(0), kubectl(&document).unwrap().remove(0));
        for (index, line) in readable.iter().enumerate() {
            assert_eq!(ours[index], theirs[index], "{line:?}");
        }
    }
}

/// Returns each string at every position: as a value, an item, a key, and in a nested list.
fn everywhere(nasty: &NastyStrings) -> Value {
    let keys: Map<String, Value> = nasty.all().map(|string| (string.clone(), json!([string]))).collect();
    let values: Vec<Value> = nasty.all().map(|string| json!({"a": 1, "b": string, "c": 2})).collect();
    let items: Vec<&String> = nasty.all().collect();
    json!({"items": items, "nested": [[items]], "values": values, "keys": keys})
}

fn written(spec: &Value) -> String {
    yaml::to_string(&json!({
        "apiVersion": "example.com/v1",
        "kind": "Example",
        "metadata": {"name": "a"},
        "spec": spec,
    }))
}

#[test]
fn nasty_strings_come_back_from_our_reader() {
    let spec = everywhere(&nasty_strings());
    assert_eq!(specs(&written(&spec)).unwrap(), [spec]);
}

#[test]
fn nasty_strings_come_back_from_kubectl() {
    if has_kubectl() {
        let spec = everywhere(&nasty_strings());
        assert_eq!(kubectl(&written(&spec)).unwrap(), [spec]);
    }
}

#[test]
fn nasty_strings_come_back_from_pyyaml() {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.buffer)['spec'], sys.stdout)";
    if has("python3", &["-c", "import yaml"]) {
        let spec = everywhere(&nasty_strings());
        let output = run("python3", &["-c", program], &written(&spec)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&output).unwrap(), spec);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kustomize reads files")]
fn nasty_strings_come_back_from_kustomize() {
    if !has_kubectl() {
        return;
    }
    let nasty = nasty_strings();
    let is_lost = |text: &str| nasty.kustomize_cannot_carry.iter().any(|lost| text.contains(lost.as_str()));
    // kustomize writes these characters unescaped, as the line breaks of YAML 1.1, and pgrender's reader refuses them.
    let is_line_break = |text: &str| text.contains(['\u{2028}', '\u{2029}']);
    let strings: Vec<&String> = nasty.all().filter(|text| !is_lost(text) && !is_line_break(text)).collect();
    assert!(strings.len() > 200);
    let spec = json!({ "items": strings });
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("kustomization.yaml"), "resources: [a.yaml]\n").unwrap();
    std::fs::write(directory.path().join("a.yaml"), written(&spec)).unwrap();
    let output = run("kubectl", &["kustomize", directory.path().to_str().unwrap()], "").unwrap();
    assert_eq!(specs(&output).unwrap(), [spec]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kpt works on files")]
fn kpt_changes_nothing() {
    if !has("kpt", &["version"]) {
        return;
    }
    let mut nasty = nasty_strings();
    let lost = nasty.kustomize_cannot_carry.split_off(0);
    // kpt escapes every character after U+FEFF, and fails on an empty key.
    let is_kept = |text: &String| {
        !text.is_empty() && !text.contains('\u{feff}') && !lost.iter().any(|lost| text.contains(lost.as_str()))
    };
    nasty.plain.retain(is_kept);
    nasty.multiline.retain(is_kept);
    let text = written(&everywhere(&nasty));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    std::fs::write(&file, &text).unwrap();
    run("kpt", &["fn", "eval", directory.path().to_str().unwrap(), "--exec", "cat"], "").unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}

/// Texts of characters with a special meaning in YAML.
fn hostile_text(length: usize) -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "é",
        "😀",
        "yes",
        "null",
        "1",
        "0x",
        ".5",
        "e",
        "_",
        "+",
        "~",
        "<<",
        "=",
        "-",
        "- ",
        "? ",
        ": ",
        ":",
        ",",
        "[",
        "]",
        "{",
        "}",
        "{{",
        "#",
        " #",
        "&a ",
        " &a ",
        "*a",
        " *a ",
        "!",
        "!!str ",
        "!!int ",
        "!!binary ",
        "|",
        "|+\n",
        ">-\n",
        "|2\n",
        "'",
        "\"",
        "\\",
        "\\x41",
        "\\u",
        "%",
        "%YAML 1.2\n",
        "@",
        "`",
        " ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\n  ",
        "\n\n",
        "\n- ",
        "\r\n",
        "\r",
        "---",
        "\n---\n",
        "...",
        "\n...\n",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{fffe}",
        "a: ",
        "b: ",
        "\na: ",
        "\n  b: ",
        "<<: *a",
    ];
    let of_pieces = proptest::collection::vec(select(pieces), 0..length).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => of_pieces, 1 => any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| json!(f64::from(number) + 0.5)),
        select(vec![1e21, 1.5e300, -1.5e-7, 0.1]).prop_map(Value::from),
    ];
    let scalar = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => number,
        6 => hostile_text(8).prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 64, 6, |inner| {
        let entries = proptest::collection::vec((hostile_text(4), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            entries.prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Every node of a tree.
fn nodes(node: &Node) -> Vec<&Node> {
    let values = node.entries().iter().map(|entry| &entry.value);
    let children = node.items().iter().chain(values);
    std::iter::once(node).chain(children.flat_map(nodes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(value in json_value()) {
        let value = json!({ "value": value });
        let text = yaml::to_string(&value);
        let documents = read::documents("c.yaml", &text).unwrap();
        prop_assert_eq!(documents[0].node.to_json(), value, "{}", text);
    }

    #[test]
    fn the_range_of_a_collection_holds_it(items in proptest::collection::vec(json_value(), 1..5), indent in 0_usize..3) {
        let mut text = "items:\n".to_owned();
        yaml::write(&mut text, &Value::from(items), indent);
        let Document { node, .. } = read::documents("c.yaml", &text).unwrap().remove(0);
        let is_collection = |node: &&Node| matches!(node.value, NodeValue::Mapping(_) | NodeValue::Sequence(_));
        for collection in nodes(&node).into_iter().filter(is_collection) {
            let copy = format!("{}{}", " ".repeat(collection.position.column - 1), &text[collection.range.clone()]);
            let copied = read::documents("copy.yaml", &copy).unwrap();
            prop_assert_eq!(copied[0].node.to_json(), collection.to_json(), "{}", copy);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in hostile_text(40)) {
        match read::documents("c.yaml", &text) {
            Ok(documents) => {
                for node in documents.iter().flat_map(|document| nodes(&document.node)) {
                    prop_assert!(text.get(node.range.clone()).is_some());
                    prop_assert!(node.position.line > 0 && node.position.column > 0);
                }
            }
            Err(errors) => prop_assert!(!errors.is_empty() && errors.iter().all(|error| error.location.is_some())),
        }
    }
}
