//! The reduced schema: a table of nodes that refer to each other by index.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::Value;

/// The whole table. It is parsed once.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schema.json")).expect("the schema in the program should be readable")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The index of the node for `metadata`, and for the spec of each API version.
    roots: BTreeMap<String, usize>,
    nodes: Vec<Schema>,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Type {
    Array,
    Boolean,
    /// An integer or a string: a quantity, a port by number or name, a parameter of Postgres.
    IntOrString,
    Integer,
    Object,
    String,
}

/// A format that the server enforces.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    DateTime,
    Duration,
}

/// A CEL rule of the CRD.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleText {
    /// The text of the rule, which also identifies it here.
    pub(crate) rule: String,
    /// The field below the value that the rule is about, as a dotted path.
    #[serde(default)]
    pub(crate) field: String,
}

/// One node: what a value must be. A property that is absent is not checked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Schema {
    #[serde(rename = "type")]
    pub(crate) kind: Type,
    pub(crate) default: Option<Value>,
    #[serde(rename = "enum", default)]
    pub(crate) allowed: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) pattern: Option<String>,
    pub(crate) minimum: Option<i64>,
    pub(crate) maximum: Option<i64>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) min_properties: Option<usize>,
    pub(crate) max_properties: Option<usize>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    /// Whether unknown fields are allowed.
    #[serde(default)]
    pub(crate) open: bool,
    /// The fields whose values must differ between items. Empty: the items must differ as a whole.
    pub(crate) unique: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) rules: Vec<RuleText>,
    #[serde(default)]
    properties: BTreeMap<String, usize>,
    /// The schema of the values of a map with free keys.
    values: Option<usize>,
    items: Option<usize>,
}

impl Schema {
    /// The schema of the metadata of any object.
    pub(crate) fn metadata() -> &'static Self {
        &TABLE.nodes[TABLE.roots["metadata"]]
    }

    /// The schema of the spec of a kind in a version, for example `PostgresCluster` in `v1`.
    pub(crate) fn of(kind: &str, version: &str) -> Option<&'static Self> {
        TABLE.roots.get(&format!("{kind}/{version}")).map(|&place| &TABLE.nodes[place])
    }

    /// The schema of `field`, if it may exist.
    pub(crate) fn field(&self, field: &str) -> Option<&'static Self> {
        self.properties.get(field).copied().or(self.values).map(|place| &TABLE.nodes[place])
    }

    /// The fields that have a name, with their schemas.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &'static Self)> {
        self.properties.iter().map(|(name, &place)| (name.as_str(), &TABLE.nodes[place]))
    }

    /// The schema of the values of a map with free keys.
    pub(crate) fn value(&self) -> Option<&'static Self> {
        self.values.map(|place| &TABLE.nodes[place])
    }

    /// The schema of an item.
    pub(crate) fn item(&self) -> Option<&'static Self> {
        self.items.map(|place| &TABLE.nodes[place])
    }
}

/// Every node of the table, for tests that hold for all of them.
#[cfg(test)]
pub(crate) fn all() -> &'static [Schema] {
    &TABLE.nodes
}
