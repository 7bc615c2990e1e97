//! Builds trees from the parser's events: positions, anchors and aliases, limits.
//!
//! The trees are built on an explicit stack, so a deeply nested text does not overflow the call stack.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle, options};

use crate::diagnostic::{Collector, Diagnostic, Position, Severity};
use crate::read::limits::{Budget, MAX_DEPTH, Size};
use crate::read::mapping::{Error, Mapping};
use crate::read::node::{Node, NodeValue};
use crate::read::{scalar, syntax};

/// Returns the documents of `text` that are not empty, or everything that is wrong, in the order of the text. After an error
/// that makes the rest of a document unreadable, reading continues with the next document.
pub(super) fn compose(file: &str, text: &str) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let options = options! {
        emit_comments: false,
        // An unknown alias is reported as one of several errors and does not end the document.
        emit_unresolved_aliases: true,
        // With the next two options, the parser reads as libyaml does, and so as go-yaml does.
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut composer = Composer::new(text);
    loop {
        let taken = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => composer.take(event, span),
            Some(Err(error)) => Err(Stop::Document(syntax::explain(error.kind()), position(*error.marker()))),
        };
        let (message, position, more) = match taken {
            Ok(()) => continue,
            Err(Stop::Document(message, position)) => {
                (message, position, matches!(parser.proceed_next_document(), Ok(true)))
            }
            Err(Stop::Text(message, position)) => (message, position, false),
        };
        composer.report(message, position);
        composer.open.clear();
        if !more {
            break;
        }
    }
    let Composer { documents, errors, .. } = composer;
    let (mut errors, rest) = errors.finish();
    if errors.is_empty() {
        return Ok(documents);
    }
    errors.sort_by_key(|error| error.position);
    let diagnostics = errors.into_iter().map(|error| Diagnostic::error(error.message).located(file, error.position));
    let rest = rest.map(|diagnostic| diagnostic.located(file, Position { line: 1, column: 1 }));
    Err(diagnostics.chain(rest).collect())
}

/// An error after which reading cannot continue.
enum Stop {
    /// Reading cannot continue in this document.
    Document(String, Position),
    /// Reading cannot continue in this text.
    Text(String, Position),
}

/// A collection whose end has not been read yet.
struct Open {
    anchor: usize,
    position: Position,
    /// From its first byte to the last byte that has been read of it.
    range: Range<usize>,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping(Mapping),
}

struct Composer<'input> {
    text: &'input str,
    documents: Vec<Node>,
    errors: Collector<Error>,
    open: Vec<Open>,
    /// The anchored nodes, by the parser's number of the anchor. The parser never uses a number twice.
    anchors: BTreeMap<usize, Node>,
    budget: Budget,
}

impl<'input> Composer<'input> {
    fn new(text: &'input str) -> Self {
        Self {
            text,
            documents: Vec::new(),
            errors: Collector::default(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            budget: Budget::new(),
        }
    }

    /// Records an error.
    fn report(&mut self, message: impl Into<String>, position: Position) {
        self.errors.push(Severity::Error, Error::new(message, position));
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let position = position(span.start);
        let range = span.byte_range().unwrap_or_default();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.take().map_err(|message| Stop::Text(message, position))?;
                let value = scalar::resolve(&text, style == ScalarStyle::Plain, tag.as_deref());
                let value = value.unwrap_or_else(|message| {
                    self.report(message, position);
                    NodeValue::Null
                });
                // An empty value ends before the colon of its key.
                let colon = range.is_empty() && self.text.get(range.end..).is_some_and(|rest| rest.starts_with(':'));
                let end = range.end + usize::from(colon);
                self.finish(Node { value, position, range }, end, anchor)
            }
            Event::SequenceStart(style, anchor, _) => {
                let (position, range) = match style {
                    StructureStyle::Block => self.first_dash(position, range),
                    StructureStyle::Flow => (position, range),
                };
                self.begin(anchor, position, range, Content::Sequence(Vec::new()))
            }
            Event::MappingStart(_, anchor, _) => {
                self.begin(anchor, position, range, Content::Mapping(Mapping::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&range),
            Event::Alias(anchor) => self.alias(anchor, position, &range),
            Event::UnresolvedAlias(_) => {
                self.report("this alias has no anchor (`&`) above it; quote a text that begins with `*`", position);
                self.finish(Node { value: NodeValue::Null, position, range: 0..0 }, range.end, 0)
            }
            // The events for the stream and for documents carry no nodes, and future kinds of events are ignored.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, position: Position, range: Range<usize>, content: Content) -> Result<(), Stop> {
        if self.open.len() == MAX_DEPTH {
            return Err(Stop::Document(syntax::too_deep(), position));
        }
        self.budget.take().map_err(|message| Stop::Text(message, position))?;
        self.open.push(Open { anchor, position, range, content });
        Ok(())
    }

    /// Returns where a block sequence begins. If the sequence is not indented below its key, the parser reports the position
    /// after its first dash.
    fn first_dash(&self, position: Position, range: Range<usize>) -> (Position, Range<usize>) {
        let before = self.text.get(..range.start).unwrap_or_default();
        let before_blanks = before.trim_end_matches([' ', '\t']);
        let in_mapping = matches!(self.open.last(), Some(Open { content: Content::Mapping(_), .. }));
        if !in_mapping || !before_blanks.ends_with('-') {
            return (position, range);
        }
        let start = before_blanks.len() - 1;
        let column = position.column.saturating_sub(range.start - start);
        (Position { column, ..position }, start..start)
    }

    /// Closes the innermost collection. `range` is its closing bracket. A block collection has none: it ends where its last
    /// value ended.
    fn end(&mut self, range: &Range<usize>) -> Result<(), Stop> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if !range.is_empty() {
            open.range.end = range.end;
        }
        let value = match open.content {
            Content::Sequence(mut items) => {
                // A vector with one item has a capacity of four. In deep trees, this would take much more memory than the text.
                items.shrink_to_fit();
                NodeValue::Sequence(items)
            }
            Content::Mapping(mapping) => NodeValue::Mapping(mapping.finish(&mut self.errors)),
        };
        let end = open.range.end;
        self.finish(Node { value, position: open.position, range: open.range }, end, open.anchor)
    }

    fn alias(&mut self, anchor: usize, position: Position, range: &Range<usize>) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            self.report("this alias is inside the value that it repeats", position);
            return self.finish(Node { value: NodeValue::Null, position, range: 0..0 }, range.end, 0);
        };
        let size = Size::of(node);
        if self.open.len() + size.height > MAX_DEPTH {
            return Err(Stop::Document(syntax::too_deep(), position));
        }
        self.budget.take_copy(size).map_err(|message| Stop::Text(message, position))?;
        let node = Node { position, ..node.clone() };
        self.finish(node, range.end, 0)
    }

    /// Adds a complete node, whose last byte is before `end`, to the collection around it. If `anchor` is not 0, the node is
    /// also kept for aliases.
    fn finish(&mut self, node: Node, end: usize, anchor: usize) -> Result<(), Stop> {
        if anchor != 0 {
            self.budget.take_copy(Size::of(&node)).map_err(|message| Stop::Text(message, node.position))?;
            self.anchors.insert(anchor, node.clone().without_ranges());
        }
        let Some(open) = self.open.last_mut() else {
            if node.value != NodeValue::Null {
                self.documents.push(node);
            }
            return Ok(());
        };
        open.range.end = open.range.end.max(end);
        match &mut open.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping(mapping) => {
                if let Err(error) = mapping.add(node) {
                    self.errors.push(Severity::Error, error);
                }
            }
        }
        Ok(())
    }
}

