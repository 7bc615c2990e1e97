//! Flux replaces `${name}` in what it applies where its Kustomization has `postBuild` (variables that it does not know become
//! empty), and `$$` by `$`. Scripts have such texts, and Postgres' dollar quotes. An annotation says that an object is left as it
//! is (Flux, Kustomization, "Post build variable substitution"; `github.com/fluxcd/pkg/envsubst`).

use serde_json::Value;

use crate::naming::delivery;
use crate::object;

/// Gives the annotation to each of `objects` that would be changed. It is on objects only: on pods it would mean nothing, and
/// restart them.
pub(super) fn prevent(objects: &mut [Value]) {
    for object in objects {
        // JSON puts nothing between two characters of a text, as YAML does not.
        let text = object.to_string();
        if text.contains("${") || text.contains("$$") {
            object::annotate(object, delivery::FLUX_SUBSTITUTE, delivery::DISABLED);
            if let Some(metadata) = object.get_mut("metadata") {
                metadata.sort_all_objects();
            }
        }
    }
}
