//! Findings as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), with what GitHub's code scanning asks for:
//! "SARIF support for code scanning" in GitHub's documentation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::findings::Findings;
use super::place;
use crate::cli::input::STDIN;
use crate::diagnostic::{Diagnostic, FieldPath, Position, Segment, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The rule of findings without a field.
const INPUT: &str = "input";

/// The longest key that becomes a part of a rule's identifier.
const LONGEST_KEY: usize = 64;

/// Returns the log. `inputs` are the arguments of the command line.
pub(super) fn write(found: &Findings, inputs: &[PathBuf], directory: &Path) -> String {
    let identifiers: Vec<String> = found.list.iter().map(|diagnostic| rule(diagnostic.field.as_ref())).collect();
    let mut rules: Vec<&String> = identifiers.iter().collect();
    rules.sort();
    rules.dedup();
    let first = inputs.first().map(|input| input.display().to_string()).filter(|input| input != "-");
    let first = first.unwrap_or_else(|| STDIN.to_owned());
    let mut known = BTreeMap::new();
    let results: Vec<Value> = found
        .list
        .iter()
        .zip(&identifiers)
        .map(|(diagnostic, identifier)| {
            let index = rules.binary_search(&identifier).unwrap_or_default();
            let (file, position) = match &diagnostic.location {
                Some(location) => (location.file.as_str(), location.position),
                // GitHub refuses a result without a location.
                None => (first.as_str(), Position { line: 1, column: 1 }),
            };
            json!({
                "ruleId": identifier,
                "ruleIndex": index,
                "level": level(diagnostic.severity),
                "message": { "text": message(diagnostic) },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": place::uri(file, directory) },
                        "region": { "startLine": position.line, "startColumn": position.column },
                    },
                }],
                "partialFingerprints": { "finding/v1": fingerprint(diagnostic, identifier, &mut known) },
            })
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "pgrender",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules.into_iter().map(|rule| described(rule)).collect::<Vec<_>>(),
                },
            },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// Returns the identifier of a rule: the path of the field without positions, up to the first key that is not a plain name. A
/// finding has no identifier of its own, but in a field few things can be wrong, and the path is the same in every version of
/// pgrender. So a reader can look for a field, or hide what is known about it.
fn rule(field: Option<&FieldPath>) -> String {
    let keys = field.into_iter().flat_map(|field| &field.0).filter_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    });
    let is_plain = |key: &&str| {
        (1..=LONGEST_KEY).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let keys: Vec<&str> = keys.take_while(is_plain).collect();
    if keys.is_empty() { INPUT.to_owned() } else { keys.join(".") }
}

fn described(rule: &str) -> Value {
    let (short, full) = if rule == INPUT {
        ("the input".to_owned(), "Something is wrong with a file as a whole, or with the whole input.".to_owned())
    } else {
        (format!("`{rule}`"), format!("Something is wrong with the field `{rule}`."))
    };
    json!({
        "id": rule,
        "shortDescription": { "text": short },
        "fullDescription": { "text": full },
        "help": { "text": "The message says what is wrong and what to write instead." },
    })
}

/// Returns the message with the field and the object, which code scanning does not show otherwise.
fn message(diagnostic: &Diagnostic) -> String {
    let field = diagnostic.field.as_ref().map(ToString::to_string).filter(|field| !field.is_empty());
    let object = diagnostic.resource.as_ref().map(ToString::to_string).filter(|object| !object.is_empty());
    let field = field.map(|field| format!("{field}: ")).unwrap_or_default();
    let object = object.map(|object| format!(" ({object})")).unwrap_or_default();
    format!("{field}{}{object}", diagnostic.line())
}

/// Returns a text that is the same as long as the finding is, also if its line moves. GitHub's own fingerprint is
/// `primaryLocationLineHash`. It is left to the action that uploads the log: the action warns about a value that is not its own.
fn fingerprint(diagnostic: &Diagnostic, rule: &str, known: &mut BTreeMap<String, usize>) -> String {
    let digest = Sha256::digest(format!("{rule}\0{}", message(diagnostic)));
    let mut text = String::new();
    for byte in &digest[..8] {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    let count = known.entry(text.clone()).or_default();
    *count += 1;
    format!("{text}:{count}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_path_without_what_the_user_chooses() {
        let annotation = FieldPath::of("metadata.annotations").key("pgrender.dev/rotate");
        for (field, expected) in [
            (None, "input"),
            (Some(FieldPath::default()), "input"),
            (Some(FieldPath::of("spec.instances[0].name")), "spec.instances.name"),
            (Some(annotation), "metadata.annotations"),
            (Some(FieldPath::of("spec").key("é").key("a")), "spec"),
        ] {
            assert_eq!(rule(field.as_ref()), expected);
        }
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_the_line() {
        let mut known = BTreeMap::new();
        let at = |line| Diagnostic::error("a").located("b", Position { line, column: 1 });
        let mut of = |diagnostic: &Diagnostic| fingerprint(diagnostic, "r", &mut known);
        let (first, second, other) = (of(&at(1)), of(&at(9)), of(&Diagnostic::error("c")));
        assert_eq!(first.replace(":1", ":2"), second);
        assert_ne!(first, other);
    }
}
