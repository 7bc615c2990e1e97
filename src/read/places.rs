//! Finds the positions of many fields of one tree. [`Node::locate`] scans a mapping for every field, which takes too long if
//! ten thousand fields of a mapping are wrong.

use std::collections::BTreeMap;

use crate::diagnostic::{FieldPath, Position, Segment};
use crate::read::node::{Entry, Node, NodeValue};

/// The largest mapping, in entries, that is scanned without an index.
const SMALL: usize = 16;

/// Finds positions in one tree.
pub(crate) struct Places<'a> {
    root: &'a Node,
    /// The entries by key, for each large mapping that was visited. The key of the outer map is the address of the mapping.
    indexes: BTreeMap<usize, BTreeMap<&'a str, &'a Entry>>,
}

impl<'a> Places<'a> {
    /// Finds positions of the fields below `root`.
    pub(crate) fn new(root: &'a Node) -> Self {
        Self { root, indexes: BTreeMap::new() }
    }

    /// Returns the position of the field at `path`: that of its key if it has one, else that of its value. If the path does not
    /// exist, this is the position of the nearest ancestor that exists.
    pub(crate) fn locate(&mut self, path: &FieldPath) -> Position {
        let mut node = self.root;
        let mut position = node.position;
        for segment in &path.0 {
            let next = match (segment, &node.value) {
                (Segment::Key(key), NodeValue::Mapping(entries)) => {
                    self.entry(entries, key).map(|entry| (&entry.value, entry.key_position))
                }
                (Segment::Index(index), NodeValue::Sequence(items)) => {
                    items.get(*index).map(|item| (item, item.position))
                }
                _ => None,
            };
            let Some((child, at)) = next else { break };
            (node, position) = (child, at);
        }
        position
    }

    fn entry(&mut self, entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
        if entries.len() <= SMALL {
            return entries.iter().find(|entry| entry.key == key);
        }
        let index = self
            .indexes
            .entry(entries.as_ptr().addr())
            .or_insert_with(|| entries.iter().map(|entry| (entry.key.as_str(), entry)).collect());
        index.get(key).copied()
    }
}
