//! Bytes to resources: YAML and JSON as Go's readers understand them.

pub mod node;

use node::Node;

/// One document of an input.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file as the user named it, or `<stdin>`.
    pub file: String,
    /// Its content.
    pub node: Node,
}
