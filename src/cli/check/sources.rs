//! The lines of the input that may be shown. Everybody who can read the log of a pipeline can read them, so a line that may
//! contain a secret is not among them. It does not matter if other lines are missing too: the place and the message are enough.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::diagnostic::words;
use crate::diagnostic::{FieldPath, Location, Segment};
use crate::read::Document;
use crate::read::node::{Node, NodeValue};
use crate::render;

/// Words that name a secret, and what a URI with a password and an anchor look like. An anchor may be the value of a field that is
/// a secret elsewhere in the file.
static SUSPICIOUS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)pass|secret|token|credential|private|://[^/\s]*@|(^|\s)&\S").expect("constant"));

/// A key in a text that cannot be read as YAML.
static KEY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:^|[\s\[{,"'-])([\w./-]+)["']?\s*:"#).expect("constant"));

/// The kind of an object with secrets in a text that cannot be read as YAML: `Secret`, `SecretList`, `SealedSecret`.
static SECRET_KIND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?i)kind["']?\s*:\s*["']?\w*secret|stringData"#).expect("constant"));

/// The texts of the files, by name.
#[derive(Default)]
pub(super) struct Sources(BTreeMap<String, Source>);

struct Source {
    text: String,
    /// The byte offset at which each line begins.
    lines: Vec<usize>,
}

/// The texts, and which of their bytes are secret.
pub(super) struct Lines<'a> {
    sources: &'a Sources,
    /// The secret bytes of each file that could be read, in ascending order.
    secrets: BTreeMap<&'a str, Vec<Range<usize>>>,
}

impl Sources {
    /// Adds a file.
    pub(super) fn add(&mut self, name: String, text: String) {
        let begins = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        let lines = [0].into_iter().chain(begins).collect();
        self.0.insert(name, Source { text, lines });
    }

    /// The number of files.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the lines that may be shown. `documents` are those that were read from the files.
    pub(super) fn with<'a>(&'a self, documents: &'a [Document]) -> Lines<'a> {
        let mut secrets: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
        for document in documents {
            let of_file = secrets.entry(&document.file).or_default();
            if is_secret(&document.node) {
                of_file.push(document.node.range.clone());
            } else {
                add_secrets(&document.node, of_file);
            }
        }
        for (file, of_file) in &mut secrets {
            let text = self.0.get(*file).map(|source| source.text.as_str()).unwrap_or_default();
            for range in of_file.iter_mut() {
                // The lines of a block scalar end where the next key begins.
                range.end = range.start + text.get(range.clone()).unwrap_or_default().trim_end().len();
            }
            // What an alias repeats has no bytes of its own.
            of_file.retain(|range| !range.is_empty());
            of_file.sort_by_key(|range| range.start);
        }
        Lines { sources: self, secrets }
    }
}

impl<'a> Lines<'a> {
    /// Returns the line of a place, without its line break, unless it may contain a secret.
    pub(super) fn line(&self, location: &Location, field: Option<&FieldPath>) -> Option<&'a str> {
        let source = self.sources.0.get(&location.file)?;
        let number = location.position.line.checked_sub(1)?;
        let start = *source.lines.get(number)?;
        let end = source.lines.get(number + 1).map_or(source.text.len(), |next| next - 1);
        let line = source.text[start..end].trim_end_matches('\r');
        let is_hidden = field.is_some_and(words::may_be_secret)
            || SUSPICIOUS.is_match(line)
            || match self.secrets.get(location.file.as_str()) {
                Some(secrets) => overlap(secrets, &(start..end)),
                None => source.may_be_secret(number, line),
            };
        (!is_hidden).then_some(line)
    }
}

/// Whether one of `ranges`, which are in the order of their starts, has a byte of `line`.
fn overlap(ranges: &[Range<usize>], line: &Range<usize>) -> bool {
    let after = ranges.partition_point(|range| range.start < line.end);
    // Ranges are nested or apart, and those that are nested are omitted, so the last one that begins before the end of the line
    // is the only one that can end after its start.
    ranges[..after].last().is_some_and(|range| range.end > line.start)
}

/// Whether a document, or what it contains as a list, is an object with secrets. Nothing is known about an object without a kind.
fn is_secret(node: &Node) -> bool {
    let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default().to_lowercase();
    kind.is_empty() || kind.contains("secret")
}

/// Adds the bytes of every value that may be secret.
fn add_secrets(node: &Node, found: &mut Vec<Range<usize>>) {
    match &node.value {
        NodeValue::Mapping(entries) => {
            for entry in entries {
                if is_secret_key(&entry.key) || (entry.key == "items" && entry.value.items().iter().any(is_secret)) {
                    found.push(entry.value.range.clone());
                } else {
                    add_secrets(&entry.value, found);
                }
            }
        }
        NodeValue::Sequence(items) => items.iter().for_each(|item| add_secrets(item, found)),
        _ => {}
    }
}

fn is_secret_key(key: &str) -> bool {
    words::may_be_secret(&FieldPath(vec![Segment::Key(key.to_owned())]))
}

impl Source {
    /// Whether a line of a file that is not YAML may contain a secret. Only lines of a document about a resource that pgrender
    /// renders are shown, and only if no key in the line and in those that enclose it, by their indentation, can be a secret.
    fn may_be_secret(&self, number: usize, line: &str) -> bool {
        let text = |number: usize| {
            let end = self.lines.get(number + 1).map_or(self.text.len(), |next| *next);
            &self.text[self.lines[number]..end]
        };
        let begins = |number: &usize| text(*number).starts_with("---");
        let first = (0..=number).rev().find(begins).unwrap_or(0);
        let last = (number + 1..self.lines.len()).find(begins).unwrap_or(self.lines.len());
        let document: &str = &self.text[self.lines[first]..self.lines.get(last).map_or(self.text.len(), |end| *end)];
        if !render::mentions_kind(document) || SECRET_KIND.is_match(document) {
            return true;
        }
        let has_secret_key = |line: &str| KEY.captures_iter(line).any(|key| is_secret_key(&key[1]));
        let mut indentation = indentation(line);
        let enclosing = (first..number).rev().map(text).filter(|above| {
            let encloses = !above.trim().is_empty() && self::indentation(above) < indentation;
            if encloses {
                indentation = self::indentation(above);
            }
            encloses
        });
        has_secret_key(line) || enclosing.into_iter().any(has_secret_key)
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Position;
    use crate::read;

    /// Returns the numbers of the lines of a text that are shown.
    fn shown(text: &str) -> Vec<usize> {
        let mut sources = Sources::default();
        sources.add("a".to_owned(), text.to_owned());
        let documents = read::documents("a", text).unwrap_or_default();
        let lines = sources.with(&documents);
        let at = |line| Location { file: "a".to_owned(), position: Position { line, column: 1 } };
        (1..=text.lines().count()).filter(|number| lines.line(&at(*number), None).is_some()).collect()
    }

    #[test]
    fn lines_of_a_secret_are_hidden() {
        assert_eq!(
            shown("kind: PostgresCluster\na: 1\n---\nkind: Secret\ndata:\n  b: c\n---\nkind: A\nd: 1\n"),
            [1, 2, 3, 7, 8, 9]
        );
        assert_eq!(shown("kind: SealedSecret\nspec: {a: b}\n"), [] as [usize; 0]);
        assert_eq!(shown("data: {a: b}\n"), [] as [usize; 0]);
        assert_eq!(shown("kind: List\nitems:\n- kind: Secret\n  data:\n    a: b\nc: d\n"), [1, 2, 6]);
        assert_eq!(shown("{kind: List, items: [{kind: Secret, data: {a: b}}]}\n"), [] as [usize; 0]);
    }

    #[test]
    fn lines_of_a_secret_field_are_hidden() {
        let text =
            "kind: PostgresCluster\nspec:\n  env:\n  - name: a\n    value: |\n      b\n      c\n  - name: d\n  e: f\n";
        assert_eq!(shown(text), [1, 2, 3, 4, 5, 8, 9]);
        assert_eq!(shown("kind: A\nb: {name: c, value: d}\nuri: postgres://a:b@c\ne: &f g\nh: *f\n"), [1, 5]);
        assert_eq!(shown("kind: A\nglobal: {repo1-cipher: b, repo1-s3-key: c}\n# the password: d\n"), [1]);
    }

    #[test]
    fn little_of_what_is_not_yaml_is_shown() {
        assert_eq!(shown("kind: PostgresCluster\nspec: [\n  value: a\n  b: c\n"), [1, 2, 4]);
        assert_eq!(shown("kind: PostgresCluster\nspec: [\n  value:\n    a: b\n   c: d\n  e: f\n"), [1, 2, 6]);
        assert_eq!(shown("kind: PostgresCluster\na: [\n---\nkind: Secret\ndata: {b: c}\n"), [1, 2]);
        assert_eq!(shown("kind: ConfigMap\na: [\n"), [] as [usize; 0]);
        assert_eq!(shown("{\"kind\": \"PostgresCluster\", \"spec\": {\"value\": \"a\""), [] as [usize; 0]);
    }
}
