//! The places of many fields of one tree. [`Node::locate`] looks through a mapping for every field that it is asked for, which
//! takes too long where ten thousand fields of a mapping are wrong.

use std::collections::BTreeMap;

use super::node::{Entry, Node, NodeValue};
use crate::report::{FieldPath, Position, Segment};

/// Mappings up to here are not worth an index.
const SMALL: usize = 16;

/// Finds places in one tree.
pub(crate) struct Places<'a> {
    root: &'a Node,
    /// Of each large mapping that was on the way so far, by its address, its entries by key.
    indexes: BTreeMap<usize, BTreeMap<&'a str, &'a Entry>>,
}

impl<'a> Places<'a> {
    /// Of the fields below `root`.
    pub(crate) fn new(root: &'a Node) -> Self {
        Self { root, indexes: BTreeMap::new() }
    }

    /// Where the field at `path` stands: its key where it has one, else its value. A path that leaves the tree gives the
    /// place of the nearest ancestor that is there.
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
