//! The reduced schema: a table of nodes that refer to each other by their place.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::Value;

/// The whole table, read once.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schema.json")).expect("the schema in the program should be readable")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// `metadata`, and the spec of each API version.
    roots: BTreeMap<String, usize>,
    nodes: Vec<Schema>,
}

/// What a value may be.
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
    /// Its text, which is also its name here.
    pub(crate) rule: String,
    /// The field below the value that it speaks of, dotted.
    #[serde(default)]
    pub(crate) field: String,
}

/// One node: what a value must be. Absent means free.
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
    /// Whether any field may stand here.
    #[serde(default)]
    pub(crate) open: bool,
    /// The keys by which items differ; no key: by their whole value.
    pub(crate) unique: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) rules: Vec<RuleText>,
    #[serde(default)]
    properties: BTreeMap<String, usize>,
    /// The values of a map with free keys.
    values: Option<usize>,
    items: Option<usize>,
}

impl Schema {
    /// The metadata of any object.
    pub(crate) fn metadata() -> &'static Self {
        &TABLE.nodes[TABLE.roots["metadata"]]
    }

    /// The spec of a `PostgresCluster` in `v1` or `v1beta1`.
    pub(crate) fn of_version(version: &str) -> Option<&'static Self> {
        TABLE.roots.get(version).map(|&place| &TABLE.nodes[place])
    }

    /// What may stand under `field`, when anything may.
    pub(crate) fn field(&self, field: &str) -> Option<&'static Self> {
        self.properties.get(field).copied().or(self.values).map(|place| &TABLE.nodes[place])
    }

    /// The fields that have a name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &'static Self)> {
        self.properties.iter().map(|(name, &place)| (name.as_str(), &TABLE.nodes[place]))
    }

    /// What an item must be.
    pub(crate) fn item(&self) -> Option<&'static Self> {
        self.items.map(|place| &TABLE.nodes[place])
    }
}

/// Every node of the table, for tests that hold for all of them.
#[cfg(test)]
pub(crate) fn all() -> &'static [Schema] {
    &TABLE.nodes
}
