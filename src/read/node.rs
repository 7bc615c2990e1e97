//! The tree that a YAML document is read into: values with the place each was written at.

use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::limits::Size;
use super::places::Places;
use crate::report::{FieldPath, Position};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: NodeValue,
    /// Where it begins; for what an alias brought in, where the alias stands.
    pub position: Position,
    /// The bytes of the text that it was read from, without its tag and anchor and without what follows on its last line;
    /// of a block scalar its lines. Empty for what an alias or a merge key brought in, and for a null that is not written.
    pub range: Range<usize>,
}

/// A value as Go's YAML readers see it (`sigs.k8s.io/yaml`, that is kubectl and the API server).
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, and what YAML 1.1 takes for a boolean: `yes`, `on`, `y`, …
    Bool {
        /// The value.
        value: bool,
        /// The text it was written as.
        plain: String,
    },
    /// A number.
    Number {
        /// The value, as JSON would hold it.
        value: Number,
        /// The text it was written as: `0644`, `1_000`, `0x1F`.
        plain: String,
    },
    /// A string.
    String {
        /// The value.
        value: String,
        /// Whether it stood without quotes.
        plain: bool,
    },
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the text, keys unique.
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
    /// The value under `key`, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            NodeValue::Mapping(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The entries, when this is a mapping; else none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items, when this is a sequence; else none.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            NodeValue::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Where the field at `path` stands: its key where it has one, else its value. A path that leaves the tree gives the
    /// place of the nearest ancestor that is there.
    pub fn locate(&self, path: &FieldPath) -> Position {
        Places::new(self).locate(path)
    }

    /// What a value costs in memory and time beside its text, in bytes.
    pub const OVERHEAD: usize = 48;

    /// How much it is to copy the value, about in bytes.
    pub fn weight(&self) -> usize {
        let Size { nodes, bytes, .. } = Size::of(self);
        nodes * Self::OVERHEAD + bytes
    }

    /// The same value without places, as JSON.
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

    /// The node as an alias brings it to another place, where no bytes of the text are its own.
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
