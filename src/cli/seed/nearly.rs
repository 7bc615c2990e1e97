//! Detects Secrets that are meant as a seed but are not recognized because of a typing error. A function would pass such a
//! Secret through like any other, and the seed would be applied to the Kubernetes cluster.

use strsim::damerau_levenshtein;

use crate::diagnostic::{Collector, Diagnostic, FieldPath, ResourceRef, Segment};
use crate::naming::annotation;
use crate::read::Document;
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::object;

/// Returns an error for each of `documents` that is probably meant as a seed.
pub(in crate::cli) fn check(documents: &[&Document]) -> Vec<Diagnostic> {
    let mut found = Collector::default();
    for (position, document) in documents.iter().enumerate() {
        let mut search =
            Search { path: FieldPath::default(), position, found: &mut found, of: ResourceRef::default(), root: 0 };
        search.object(&document.node, "");
    }
    let (kept, rest) = found.finish();
    let of_documents = kept.chunk_by(|(one, _), (other, _)| one == other);
    let located = of_documents.flat_map(|found| {
        let (position, _) = found[0];
        documents[position].locate_all(found.iter().map(|(_, diagnostic)| diagnostic.clone()).collect())
    });
    located.chain(rest).collect()
}

/// The search through one document.
struct Search<'a> {
    path: FieldPath,
    position: usize,
    found: &'a mut Collector<(usize, Diagnostic)>,
    /// The object that is being searched.
    of: ResourceRef,
    /// The length of the path of this object.
    root: usize,
}

impl Search<'_> {
    /// Searches an object. `kind` is its kind if the object does not have one itself, as in a `SecretList`.
    fn object(&mut self, node: &Node, kind: &str) {
        self.of = object::reference(node);
        if self.of.kind.is_empty() {
            kind.clone_into(&mut self.of.kind);
        }
        let metadata = node.get("metadata");
        for section in ["annotations", "labels"] {
            let entries = metadata.and_then(|metadata| metadata.get(section)).map(Node::entries).unwrap_or_default();
            for entry in entries {
                if let Some(message) = fault(entry, section, &self.of.kind) {
                    self.tell(&["metadata", section, &entry.key], message);
                }
            }
            let nested = !self.path.0.is_empty() && section == "annotations" && self.of.kind == "Secret";
            if nested
                && entries.iter().any(|entry| entry.key == annotation::SEED && entry.value.as_str() == Some("true"))
            {
                let message =
                    "a seed inside a nested list is not used: write the `Secret` as a separate item or document";
                self.tell(&["metadata", section, annotation::SEED], message.to_owned());
            }
        }
        self.root = self.path.0.len();
        if self.of.kind == "Secret" {
            for entry in node.entries().iter().filter(|entry| !["data", "stringData"].contains(&entry.key.as_str())) {
                self.entry(entry, "", false);
            }
        }
        if let Some(of_items) = self.of.kind.strip_suffix("List").map(str::to_owned) {
            let items = node.get("items").map(Node::items).unwrap_or_default();
            for (index, item) in items.iter().enumerate() {
                self.below([Segment::Key("items".to_owned()), Segment::Index(index)], |this| {
                    this.object(item, &of_items);
                });
            }
        }
    }

    /// Searches for the annotation outside of `metadata.annotations`. `text` says that a list or a text may be meant as
    /// annotations.
    fn entry(&mut self, entry: &Entry, parent: &str, text: bool) {
        let key = entry.key.as_str();
        let is_own = self.path.0.get(self.root..) == Some(&[Segment::Key("metadata".to_owned())]);
        if is_own && key == "managedFields" {
            // `managedFields` is where the API server records who has set which field.
            return;
        }
        let no_seed = entry.value.as_str() == Some("false");
        if !no_seed
            && (is_near(key) || (parent.to_lowercase().contains("pgrender") && is_near(&format!("{parent}/{key}"))))
        {
            self.tell(&[key], misplaced());
            return;
        }
        let of_metadata = is_own && ["annotations", "labels"].contains(&key);
        if of_metadata && matches!(entry.value.value, NodeValue::Mapping(_)) {
            // Their keys were already checked.
            for below in entry.value.entries().iter().filter(|entry| !entry.value.entries().is_empty()) {
                for deeper in below.value.entries() {
                    self.below([Segment::Key(key.to_owned()), Segment::Key(below.key.clone())], |this| {
                        this.entry(deeper, &below.key, false);
                    });
                }
            }
            return;
        }
        let text = text || key.to_lowercase().starts_with("annotation") || key.to_lowercase().starts_with("label");
        self.below([Segment::Key(key.to_owned())], |this| this.value(&entry.value, key, text));
    }

    fn value(&mut self, node: &Node, parent: &str, text: bool) {
        match &node.value {
            NodeValue::Mapping(entries) => entries.iter().for_each(|entry| self.entry(entry, parent, text)),
            NodeValue::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below([Segment::Index(index)], |this| this.value(item, parent, text));
                }
            }
            NodeValue::String { value, .. } if text => {
                let value = value.to_lowercase();
                if value.contains("pgrender") && value.contains("seed") {
                    self.tell(&[], misplaced());
                }
            }
            _ => {}
        }
    }

    fn below<const N: usize>(&mut self, segments: [Segment; N], step: impl FnOnce(&mut Self)) {
        let length = self.path.0.len();
        self.path.0.extend(segments);
        step(self);
        self.path.0.truncate(length);
    }

    fn tell(&mut self, keys: &[&str], message: String) {
        let field = keys.iter().fold(self.path.clone(), |path, key| path.key(*key));
        let diagnostic = Diagnostic::error(message).at(field).of(self.of.clone());
        self.found.push(diagnostic.severity, (self.position, diagnostic));
    }
}

