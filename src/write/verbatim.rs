//! The text of items, taken from the list they came in. Copying it keeps comments, quotes, anchors and block styles of
//! the user's files, which no YAML writer could bring back.
//!
//! Every copy is read back and compared before it is used, so an item whose text cannot stand alone (an alias to another
//! item, flow style) is written anew instead.

use serde_json::Value;

use crate::object::{self, bookkeeping};
use crate::read::node::Node;
use crate::read::{self, Document};

/// The text of the items of a list.
#[derive(Default)]
pub struct Texts<'a> {
    /// By position of the item; empty unless there is one text for each item.
    chunks: Vec<&'a str>,
    /// How far the dashes are indented.
    pub indent: usize,
}

impl<'a> Texts<'a> {
    /// Finds the items of `list`, a ResourceList that was read from `text`.
    pub fn find(text: &'a str, list: &Node) -> Self {
        let none = Self::default();
        let Some(items) = list.entries().iter().find(|entry| entry.key == "items") else { return none };
        let mut lines = text.split_inclusive('\n').skip(items.key_position.line);
        let before: usize = text.split_inclusive('\n').take(items.key_position.line).map(str::len).sum();
        let Some(indent) = lines.clone().find(|line| !is_blank_or_comment(line)).map(indentation) else { return none };

        let mut starts = Vec::new();
        let mut position = before;
        // Comments right above a dash, as far in as the dash, belong to the item below them.
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
        if starts.len() != items.value.items().len() {
            return none;
        }
        let ends = starts.iter().skip(1).copied().chain([end]);
        let chunks = starts.iter().zip(ends).filter_map(|(&start, end)| text.get(start..end)).collect();
        Self { chunks, indent }
    }

    /// The text of the item at `position`, with its dash, when it reads as `node` does.
    pub fn item(&self, position: usize, node: &Node) -> Option<String> {
        let mut text = (*self.chunks.get(position)?).to_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        reads_as(&text, &node.to_json()).then_some(text)
    }

    /// The same with the annotation that keeps an item away from the cluster, put above the other annotations.
    pub fn local_config(&self, position: usize, node: &Node) -> Option<String> {
        let text = self.item(position, node)?;
        let read = read::documents("", &text).ok()?;
        let item = read.first()?.node.items().first()?;
        let first = item.get("metadata")?.get("annotations")?.entries().first()?.key_position;
        let line_start: usize = text.split_inclusive('\n').take(first.line - 1).map(str::len).sum();
        let line = format!("{}{}: \"true\"\n", " ".repeat(first.column - 1), bookkeeping::LOCAL_CONFIG);
        let annotated = format!("{}{line}{}", text.get(..line_start)?, text.get(line_start..)?);
        let mut value = node.to_json();
        object::annotate(&mut value, bookkeeping::LOCAL_CONFIG, "true");
        reads_as(&annotated, &value).then_some(annotated)
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

/// Whether `text` is a sequence of one item that is `value`.
fn reads_as(text: &str, value: &Value) -> bool {
    match read::documents("", text).as_deref() {
        Ok([Document { node, .. }]) => {
            node.to_json().as_array().is_some_and(|items| items.as_slice() == [value.clone()])
        }
        _ => false,
    }
}
