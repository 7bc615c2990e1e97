//! The answer of a KRM function: a `ResourceList` with items and results (KRM Functions Specification v1).

use std::io;

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::read::node::Node;
use crate::read::object::{self, bookkeeping};
use crate::write::verbatim::Texts;
use crate::write::yaml;

/// One item of the list that a function returns. It may contain a secret, so it does not implement `Debug`.
#[derive(Clone, PartialEq)]
pub enum Item<'a> {
    /// An item of the input, unchanged.
    Kept(&'a Node),
    /// An item of the input, with the annotation that prevents it from being applied.
    LocalConfig(&'a Node),
    /// A rendered object.
    Rendered(Value),
}

/// Returns a ResourceList with `items` and `results`. `texts` are those of the list that the items were read from. It is one
/// document, always has `items`, and ends in one newline: kpt deletes the user's files if any of this is missing.
pub fn to_string(texts: &Texts, items: &[Item], results: &[Value]) -> String {
    let mut out = String::from("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n");
    out.push_str(if items.is_empty() { "items: []\n" } else { "items:\n" });
    for item in items {
        let text = match item {
            Item::Kept(node) => texts.item(node),
            Item::LocalConfig(node) => texts.local_config(node),
            Item::Rendered(_) => None,
        };
        match text {
            Some(text) => out.push_str(&text),
            None => dash(&mut out, value(item), texts.indent),
        }
    }
    if !results.is_empty() {
        out.push_str("results:\n");
    }
    for result in results {
        dash(&mut out, result.clone(), 0);
    }
    out
}

/// Returns the items as a stream of documents, the output format of a legacy plugin of kustomize.
pub fn to_stream(items: &[Item]) -> String {
    stream(items.iter().map(value))
}

/// Writes a stream of documents. Each document is written before the next value is requested.
pub fn write_stream(out: &mut impl io::Write, values: impl IntoIterator<Item = Value>) -> io::Result<()> {
    for (position, value) in values.into_iter().enumerate() {
        if position > 0 {
            out.write_all(b"---\n")?;
        }
        out.write_all(yaml::to_string(&value).as_bytes())?;
    }
    Ok(())
}

/// Returns a stream of documents as one text.
pub fn stream(values: impl IntoIterator<Item = Value>) -> String {
    let documents: Vec<String> = values.into_iter().map(|value| yaml::to_string(&value)).collect();
    documents.join("---\n")
}

/// Returns the value of `item`.
fn value(item: &Item) -> Value {
    match item {
        Item::Kept(node) => node.to_json(),
        Item::LocalConfig(node) => {
            let mut value = node.to_json();
            object::annotate(&mut value, bookkeeping::LOCAL_CONFIG, "true");
            value
        }
        Item::Rendered(value) => value.clone(),
    }
}

/// Writes `value` as an item of a sequence, with its dash.
fn dash(out: &mut String, value: Value, indent: usize) {
    yaml::write(out, &Value::Array(vec![value]), indent);
}

/// Returns a diagnostic as the specification's `Result`. The line number is left out, because it would be a line of the
/// ResourceList, which the user never sees.
pub fn result(diagnostic: &Diagnostic) -> Value {
    let mut result = json!({"message": diagnostic.message, "severity": diagnostic.severity.to_string()});
    let mut add = |key: &str, value: Value| {
        if let Some(result) = result.as_object_mut() {
            result.insert(key.to_owned(), value);
        }
    };
    if let Some(resource) = &diagnostic.resource {
        let fields = [
            ("apiVersion", &resource.api_version),
            ("kind", &resource.kind),
            ("name", &resource.name),
            ("namespace", &resource.namespace),
        ];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
        let fields: Map<_, _> = fields.map(|(key, text)| (key.to_owned(), Value::from(text.as_str()))).collect();
        add("resourceRef", Value::Object(fields));
    }
    if let Some(field) = &diagnostic.field {
        add("field", json!({"path": field.to_string()}));
    }
    // Names such as `<stdin>` are not files.
    if let Some(location) = diagnostic.location.as_ref().filter(|location| !location.file.starts_with('<')) {
        add("file", json!({"path": location.file}));
    }
    result
}