fn misplaced() -> String {
    format!("does not mark a seed in this place: write `{}: \"true\"` below `metadata.annotations`", annotation::SEED)
}

/// Returns what is wrong with an annotation or a label that is meant to mark a seed, or `None` if it is not.
fn fault(entry: &Entry, section: &str, kind: &str) -> Option<String> {
    let right = annotation::SEED;
    let value = entry.value.as_str();
    if value == Some("false") || !(entry.key == right || is_near(&entry.key)) {
        return None;
    }
    if entry.key != right {
        return Some(format!("does not mark this Secret as a seed: write the annotation `{right}: \"true\"`"));
    }
    if section == "labels" {
        return Some(format!("a label does not mark a seed: write `{right}: \"true\"` below `annotations`"));
    }
    match value {
        Some("true") if kind == "Secret" => None,
        Some("true") => Some(format!("only a `Secret` can be a seed, but this is a `{kind}`: remove the annotation")),
        _ => Some(
            "this value does not mark a seed: write `\"true\"` in quotes, or `\"false\"` if this Secret is not a seed"
                .to_owned(),
        ),
    }
}

/// Whether `key` is a misspelling of the annotation: a few letters differ, or the case, the order of the words or the domain
/// differs.
fn is_near(key: &str) -> bool {
    const FEW: usize = 2;
    let right = annotation::SEED;
    if [annotation::ROTATE_PASSWORD, annotation::CREDENTIALS].iter().any(|prefix| key.starts_with(prefix)) {
        // The name of a user follows, which can be any word.
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
        check(&read::documents("c.yaml", text).unwrap().iter().collect::<Vec<_>>())
            .iter()
            .map(ToString::to_string)
            .collect()
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
                lines[0].contains("metadata.annotations[\"pgrender.dev/seed\"]: this value does not mark a seed"),
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
        assert!(lines[0].contains("only a `Secret` can be a seed, but this is a `ConfigMap`"), "{lines:?}");
    }

    #[test]
    fn the_annotation_at_another_place_is_an_error() {
        for rest in [
            "metadata: {name: s, annotation: {pgrender.dev/seed: 'true'}}",
            "metadata: {name: s, Annotations: {pgrender.dev/seed: 'true'}}",
            "metadata: {name: s, pgrender.dev/seed: 'true'}",
            "metadata: {name: s, annotations: [pgrender.dev/seed]}",
            "metadata: {name: s, annotations: ['pgrender.dev/seed=true']}",
            "metadata: {name: s, annotations: [{pgrender.dev/seed: 'true'}]}",
            "metadata: {name: s, annotations: [{key: pgrender.dev/seed, value: 'true'}]}",
            "metadata: {name: s, annotations: 'pgrender.dev/seed: true'}",
            "metadata: {name: s, annotations: {pgrender.dev: {seed: 'true'}}}",
            "metadata: {name: s, annotations: {annotations: {pgrender.dev/seed: 'true'}}}",
            "metadata: {name: s}, annotations: {pgrender.dev/seed: 'true'}",
            "metadata: {name: s}, pgrender.dev/seed: 'true'",
            "metadata: {name: s}, pgrender.dev/Seed: true",
            "metadata: {name: s}, Metadata: {annotations: {pgrender.dev/seed: 'true'}}",
            "metadata: {name: s, metadata: {annotations: {pgrender.dev/seed: 'true'}}}",
            "metadata: {name: s}, spec: {template: {metadata: {annotations: {pgrender.dev/seed: 'true'}}}}",
        ] {
            let lines = told(&format!("{{apiVersion: v1, kind: Secret, data: {{seed: YQ==}}, {rest}}}"));
            assert!(lines.len() == 1 && lines[0].contains("does not mark a seed in this place"), "{rest}: {lines:?}");
        }
    }

    #[test]
    fn what_is_no_annotation_is_right() {
        for text in [
            "{kind: Secret, metadata: {name: pgrender-seed, annotations: {pgrender.dev/seed: 'true'}}, data: {pgrender-seed: YQ==}}",
            "{kind: Secret, metadata: {name: a}, stringData: {pgrender.dev/seed: a}}",
            "{kind: Secret, metadata: {name: a, managedFields: [{fieldsV1: {'f:metadata': {'f:pgrender.dev/seed': {}}}}]}}",
            "{kind: Secret, metadata: {name: a, annotations: {a: 'pgrender.dev/seed'}}}",
            "{kind: ConfigMap, metadata: {name: a}, data: {pgrender.dev/seed: a}}",
        ] {
            assert_eq!(told(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_seed_inside_of_a_list_is_an_error() {
        let seed = "metadata: {name: s, annotations: {pgrender.dev/seed: 'true'}}";
        for text in [
            format!("{{kind: List, apiVersion: v1, items: [{{kind: Secret, {seed}}}]}}"),
            format!("{{kind: SecretList, apiVersion: v1, items: [{{{seed}}}]}}"),
            format!("{{kind: List, items: [{{kind: List, items: [{{kind: A}}, {{kind: Secret, {seed}}}]}}]}}"),
        ] {
            let lines = told(&text);
            assert!(lines.len() == 1 && lines[0].contains("a seed inside a nested list is not used"), "{lines:?}");
        }
        let lines = told("{kind: List, items: [{kind: Secret, metadata: {annotations: {pgrender.dev/Seed: 'true'}}}]}");
        assert!(lines.len() == 1 && lines[0].contains("items[0].metadata.annotations"), "{lines:?}");
    }

    #[test]
    fn many_are_counted() {
        let entries: Vec<String> = (0..20_000).map(|number| format!("pgrender.dev/seed{number}: ''")).collect();
        let lines = told(&secret("annotations", &entries.join(", ")));
        assert!(lines.len() < 1000 && lines.last().unwrap().contains("more errors"), "{}", lines.len());
    }
}
