//! The entries of a mapping. Keys of any type become text, each key must be unique, and `<<` merges other mappings.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use crate::diagnostic::{Collector, Position, Severity};
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::scalar;

/// An error after which the rest of the document can still be read.
#[derive(Debug)]
pub(super) struct Error {
    /// What is wrong, and what to write instead.
    pub(super) message: String,
    /// The position of the error.
    pub(super) position: Position,
}

impl Error {
    pub(super) fn new(message: impl Into<String>, position: Position) -> Self {
        Self { message: message.into(), position }
    }
}

/// A mapping whose nodes are added one by one, keys and values in turn.
#[derive(Default)]
pub(super) struct Mapping {
    entries: Vec<Entry>,
    /// The value of `<<`.
    merge: Option<Node>,
    next: Next,
}

/// What the next node of a mapping will be.
#[derive(Default)]
enum Next {
    #[default]
    Key,
    Value {
        key: String,
        position: Position,
    },
    Merge(Position),
    /// The value of a key that was an error; it is dropped.
    Nothing,
}

impl Mapping {
    /// Adds the next key or value.
    pub(super) fn add(&mut self, node: Node) -> Result<(), Error> {
        match mem::take(&mut self.next) {
            Next::Key => {
                self.next = Next::Nothing;
                self.next = after_key(&node)?;
            }
            Next::Value { key, position } => self.entries.push(Entry { key, key_position: position, value: node }),
            Next::Merge(position) if self.merge.is_some() => {
                return Err(Error::new("a second `<<` in one mapping; write `<<: [*first, *second]`", position));
            }
            Next::Merge(_) => self.merge = Some(node),
            Next::Nothing => {}
        }
        Ok(())
    }

    /// Returns the entries after all nodes were added; those of `<<` come last. Errors are added to `errors`.
    pub(super) fn finish(self, errors: &mut Collector<Error>) -> Vec<Entry> {
        let Self { mut entries, merge, .. } = self;
        duplicates(&entries, errors);
        if let Some(merge) = merge
            && let Err(error) = merge_into(&mut entries, merge)
        {
            errors.push(Severity::Error, error);
        }
        // See `compose.rs`, where lists are shrunk.
        entries.shrink_to_fit();
        entries
    }
}

/// Says what kind of value follows a key.
fn after_key(node: &Node) -> Result<Next, Error> {
    let message = match &node.value {
        NodeValue::String { value, plain: true } if value == "<<" => return Ok(Next::Merge(node.position)),
        NodeValue::Mapping(_) => "a key cannot be a mapping; quote a text that begins with `{`, such as a template",
        NodeValue::Sequence(_) => "a key cannot be a list; quote a text that begins with `[`",
        value => match scalar::key(value) {
            Some(key) => return Ok(Next::Value { key, position: node.position }),
            None => "this key is not a string; write it in quotes",
        },
    };
    Err(Error::new(message, node.position))
}

/// Reports each key that an earlier entry has too. kubectl keeps the last of two, and the API server refuses them; a duplicate
/// is never intended.
fn duplicates(entries: &[Entry], errors: &mut Collector<Error>) {
    let mut seen = BTreeMap::new();
    for Entry { key, key_position, .. } in entries {
        if let Some(Position { line, column }) = seen.insert(key, key_position) {
            let message = format!("the key `{key}` is here and on line {line}, column {column}; keep only one");
            errors.push(Severity::Error, Error::new(message, *key_position));
        }
    }
}

/// Adds the entries that `<<` merges. An earlier mapping wins over a later one, and a key of the mapping itself wins over all
/// of them, as YAML's merge type says. (In go-yaml 2, a `<<` below a key overrides that key; in go-yaml 3, it does not.)
fn merge_into(entries: &mut Vec<Entry>, merge: Node) -> Result<(), Error> {
    let position = merge.position;
    let sources = match merge.value {
        NodeValue::Sequence(items) => items,
        _ => vec![merge],
    };
    let mut seen: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for source in sources {
        let NodeValue::Mapping(merged) = source.without_ranges().value else {
            return Err(Error::new("the value of `<<` must be a mapping or a list of mappings", position));
        };
        entries.extend(merged.into_iter().filter(|entry| seen.insert(entry.key.clone())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::read::documents;

    fn read(text: &str) -> Value {
        documents("c.yaml", text).unwrap().remove(0).node.to_json()
    }

    fn refused(text: &str) -> Vec<String> {
        documents("c.yaml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_become_text() {
        let expected = json!({"1": "a", "true": "b", "1.1": "c", "~": "d", "": "e"});
        assert_eq!(read("1: a\non: b\n1.10: c\n'~': d\n'': e\n"), expected);
        assert_eq!(
            refused("~: a\n.inf: b\n[c]: d\n{e: 1}: f\n"),
            [
                "c.yaml:1:1: error: this key is not a string; write it in quotes",
                "c.yaml:2:1: error: Kubernetes does not support infinite numbers and NaN; write a string in quotes",
                "c.yaml:2:1: error: this key is not a string; write it in quotes",
                "c.yaml:3:1: error: a key cannot be a list; quote a text that begins with `[`",
                "c.yaml:4:1: error: a key cannot be a mapping; quote a text that begins with `{`, such as a template",
            ]
        );
    }

    #[test]
    fn a_key_stands_once() {
        assert_eq!(
            refused("a: 1\nb: {c: 1, \"c\": 2}\n'a': 2\na: 3\n1: x\n'1': y\n"),
            [
                "c.yaml:2:11: error: the key `c` is here and on line 2, column 5; keep only one",
                "c.yaml:3:1: error: the key `a` is here and on line 1, column 1; keep only one",
                "c.yaml:4:1: error: the key `a` is here and on line 3, column 1; keep only one",
                "c.yaml:6:1: error: the key `1` is here and on line 5, column 1; keep only one",
            ]
        );
    }

    #[test]
    fn merge_keys_give_way_to_keys() {
        let text = "x: &x {a: 1, b: 2}\nw: &w {a: 3, c: 4}\nz:\n  b: 5\n  <<: [*x, *w]\n  d: {<<: *w}\n";
        assert_eq!(read(text)["z"], json!({"a": 1, "b": 5, "c": 4, "d": {"a": 3, "c": 4}}));
        assert_eq!(read("!!merge <<: {a: 1}\n\"b\": <<\n"), json!({"a": 1, "b": "<<"}));
        assert_eq!(read("\"<<\": {a: 1}\n"), json!({"<<": {"a": 1}}));
    }

    #[test]
    fn merge_keys_take_mappings_once() {
        assert_eq!(
            refused("a: {<<: 3}\nb: {<<: [{c: 1}, d]}\ne: {<<: {}, <<: {}}\n"),
            [
                "c.yaml:1:9: error: the value of `<<` must be a mapping or a list of mappings",
                "c.yaml:2:9: error: the value of `<<` must be a mapping or a list of mappings",
                "c.yaml:3:13: error: a second `<<` in one mapping; write `<<: [*first, *second]`",
            ]
        );
    }
}
