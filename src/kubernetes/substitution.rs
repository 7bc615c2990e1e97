//! Prevents variable substitution by Flux. If a Kustomization has `postBuild`, Flux replaces `${name}` in the objects that it
//! applies (unknown variables become empty), and `$$` by `$`. Scripts and Postgres' dollar quotes contain such texts. With an
//! annotation, Flux does not change the object (Flux, Kustomization, "Post build variable substitution";
//! `github.com/fluxcd/pkg/envsubst`).

use serde_json::Value;

use crate::naming::delivery;
use crate::read::object;

/// Adds the annotation to `object` if Flux would change it. It is not added to pod templates: there it would have no
/// effect, and it would restart the pods.
pub(crate) fn prevent(object: &mut Value) {
    if is_changed(object) {
        object::annotate(object, delivery::FLUX_SUBSTITUTE, delivery::DISABLED);
        if let Some(metadata) = object.get_mut("metadata") {
            metadata.sort_all_objects();
        }
    }
}

/// Whether Flux would change a key or a string in `value`.
fn is_changed(value: &Value) -> bool {
    let text_is = |text: &str| text.contains("${") || text.contains("$$");
    match value {
        Value::String(text) => text_is(text),
        Value::Array(items) => items.iter().any(is_changed),
        Value::Object(entries) => entries.iter().any(|(key, value)| text_is(key) || is_changed(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
