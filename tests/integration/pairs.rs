//! Tests which client certificate is accepted by which server: every certificate of clusters that trust one CA, and those of an
//! issuer that signs any name for any use, with real servers and the rendered configuration of one of the clusters. Every
//! combination that is not in a table must be refused.

mod certificates;
mod patroni;
mod pgbackrest;
mod pgbouncer;
mod postgres;

use crate::pairs::certificates::Leaf;

/// Compares the result of `open` for every certificate with a table of those that must be accepted.
fn compare(door: &str, leaves: &[Leaf], table: &[&str], open: impl Fn(&Leaf) -> Result<(), String>) {
    for name in table {
        assert!(leaves.iter().any(|leaf| leaf.name == *name), "{door}: there is no certificate {name}");
    }
    let wrong: Vec<String> = leaves
        .iter()
        .filter_map(|leaf| match (open(leaf), table.contains(&leaf.name.as_str())) {
            (Ok(()), false) => Some(format!("{} opens it", leaf.name)),
            (Err(reason), true) => Some(format!("{} does not open it: {reason}", leaf.name)),
            _ => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{door}: {}", wrong.join("\n"));
}
