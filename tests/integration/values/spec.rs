//! Creates specs with strings, and resolves them.

use pgrender::diagnostic::Diagnostic;
use pgrender::options::Options;
use pgrender::parse::Settings;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::parse;
use pgrender::postgres_cluster::resolve::resolve;
use pgrender::read;
use pgrender::write::yaml;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Characters and words with a special meaning to these programs: line breaks, white space, quotes, comments, separators,
/// sections, keywords; and letters of one to four bytes.
const PIECES: &[&str] = &[
    "\n",
    "\r",
    "\0",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{1b}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{7f}",
    " ",
    "  ",
    "\u{a0}",
    "'",
    "\"",
    "''",
    "\"\"",
    "\\",
    "/",
    "//",
    "#",
    ";",
    "=",
    ",",
    ".",
    ":",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "*",
    "+",
    "-",
    "_",
    "%",
    "$",
    "$(A)",
    "@",
    "!",
    "^",
    "?",
    "|",
    "&",
    "<",
    ">",
    "~",
    "`",
    "a",
    "b",
    "Z",
    "0",
    "9",
    "é",
    "ß",
    "€",
    "文",
    "😀",
    "\u{301}",
    "\u{feff}",
    "all",
    "sameuser",
    "replication",
    "trust",
    "include ",
    "%include ",
    "[db]",
    "repo1-path",
    "host=",
    "map=",
    "\\n",
    "\\x00",
];

/// Returns `count` strings, the same in every run. Those of `first` come first.
pub(crate) fn strings(first: &[&str], count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let piece = proptest::sample::select(PIECES);
    let text = vec(piece, 1..7).prop_map(|pieces| pieces.concat());
    let mut strings: Vec<String> = first.iter().map(|text| (*text).to_owned()).collect();
    strings.extend(PIECES.iter().map(|piece| (*piece).to_owned()));
    strings.extend(PIECES.iter().map(|piece| format!("a{piece}b")));
    strings.extend(PIECES.iter().map(|piece| format!("/{piece}b")));
    while strings.len() < count {
        strings.push(text.new_tree(&mut runner).unwrap().current());
    }
    strings
}

/// Returns a cluster with one instance, of this version, and with `more` in its spec.
pub(crate) fn cluster(version: u16, more: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut spec =
        json!({"postgresVersion": version, "image": "postgres", "instances": [{"dataVolumeClaimSpec": claim}]});
    let fields = more.as_object().cloned().unwrap_or_default();
    spec.as_object_mut().unwrap().extend(fields);
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "zoo"},
        "spec": spec,
    })
}

/// Resolves that cluster, or returns its errors.
pub(crate) fn resolved(version: u16, more: &Value) -> Result<Cluster, Vec<Diagnostic>> {
    let documents = read::documents("cluster.yaml", &yaml::to_string(&cluster(version, more)))?;
    let (resource, mut diagnostics) = parse::parse(&documents[0], Settings::default());
    let cluster = resource.and_then(|resource| {
        let (cluster, found) = resolve(&resource, &Options::default());
        diagnostics.extend(found);
        cluster
    });
    cluster.ok_or(diagnostics)
}
