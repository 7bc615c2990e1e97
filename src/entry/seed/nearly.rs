//! Secrets that are meant as a seed and are none, for a slip of the pen. Such a Secret would pass through a function like any
//! other, and the seed would be applied to the Kubernetes cluster.

use strsim::damerau_levenshtein;

use crate::naming::annotation;
use crate::object;
use crate::read::Document;
use crate::read::node::{Entry, Node};
use crate::report::{Diagnostic, FieldPath};

/// An error for each of `documents` that is nearly a seed.
pub(in crate::entry) fn check(documents: &[Document]) -> Vec<Diagnostic> {
    documents.iter().flat_map(check_one).collect()
}

fn check_one(document: &Document) -> Vec<Diagnostic> {
    let metadata = document.node.get("metadata");
    let kind = document.node.get("kind").and_then(Node::as_str).unwrap_or_default();
    let mut found = Vec::new();
    for section in ["annotations", "labels"] {
        let entries = metadata.and_then(|metadata| metadata.get(section)).map(Node::entries).unwrap_or_default();
        for entry in entries {
            if let Some(message) = fault(entry, section, kind) {
                let field = FieldPath::of("metadata").key(section).key(entry.key.as_str());
                let diagnostic = Diagnostic::error(message).at(field).of(object::reference(&document.node));
                found.push(document.locate(diagnostic));
            }
        }
    }
    found
}

/// What is wrong with an annotation or a label, if it is meant to say that this is a seed.
fn fault(entry: &Entry, section: &str, kind: &str) -> Option<String> {
    let right = annotation::SEED;
    let value = entry.value.as_str();
    if value == Some("false") || !(entry.key == right || is_near(&entry.key)) {
        return None;
    }
    if entry.key != right {
        return Some(format!("does not make this a seed: write the annotation `{right}: \"true\"`"));
    }
    if section == "labels" {
        return Some(format!("a seed has this as an annotation: write `{right}: \"true\"` below `annotations`"));
    }
    match value {
        Some("true") if kind == "Secret" => None,
        Some("true") => Some(format!("a seed is a `Secret`, this is a `{kind}`: take the annotation away")),
        _ => Some("does not make this a seed: write `\"true\"`, in quotes, or `\"false\"` if it is none".to_owned()),
    }
}

/// Whether `key` is a misspelling of the annotation: a few letters differ, or the words stand in another case, order or
/// domain.
fn is_near(key: &str) -> bool {
    const FEW: usize = 2;
    let right = annotation::SEED;
    if [annotation::ROTATE_PASSWORD, annotation::CREDENTIALS].iter().any(|prefix| key.starts_with(prefix)) {
        // What follows is the name of a user, which may be any.
        return false;
    }
    let key = key.to_lowercase();
    (key.contains("pgrender") && key.contains("seed"))
        || (key.len().abs_diff(right.len()) <= FEW && damerau_levenshtein(&key, right) <= FEW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn told(text: &str) -> Vec<String> {
        check(&read::documents("c.yaml", text).unwrap()).iter().map(ToString::to_string).collect()
    }

    fn secret(section: &str, entry: &str) -> String {
        format!("{{apiVersion: v1, kind: Secret, metadata: {{name: s, {section}: {{{entry}}}}}}}")
    }

    #[test]
    fn what_is_a_seed_or_clearly_none_is_right() {
        for entry in [
            "pgrender.dev/seed: 'true'",
            "pgrender.dev/seed: 'false'",
            "pgrender.dev/seeds: 'false'",
            "example.com/seed: 'true'",
            "seed: 'true'",
            "pgrender.dev/rotate-password.seed: '2'",
            "pgrender.dev/credentials.seed: reference",
            "pgrender.dev/rotate-ca: '2'",
        ] {
            assert_eq!(told(&secret("annotations", entry)), [""; 0], "{entry}");
        }
        assert_eq!(told(&secret("labels", "pgrender.dev/cluster: seed")), [""; 0]);
    }

    #[test]
    fn another_value_is_an_error() {
        for value in ["'True'", "'TRUE'", "true", "True", "false", "'yes'", "'1'", "1", "''", "", "' true'", "[true]"] {
            let lines = told(&secret("annotations", &format!("pgrender.dev/seed: {value}")));
            assert_eq!(lines.len(), 1, "{value}");
            assert!(
                lines[0].contains("metadata.annotations[\"pgrender.dev/seed\"]: does not make this a seed"),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn another_key_is_an_error() {
        for key in [
            "pgrender.dev/Seed",
            "PGRENDER.DEV/SEED",
            "pgrender.dev/seeds",
            "pgrender.dev/sed",
            "pgrender.dev/eseed",
            "pgrendr.dev/seed",
            "pgrender.de/seed",
            "pgrender.io/seed",
            "pgrender/seed",
            "pgrender.dev.seed",
            "pgrender-seed",
            "seed.pgrender.dev",
            "config.pgrender.dev/the-seed",
        ] {
            for section in ["annotations", "labels"] {
                let lines = told(&secret(section, &format!("{key}: 'true'")));
                assert!(
                    lines.len() == 1 && lines[0].contains("write the annotation `pgrender.dev/seed: \"true\"`"),
                    "{key}"
                );
            }
        }
    }

    #[test]
    fn a_label_and_another_kind_are_errors() {
        let lines = told(&secret("labels", "pgrender.dev/seed: 'true'"));
        assert!(lines[0].starts_with("c.yaml:1:") && lines[0].contains("below `annotations`"), "{lines:?}");
        let lines = told("{kind: ConfigMap, metadata: {annotations: {pgrender.dev/seed: 'true'}}}");
        assert!(lines[0].contains("a seed is a `Secret`, this is a `ConfigMap`"), "{lines:?}");
    }
}
