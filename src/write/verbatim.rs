//! Copies the text of items from the list that they were read from. A copy keeps comments, quotes, anchors and block styles of
//! the user's files, which no YAML writer could restore.
//!
//! Every copy is read again and compared before it is used. If the text of an item cannot stand alone (it has an alias to
//! another item, or it is in flow style), the item is written anew instead.

use std::collections::BTreeMap;

use crate::diagnostic::Position;
use crate::read::node::{Node, NodeValue};
use crate::read::object::bookkeeping;
use crate::read::{self, Document};

/// The texts of the items of a list.
#[derive(Default)]
pub struct Texts<'a> {
    /// The text of each item, by its position in the list's text. Empty unless every item has a text.
    chunks: BTreeMap<Position, &'a str>,
    /// The indentation of the dashes, in columns.
    pub indent: usize,
}

impl<'a> Texts<'a> {
    /// Finds the items of `list`, which is a ResourceList that was read from `text`.
    pub fn find(text: &'a str, list: &Node) -> Self {
        let none = Self::default();
        let Some(items) = list.entries().iter().find(|entry| entry.key == "items") else { return none };
        let mut lines = text.split_inclusive('\n').skip(items.key_position.line);
        let before: usize = text.split_inclusive('\n').take(items.key_position.line).map(str::len).sum();
        let Some(indent) = lines.clone().find(|line| !is_blank_or_comment(line)).map(indentation) else { return none };

        let mut starts = Vec::new();
        let mut position = before;
        // A comment directly above a dash, with the same indentation, belongs to the item below it.
        let mut head = None;
        let end = loop {
            let Some(line) = lines.next() else { break position };
            let at = indentation(line) == indent;
            if is_blank_or_comment(line) {
                head = (at && line.trim_start().starts_with('#')).then(|| head.unwrap_or(position));
            } else if at && is_dash(line) {
                starts.push(head.take().unwrap_or(position));
            } else if indentation(line) <= indent {
                break position;
            } else {
                head = None;
            }
            position += line.len();
        };
        let nodes = items.value.items();
        if starts.len() != nodes.len() {
            return none;
        }
        let ends = starts.iter().skip(1).copied().chain([end]);
        let chunks = nodes.iter().zip(starts.iter().zip(ends));
        let chunks = chunks.filter_map(|(node, (&start, end))| Some((node.position, text.get(start..end)?))).collect();
        Self { chunks, indent }
    }

    /// Returns the text of the item `node`, with its dash, if the text reads as `node`.
    pub fn item(&self, node: &Node) -> Option<String> {
        let mut text = (*self.chunks.get(&node.position)?).to_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        read_item(&text).is_some_and(|read| same(&read, node)).then_some(text)
    }

