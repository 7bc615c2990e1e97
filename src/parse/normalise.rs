//! The first pass: it compares the tree of a document with the structure of the schema.
//!
//! It reports unknown fields and wrong types, drops nulls, fills in defaults, and returns plain JSON. Only this pass sees how a
//! value was written, so only it can distinguish the `on` that YAML 1.1 reads as a boolean from `true`.

use serde_json::{Map, Value};

use crate::diagnostic::words;
use crate::diagnostic::{FieldPath, Segment};
use crate::parse::schema::{Schema, Type};
use crate::parse::{Definition, Finding, Findings, Settings, number};
use crate::read::node::{Entry, Node, NodeValue};

/// Walks through a tree and its schema in parallel.
pub(crate) struct Normaliser<'a> {
    definition: &'a Definition,
    path: FieldPath,
    settings: Settings,
    findings: &'a mut Findings,
    /// For how many more unknown fields a suggestion is searched.
    suggestions: usize,
    /// How many more list items are read.
    items: usize,
}

/// The largest number of items in all lists of a spec together. An item of three bytes can become an object of several hundred.
const MOST_ITEMS: usize = 20_000;

impl<'a> Normaliser<'a> {
    /// Starts at `path`. Findings are added to `findings`.
    pub(crate) fn new(
        definition: &'a Definition,
        path: &FieldPath,
        settings: Settings,
        findings: &'a mut Findings,
    ) -> Self {
        Self { definition, path: path.clone(), settings, findings, suggestions: words::SUGGESTIONS, items: MOST_ITEMS }
    }

    /// Returns the value as the server would see it. If the type is wrong, that is reported, and the value stays as it was
    /// written, so that later checks do not report a missing field.
    pub(crate) fn value(&mut self, node: &Node, schema: &'static Schema) -> Value {
        match (&node.value, schema.kind) {
            (NodeValue::Mapping(_), Type::Object) if schema.open => node.to_json(),
            (NodeValue::Mapping(entries), Type::Object) => self.mapping(entries, schema),
            (NodeValue::Sequence(items), Type::Array) => self.sequence(items, schema),
            (NodeValue::Bool { .. }, Type::Boolean) | (NodeValue::String { .. }, Type::String | Type::IntOrString) => {
                node.to_json()
            }
            (NodeValue::Number { value, .. }, Type::Integer | Type::IntOrString)
                if number::integer(value).is_some() =>
            {
                number::integer(value).into()
            }
            (NodeValue::String { value, .. }, Type::Boolean) if self.settings.through_kustomize => {
                match yaml_1_1_boolean(value) {
                    Some(boolean) => {
                        let message =
                            format!("the string {} is read as `{boolean}`: write `{boolean}`", words::quote(value));
                        self.findings.push(Finding::warning(&self.path, message));
                        Value::Bool(boolean)
                    }
                    None => self.wrong_type(node, schema),
                }
            }
            _ => self.wrong_type(node, schema),
        }
    }

    fn mapping(&mut self, entries: &[Entry], schema: &'static Schema) -> Value {
        let mut object = Map::new();
        for Entry { key, value: node, .. } in entries {
            let Some(field) = schema.field(key) else {
                self.unknown_field(key, schema);
                continue;
            };
            // The default replaces a null. A null without a default is dropped.
            let value = if matches!(node.value, NodeValue::Null) {
                field.default.clone()
            } else {
                Some(self.below(Segment::Key(key.clone()), |this| this.value(node, field)))
            };
            if let Some(value) = value {
                object.insert(key.clone(), value);
            }
        }
        for (name, field) in schema.fields() {
            if let Some(default) = &field.default
                && !object.contains_key(name)
            {
                object.insert(name.to_owned(), default.clone());
            }
        }
        Value::Object(object)
    }

    /// Unlike in a mapping, a null in a list is not dropped: it is reported as a wrong type.
    fn sequence(&mut self, items: &[Node], schema: &'static Schema) -> Value {
        let Some(item) = schema.item() else {
            return Value::Array(items.iter().map(Node::to_json).collect());
        };
        if items.len() > self.items {
            if self.items > 0 {
                let message = format!("all lists together have more than {MOST_ITEMS} items: write fewer items");
                self.findings.push(Finding::blocking(&self.path, message));
            }
            self.items = 0;
            // Later checks have nothing to say about a null.
            return Value::Null;
        }
        self.items -= items.len();
        let values = items
            .iter()
            .enumerate()
            .map(|(index, node)| self.below(Segment::Index(index), |this| this.value(node, item)))
            .collect();
        Value::Array(values)
    }

    fn below<T>(&mut self, segment: Segment, step: impl FnOnce(&mut Self) -> T) -> T {
        self.path.0.push(segment);
        let result = step(self);
        self.path.0.pop();
        result
    }

    fn unknown_field(&mut self, key: &str, schema: &'static Schema) {
        let message = if self.suggestions > 0 {
            self.suggestions -= 1;
            (self.definition.unknown_field)(key, schema, &self.path)
        } else {
            words::UNKNOWN.to_owned()
        };
        self.findings.push(Finding::blocking(&self.path.key(key), message));
    }

    fn wrong_type(&mut self, node: &Node, schema: &Schema) -> Value {
        let expected = match schema.kind {
            Type::Array => "a list",
            Type::Boolean => "`true` or `false`",
            Type::IntOrString => "an integer or a string",
            Type::Integer => "an integer",
            Type::Object => "a mapping",
            Type::String => "a string",
        };
        let secret = words::may_be_secret(&self.path);
        let advice = advice(node, schema, secret);
        let message = format!("expected {expected}, found {}{advice}", node.describe(secret));
        self.findings.push(Finding::blocking(&self.path, message));
        node.to_json()
    }
}

/// Returns what to write instead, if the value allows a suggestion.
fn advice(node: &Node, schema: &Schema, secret: bool) -> String {
    match (schema.kind, &node.value) {
        (Type::String | Type::IntOrString, NodeValue::Bool { .. } | NodeValue::Number { .. }) if secret => {
            ": write it in quotes".to_owned()
        }
        (Type::String | Type::IntOrString, NodeValue::Bool { plain, .. } | NodeValue::Number { plain, .. }) => {
            format!(": write it in quotes, `\"{plain}\"`")
        }
        (Type::Integer, NodeValue::String { value, .. }) if value.parse::<i64>().is_ok() => {
            ": write it without quotes".to_owned()
        }
        (Type::Boolean, NodeValue::String { value, .. }) => match boolean_word(value) {
            Some(boolean) => format!(": write `{boolean}` without quotes"),
            None => String::new(),
        },
        (Type::Array, _) if schema.item().is_some_and(|item| fits(node, item.kind)) => ": put `-` before it".to_owned(),
        _ => String::new(),
    }
}

/// Whether the value could be an item of a list of this type.
fn fits(node: &Node, kind: Type) -> bool {
    matches!((&node.value, kind), (NodeValue::String { .. }, Type::String) | (NodeValue::Mapping(_), Type::Object))
}

/// Returns the boolean that a word means in YAML 1.1, including `true` and `false`.
fn boolean_word(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => yaml_1_1_boolean(word),
    }
}

/// Returns the boolean that a word means in YAML 1.1 but not in 1.2 (<https://yaml.org/type/bool.html>).
fn yaml_1_1_boolean(word: &str) -> Option<bool> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}
