//! Compares two sets of manifests, and says what the change does in the running clusters.
//!
//! ```text
//! objects of both sides ──fields──▶ differences ──table──▶ effects ──message──▶ report ──▶ text, Markdown, JSON
//! ```

mod cause;
mod cluster;
mod configuration;
pub mod effect;
pub mod fields;
mod judge;
pub mod markdown;
mod message;
pub mod parameters;
pub mod path;
pub mod report;
pub mod role;
mod shown;
pub mod side;
pub mod table;
mod template;
pub mod text;

use std::collections::BTreeSet;

use report::{Report, VERSION};
use side::{ClusterName, Side};

/// Compares the sides. `with_fields` is whether the report names each field.
pub fn compare(old: &Side, new: &Side, with_fields: bool) -> Report {
    let names: BTreeSet<&ClusterName> = old.clusters.keys().chain(new.clusters.keys()).collect();
    let clusters: Vec<_> = names
        .into_iter()
        .map(|name| cluster::compare(name, old.clusters.get(name), new.clusters.get(name), with_fields))
        .collect();
    Report {
        version: VERSION,
        consequence: clusters.iter().map(|cluster| cluster.consequence).max().unwrap_or_default(),
        clusters,
        notes: notes(old, new),
        errors: Vec::new(),
    }
}

/// What the comparison does not cover.
fn notes(old: &Side, new: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    for (side, name, other) in [(old, "old", new), (new, "new", old)] {
        if side.ignored > 0 {
            notes.push(format!(
                "objects of the {name} input that pgrender has not rendered are ignored: {}",
                side.ignored
            ));
        }
        let Some(kinds) = &side.live_kinds else { continue };
        let rendered: BTreeSet<&str> = other
            .clusters
            .values()
            .flat_map(|objects| objects.values())
            .map(|object| object.reference.kind.as_str())
            .filter(|kind| !kinds.contains(*kind))
            .collect();
        if !rendered.is_empty() {
            let kinds: Vec<String> = rendered.iter().map(|kind| kind.to_lowercase()).collect();
            notes.push(format!(
                "the {name} input has no objects of these kinds: add them to the command, as in `kubectl get {} -o yaml`",
                kinds.join(",")
            ));
        }
    }
    notes
}