    /// Returns the same text with the annotation that keeps an item from being applied to the cluster, above the other
    /// annotations.
    pub fn local_config(&self, node: &Node) -> Option<String> {
        let text = self.item(node)?;
        let first = read_item(&text)?.get("metadata")?.get("annotations")?.entries().first()?.key_position;
        let line_start: usize = text.split_inclusive('\n').take(first.line - 1).map(str::len).sum();
        let line = format!("{}{}: \"true\"\n", " ".repeat(first.column - 1), bookkeeping::LOCAL_CONFIG);
        let annotated = format!("{}{line}{}", text.get(..line_start)?, text.get(line_start..)?);
        let mut read = read_item(&annotated)?;
        let added = take_annotation(&mut read, bookkeeping::LOCAL_CONFIG)?;
        (added.as_str() == Some("true") && same(&read, node)).then_some(annotated)
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_blank_or_comment(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with('#')
}

fn is_dash(line: &str) -> bool {
    line.trim_start().strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r']))
}

/// Reads `text` as a sequence with exactly one item, and returns the item.
fn read_item(text: &str) -> Option<Node> {
    let [document] = <[Document; 1]>::try_from(read::documents("", text).ok()?).ok()?;
    let NodeValue::Sequence(items) = document.node.value else { return None };
    let [item] = <[Node; 1]>::try_from(items).ok()?;
    Some(item)
}

/// Whether two trees have the same value and the same order of keys. Positions are ignored.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (NodeValue::Null, NodeValue::Null) => true,
        (NodeValue::Bool { value: one, .. }, NodeValue::Bool { value: other, .. }) => one == other,
        (NodeValue::Number { value: one, .. }, NodeValue::Number { value: other, .. }) => one == other,
        (NodeValue::String { value: one, .. }, NodeValue::String { value: other, .. }) => one == other,
        (NodeValue::Sequence(one), NodeValue::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (NodeValue::Mapping(one), NodeValue::Mapping(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.key == other.key && same(&one.value, &other.value))
        }
        _ => false,
    }
}

/// Removes an annotation from an item and returns it.
fn take_annotation(item: &mut Node, key: &str) -> Option<Node> {
    let mut node = item;
    for step in ["metadata", "annotations"] {
        let NodeValue::Mapping(entries) = &mut node.value else { return None };
        node = &mut entries.iter_mut().find(|entry| entry.key == step)?.value;
    }
    let NodeValue::Mapping(entries) = &mut node.value else { return None };
    let position = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(position).value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text of each item of `list`, or `None` for an item that has to be written anew.
    fn texts(list: &str) -> Vec<Option<String>> {
        let list_node = read::documents("", list).unwrap().remove(0).node;
        let texts = Texts::find(list, &list_node);
        let items = list_node.get("items").unwrap().items();
        items.iter().map(|node| texts.item(node)).collect()
    }

    #[test]
    fn items_are_copied_with_their_comments() {
        let list = "items:\n# one\n- a: 1 # x\n  # foot\n# two\n- # head\n  b: 2\n\n-\n  c: |\n    - d\n\n    # no comment\nkind: List\n";
        assert_eq!(
            texts(list),
            [
                Some("# one\n- a: 1 # x\n  # foot\n".to_owned()),
                Some("# two\n- # head\n  b: 2\n\n".to_owned()),
                Some("-\n  c: |\n    - d\n\n    # no comment\n".to_owned()),
            ]
        );
    }

    #[test]
    fn an_indented_list_keeps_its_indentation() {
        let list = "kind: List\nitems:\n  - a: 1\n    b:\n    - 2\n  - c: 3\n";
        assert_eq!(texts(list), [Some("  - a: 1\n    b:\n    - 2\n".to_owned()), Some("  - c: 3\n".to_owned())]);
        let node = read::documents("", list).unwrap().remove(0).node;
        assert_eq!(Texts::find(list, &node).indent, 2);
    }

    #[test]
    fn what_cannot_stand_alone_is_not_copied() {
        assert_eq!(texts("items: [{a: 1}]\n"), [None]);
        assert_eq!(texts("items: []\n"), []);
        assert_eq!(texts("items:\n- a: &x 1\n- b: *x\n"), [Some("- a: &x 1\n".to_owned()), None]);
        // At the end of a text without a final newline, the literal block has no newline either. The copy would add one and
        // change the value, so the item is written anew.
        assert_eq!(texts("items:\n- a: |\n    b"), [None]);
        assert_eq!(texts("items:\n- a: b"), [Some("- a: b\n".to_owned())]);
    }

    #[test]
    fn the_annotation_goes_above_the_others_and_nothing_else_moves() {
        let item = "- kind: A # a\n  metadata:\n    annotations:\n      # about\n      'x': \"y\"\n    name: 'n'\n";
        let list = format!("items:\n{item}");
        let node = read::documents("", &list).unwrap().remove(0).node;
        let texts = Texts::find(&list, &node);
        let items = node.get("items").unwrap().items();
        assert_eq!(
            texts.local_config(&items[0]).unwrap(),
            item.replace("      'x'", "      config.kubernetes.io/local-config: \"true\"\n      'x'")
        );
    }

    #[test]
    fn an_item_without_a_block_of_annotations_is_written_anew() {
        for metadata in ["{annotations: {a: b}}", "{}", "\n    annotations: {a: b}", "\n    annotations:"] {
            let list = format!("items:\n- kind: A\n  metadata: {metadata}\n");
            let node = read::documents("", &list).unwrap().remove(0).node;
            assert_eq!(Texts::find(&list, &node).local_config(&node.get("items").unwrap().items()[0]), None);
        }
    }
}