/// Converts a position of the parser, which counts columns from 0.
fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diagnostic::FieldPath;
    use crate::read::places::Places;

    fn node(text: &str) -> Node {
        compose("c.yaml", text).unwrap().remove(0)
    }

    fn read(text: &str) -> Value {
        node(text).to_json()
    }

    fn refused(text: &str) -> Vec<String> {
        compose("c.yaml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn collections_are_read_in_block_and_flow_style() {
        assert_eq!(
            read("a:\n- b\n-   - c\n    - {d: e, f}\n? g\n: |\n  h\n   i\nj: >-\n  k\n  l\n"),
            json!({"a": ["b", ["c", {"d": "e", "f": null}]], "g": "h\n i\n", "j": "k l"})
        );
    }

    #[test]
    fn aliases_repeat_the_last_anchor_of_their_name() {
        let text = "a: &x {b: &y 1}\nc: *x\nd: &x e\nf: [*x, *y]\n*x : g\n";
        assert_eq!(read(text), json!({"a": {"b": 1}, "c": {"b": 1}, "d": "e", "f": ["e", 1], "e": "g"}));
    }

    #[test]
    fn an_alias_needs_an_anchor_above() {
        assert_eq!(
            refused("a: *b\nb: &b 1\nc: &c [*c]\n---\nd: *b\n"),
            [
                "c.yaml:1:4: error: this alias has no anchor (`&`) above it; quote a text that begins with `*`",
                "c.yaml:3:8: error: this alias is inside the value that it repeats",
                "c.yaml:5:4: error: this alias has no anchor (`&`) above it; quote a text that begins with `*`",
            ]
        );
    }

    #[test]
    fn places_count_characters_from_one() {
        let tree = node("é: {à: 1, b: 2}\nc:\n- d: 3\n");
        assert_eq!(
            Places::new(&tree).locate(&FieldPath::default().key("é").key("b")),
            Position { line: 1, column: 11 }
        );
        assert_eq!(Places::new(&tree).locate(&FieldPath::of("c[0].d")), Position { line: 3, column: 3 });
        assert_eq!(tree.get("c").unwrap().position, Position { line: 3, column: 1 });
        assert_eq!(node("a:\n  - - b\n").get("a").unwrap().position, Position { line: 2, column: 3 });
    }

    #[test]
    fn ranges_hold_a_value_without_what_follows_it() {
        let text = "items:\n- a: é # one\n  b:\n# two\n- {c: 1,\n  d: e}  # three\n-   'f'\n- - g\n  - h: # four\n\n- i: |\n    j\n\n";
        let ranges: Vec<&str> =
            node(text).get("items").unwrap().items().iter().map(|item| &text[item.range.clone()]).collect();
        assert_eq!(node(text).get("items").unwrap().range.start, 7);
        assert_eq!(ranges, ["a: é # one\n  b:", "{c: 1,\n  d: e}", "'f'", "- g\n  - h:", "i: |\n    j\n\n"]);
    }

    #[test]
    fn what_an_alias_brings_has_its_place_but_no_range() {
        let tree = node("a: &x {b: 1}\nc: *x\nd: {<<: *x}\ne: [*x]\n");
        let alias = tree.get("c").unwrap();
        assert_eq!((alias.position, alias.range.clone()), (Position { line: 2, column: 4 }, 0..0));
        assert_eq!(alias.get("b").unwrap().position, Position { line: 1, column: 11 });
        assert_eq!(alias.get("b").unwrap().range, 0..0);
        assert_eq!(tree.get("d").unwrap().get("b").unwrap().range, 0..0);
        assert_eq!(tree.get("e").unwrap().range, 34..38);
    }
}
