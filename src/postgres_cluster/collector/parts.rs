//! What the pipelines for logs and for metrics have in common.

use serde_json::{Map, Value, json};

/// The exporter that writes to the output of the container.
pub const OUTPUT: &str = "debug";

/// The sections of a configuration.
pub(crate) struct Parts {
    pub(crate) receivers: Map<String, Value>,
    pub(crate) processors: Map<String, Value>,
    pub(crate) exporters: Map<String, Value>,
    pub(crate) pipelines: Map<String, Value>,
}

/// The processor that adds attributes to a resource.
pub(crate) fn resource_attributes<'a>(attributes: impl IntoIterator<Item = (&'a str, String)>) -> Value {
    let insert = |(key, value): (&str, String)| json!({"action": "insert", "key": key, "value": value});
    json!({"attributes": attributes.into_iter().map(insert).collect::<Vec<_>>()})
}

/// The collector replaces `${…}` and `$…` in its configuration, and `$$` by `$` (OpenTelemetry, "Collector configuration").
pub(crate) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
