//! The tree that a YAML document is read into: values with their positions in the text.

use std::ops::Range;

use serde_json::{Map, Number, Value};

use crate::diagnostic::{Position, words};

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Where it begins. A node that an alias repeats has the position of the alias.
    pub position: Position,
    /// The bytes of the text that it was read from, without its tag and anchor and without what follows on its last line. For a
    /// block scalar, these are its lines. The range is empty for a node from an alias or a merge key, and for a null that is
    /// not written.
    pub range: Range<usize>,
}

/// A value as Go's YAML readers see it (`sigs.k8s.io/yaml`, which kubectl and the API server use).
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or an empty value.
    Null,
    /// `true`, `false` and the other booleans of YAML 1.1: `yes`, `on`, `y`, …
    Bool {
        /// The value.
        value: bool,
        /// The text as it was written.
        plain: String,
    },
    /// A number.
    Number {
        /// The value as a JSON number.
        value: Number,
        /// The text as it was written: `0644`, `1_000`, `0x1F`.
        plain: String,
    },
    /// A string.
    String {
        /// The value.
        value: String,
        /// Whether it was written without quotes.
        plain: bool,
    },
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the text, with unique keys.
    Mapping(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, as a string.
    pub key: String,
    /// Where the key begins.
    pub key_position: Position,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Describes a value, with its text unless the text may be secret.
    pub(crate) fn describe(&self, secret: bool) -> String {
        let (kind, text) = match &self.value {
            NodeValue::Null => ("nothing (null)", None),
            NodeValue::Bool { plain, .. } => ("boolean", Some(plain)),
            NodeValue::Number { plain, .. } => ("number", Some(plain)),
            NodeValue::String { value, .. } => ("string", Some(value)),
            NodeValue::Sequence(_) => ("a list", None),
            NodeValue::Mapping(_) => ("a mapping", None),
        };
        match text {
            Some(_) if secret => format!("a {kind}"),
            Some(text) => format!("the {kind} {}", words::quote(text)),
            None => kind.to_owned(),
        }
    }

    /// Returns the value of `key`, or `None` if this is not a mapping or does not have the key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            NodeValue::Mapping(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// Returns the text, or `None` if this is not a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Returns the entries of a mapping; empty for any other value.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the items of a sequence; empty for any other value.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            NodeValue::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Returns the value as JSON, without positions.
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool { value, .. } => Value::Bool(*value),
            NodeValue::Number { value, .. } => Value::Number(value.clone()),
            NodeValue::String { value, .. } => Value::String(value.clone()),
            NodeValue::Sequence(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeValue::Mapping(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the node without byte ranges, for a node that an alias repeats: no bytes at the new position are its own.
    pub(super) fn without_ranges(mut self) -> Self {
        self.forget_ranges();
        self
    }

    fn forget_ranges(&mut self) {
        self.range = 0..0;
        match &mut self.value {
            NodeValue::Sequence(items) => items.iter_mut().for_each(Self::forget_ranges),
            NodeValue::Mapping(entries) => entries.iter_mut().for_each(|entry| entry.value.forget_ranges()),
            _ => {}
        }
    }
}
