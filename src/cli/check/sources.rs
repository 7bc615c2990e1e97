//! The lines of the input that may be shown. Everybody who can read the log of a pipeline can read them, so a line that may
//! contain a secret is not among them. It does not matter if other lines are missing too: the place and the message are enough.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::broken::Broken;
use crate::diagnostic::words;
use crate::diagnostic::{FieldPath, Location};
use crate::read::Document;
use crate::read::node::{Node, NodeValue};

/// Words that name a secret, options of programs with a key (`--repo1-s3-key=…`), and what a URI with a password and an anchor look like. An anchor may be the value of a field that is
/// a secret elsewhere in the file.
static SUSPICIOUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)pass|pwd|secret|token|credential|private|key\S*\s*=|://[^/\s]*@|(^|\s)&\S").expect("constant")
});

/// The longest line, in bytes, that is shown. Longer ones are those of generated files, and take time to search and to cut.
const LONGEST: usize = 100_000;

/// The texts of the files, by name.
#[derive(Default)]
pub(super) struct Sources(BTreeMap<String, Source>);

struct Source {
    text: String,
    /// The byte offset at which each line begins.
    lines: Vec<usize>,
    /// Whether a carriage return ends a line. The lines of a position are then others than these.
    has_other_lines: bool,
}

/// The texts, and which of their bytes are secret.
pub(super) struct Lines<'a> {
    sources: &'a Sources,
    /// The secret bytes of each file that could be read, in ascending order.
    secrets: BTreeMap<&'a str, Vec<Range<usize>>>,
    /// The files that are not YAML.
    broken: BTreeMap<&'a str, Broken<'a>>,
}

impl Sources {
    /// Adds a file.
    pub(super) fn add(&mut self, name: String, text: String) {
        let begins = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        let lines = [0].into_iter().chain(begins).collect();
        let mut after_returns = text.split('\r').skip(1);
        let has_other_lines = after_returns.any(|after| !after.starts_with('\n'));
        self.0.insert(name, Source { text, lines, has_other_lines });
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
        let broken = self.0.iter().filter(|(file, _)| !secrets.contains_key(file.as_str()));
        let broken = broken.map(|(file, source)| (file.as_str(), Broken::new(&source.text, &source.lines))).collect();
        Lines { sources: self, secrets, broken }
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
        let file = location.file.as_str();
        let is_hidden = source.has_other_lines
            || line.len() > LONGEST
            || field.is_some_and(words::may_be_secret)
            || SUSPICIOUS.is_match(line)
            || self.secrets.get(file).is_some_and(|secrets| overlap(secrets, &(start..end)))
            || self.broken.get(file).is_some_and(|broken| broken.may_be_secret(number));
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
                if words::is_secret_key(&entry.key)
                    || (words::is_of_programs(&entry.key) && !has_objects(&entry.value))
                    || (entry.key == "items" && entry.value.items().iter().any(is_secret))
                {
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

/// Whether all items of a list have several fields, so that each of them can be shown or hidden for itself.
fn has_objects(node: &Node) -> bool {
    let is_object = |item: &Node| matches!(&item.value, NodeValue::Mapping(_)) && item.get("name").is_some();
    matches!(&node.value, NodeValue::Sequence(items) if items.iter().all(is_object))
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
    fn only_lines_that_can_be_counted_are_shown() {
        assert_eq!(shown("kind: A\r\nb: c\r\n"), [1, 2]);
        assert_eq!(shown("kind: A\rb: c\nd: e\n"), [] as [usize; 0]);
        assert_eq!(shown(&format!("kind: A\nb: {}\n", "c".repeat(LONGEST))), [1]);
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
