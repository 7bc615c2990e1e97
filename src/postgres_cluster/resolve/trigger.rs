//! PGO's annotations of which each new value requests one action: a backup or a restore.

use std::collections::BTreeMap;

use super::context::Context;
use crate::diagnostic::{FieldPath, line};

/// The longest value in bytes. It is an argument of pgBackRest, and is stored with a backup.
const LONGEST: usize = 1024;

/// Returns the value of the annotation `key`; `None` if there is none, or if it cannot be used. The pods compare it with the one
/// that they have recorded, and it is one line of a file. `action` is what it starts, for example `a backup`.
pub(crate) fn resolve(
    annotations: &BTreeMap<String, String>,
    key: &str,
    action: &str,
    context: &mut Context,
) -> Option<String> {
    let trigger = annotations.get(key)?;
    if trigger.trim().is_empty() {
        let message = format!(
            "does not start {action}, because it is empty: write a value that was not used before, for example the time"
        );
        context.warning(path(key), message);
        return None;
    }
    if trigger.len() > LONGEST {
        context.error(path(key), format!("is too long: write at most {LONGEST} bytes, for example the time"));
        return None;
    }
    context.check(&path(key), line::check_name(trigger)).then(|| trigger.clone())
}

/// The place of the annotation `key` of the cluster.
pub(crate) fn path(key: &str) -> FieldPath {
    FieldPath::of("metadata.annotations").key(key)
}
