//! Flux replaces `${name}` in what it applies where its Kustomization has `postBuild` (variables that it does not know become
//! empty), and `$$` by `$`. Scripts have such texts, and Postgres' dollar quotes. An annotation says that an object is left as it
//! is (Flux, Kustomization, "Post build variable substitution"; `github.com/fluxcd/pkg/envsubst`).

use serde_json::Value;

use crate::naming::delivery;
use crate::object;

/// Gives the annotation to an object that would be changed. It is on objects only: on pods it would mean nothing, and restart
/// them.
pub(super) fn prevent(object: &mut Value) {
    if is_changed(object) {
        object::annotate(object, delivery::FLUX_SUBSTITUTE, delivery::DISABLED);
        if let Some(metadata) = object.get_mut("metadata") {
            metadata.sort_all_objects();
        }
    }
}

/// Whether a key or a text in `value` would be changed.
fn is_changed(value: &Value) -> bool {
    let text_is = |text: &str| text.contains("${") || text.contains("$$");
    match value {
        Value::String(text) => text_is(text),
        Value::Array(items) => items.iter().any(is_changed),
        Value::Object(entries) => entries.iter().any(|(key, value)| text_is(key) || is_changed(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
