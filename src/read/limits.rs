//! Limits for reading a text. They are large enough for any build, and small enough to stop an input that is crafted to exhaust
//! memory.

use crate::read::node::{Node, NodeValue};

/// The largest size of one text, in bytes. A large kustomize build has a few million.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The largest depth of nested collections. PGO's CRD, which is deeper than most objects, has 31.
pub(super) const MAX_DEPTH: usize = 64;

/// The largest number of values in one text. Keys count, and so does each repetition by an alias. A million values take about
/// 100 MB.
pub(super) const MAX_NODES: usize = 1_000_000;

/// The largest number of values that anchors keep and aliases repeat. Real manifests repeat few values, but a short text can
/// ask for very many.
const MAX_REPEATED_NODES: usize = 100_000;

/// The most bytes of text that anchors keep and aliases repeat.
const MAX_REPEATED_BYTES: usize = 8 * 1024 * 1024;

/// What remains of the limits while a text is read.
#[derive(Debug)]
pub(super) struct Budget {
    nodes: usize,
    /// The number of values that may still be repeated.
    repeated_nodes: usize,
    /// The number of bytes of scalars that may still be repeated.
    repeated_bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { nodes: MAX_NODES, repeated_nodes: MAX_REPEATED_NODES, repeated_bytes: MAX_REPEATED_BYTES }
    }

    /// Subtracts one value.
    pub(super) fn take(&mut self) -> Result<(), String> {
        self.take_nodes(1)
    }

    fn take_nodes(&mut self, nodes: usize) -> Result<(), String> {
        let left = self.nodes.checked_sub(nodes);
        self.nodes = left.ok_or_else(|| format!("the file has more than {MAX_NODES} values; split the file"))?;
        Ok(())
    }

    /// Subtracts a copy of a tree of this size.
    pub(super) fn take_copy(&mut self, size: Size) -> Result<(), String> {
        self.take_nodes(size.nodes)?;
        let left = (self.repeated_nodes.checked_sub(size.nodes), self.repeated_bytes.checked_sub(size.bytes));
        let (Some(nodes), Some(bytes)) = left else {
            return Err(format!(
                "aliases repeat more than {MAX_REPEATED_NODES} values or {MAX_REPEATED_BYTES} bytes of text; split the file"
            ));
        };
        (self.repeated_nodes, self.repeated_bytes) = (nodes, bytes);
        Ok(())
    }
}

/// The memory that a value needs in addition to its text, in bytes; also a measure of the time to copy it.
pub(crate) const OVERHEAD: usize = 48;

/// The approximate cost of copying a value, in bytes.
pub(crate) fn weight(node: &Node) -> usize {
    let Size { nodes, bytes, .. } = Size::of(node);
    nodes * OVERHEAD + bytes
}

/// The size of a tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// The number of values, including keys.
    pub(super) nodes: usize,
    /// The depth of nested collections.
    pub(super) height: usize,
    /// The bytes of scalars and keys.
    pub(super) bytes: usize,
}

impl Size {
    /// Computes the size of a tree.
    pub(super) fn of(node: &Node) -> Self {
        let mut size = Self { nodes: 1, height: 0, bytes: 0 };
        match &node.value {
            NodeValue::Null => {}
            NodeValue::Bool { plain, .. } | NodeValue::Number { plain, .. } => size.bytes = plain.len(),
            NodeValue::String { value, .. } => size.bytes = value.len(),
            NodeValue::Sequence(items) => {
                size.height = 1;
                for item in items {
                    size.hold(Self::of(item));
                }
            }
            NodeValue::Mapping(entries) => {
                size.height = 1;
                for entry in entries {
                    size.nodes += 1;
                    size.bytes += entry.key.len();
                    size.hold(Self::of(&entry.value));
                }
            }
        }
        size
    }

    fn hold(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.height = self.height.max(child.height + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::read::documents;
    use crate::read::node::Node;

    fn refused(text: &str) -> String {
        documents("c.yaml", text).unwrap_err()[0].to_string()
    }

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn collections_nest_64_deep() {
        assert!(documents("c.yaml", &nested(64)).is_ok());
        assert!(documents("c.yaml", &format!("- {}", nested(63))).is_ok());
        let message = "error: more than 64 nested lists and mappings";
        assert_eq!(refused(&nested(65)), format!("c.yaml:1:65: {message}"));
        assert_eq!(refused(&format!("- {}", nested(64))), format!("c.yaml:1:66: {message}"));
    }

    #[test]
    fn endless_nesting_is_refused() {
        for opening in ["[", "- ", "? ", "{a: ", "{? ", "!!str [", "&a ["] {
            let error = refused(&opening.repeat(100_000));
            assert!(error.contains("more than 64 nested lists and mappings"), "{opening:?}: {error}");
        }
    }

    #[test]
    fn depth_counts_what_aliases_bring() {
        let text = format!("a: &a {0}\nb: &b {1}*a{2}\n", nested(60), "[".repeat(4), "]".repeat(4));
        assert!(refused(&text).starts_with("c.yaml:2:11: error: more than 64"));
    }

    #[test]
    fn a_million_values_are_read_and_no_more() {
        let text = "- \n".repeat(999_999);
        assert_eq!(documents("c.yaml", &text).unwrap()[0].node.items().len(), 999_999);
        assert!(
            refused(&format!("{text}- \n"))
                .starts_with("c.yaml:1000000:3: error: the file has more than 1000000 values")
        );
    }

    #[test]
    fn aliases_cannot_multiply_a_text() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let alias = format!("*a{}, ", level - 1);
            writeln!(text, "a{level}: &a{level} [{}]", alias.repeat(10)).unwrap();
        }
        let message = "aliases repeat more than 100000 values or 8388608 bytes of text; split the file";
        assert!(refused(&text).contains(message));
        let text = format!("- &a {}\n{}", "x".repeat(1_000_000), "- *a\n".repeat(100));
        assert!(refused(&text).contains(message));
    }

    #[test]
    fn trees_of_the_greatest_depth_can_be_walked() {
        let node: Node = documents("c.yaml", &nested(64)).unwrap().remove(0).node;
        assert_eq!(node.clone().to_json().to_string(), nested(64));
    }
}
