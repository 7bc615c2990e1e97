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
        .map(|name| {
            let (before, after) = (old.clusters.get(name), new.clusters.get(name));
            cluster::compare(name, (before, &old.unlabelled), (after, &new.unlabelled), with_fields)
        })
        .collect();
    Report {
        version: VERSION,
        consequence: Some(clusters.iter().map(|cluster| cluster.consequence).max().unwrap_or_default()),
        clusters,
        notes: notes(old, new),
        errors: Vec::new(),
    }
}

/// What the comparison does not cover.
fn notes(old: &Side, new: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    for (side, name, other) in [(old, "old", new), (new, "new", old)] {
        let Some(kinds) = &side.kinds else { continue };
        let objects = || other.clusters.values().flatten();
        let keys: BTreeSet<_> = objects().map(|(key, _)| key).collect();
        let ignored = side.unlabelled.keys().filter(|key| !keys.contains(key)).count();
        if ignored > 0 {
            notes.push(format!("objects of the {name} input that pgrender has not rendered are ignored: {ignored}"));
        }
        let missing: BTreeSet<String> = objects()
            .map(|(_, object)| object.reference.kind.as_str())
            .filter(|kind| !kinds.contains(*kind))
            .map(str::to_lowercase)
            .collect();
        if !missing.is_empty() {
            let missing = missing.into_iter().collect::<Vec<_>>().join(",");
            notes.push(format!(
                "the {name} input has no objects of these kinds, so all of them count as new or gone: {missing}. If they exist \
                 in the cluster, add them to the input, as in `kubectl get {missing} -o yaml`"
            ));
        }
    }
    notes
}
