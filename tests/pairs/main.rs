//! Tests which client certificate is accepted by which server: every certificate of clusters that trust one CA, and those of an
//! issuer that signs any name for any use, with real servers and the rendered configuration of one of the clusters. Every
//! combination that is not in a table must be refused.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test reads its environment and files, says why it is skipped, and panics when it fails"
)]
#![allow(dead_code, unreachable_pub, reason = "some of what is shared is for other tests")]

#[path = "../common/authority.rs"]
mod authority;
mod certificates;
mod patroni;
mod pgbackrest;
mod pgbouncer;
mod postgres;
#[path = "../config/processes.rs"]
mod processes;
#[path = "../config/tools.rs"]
mod tools;

use crate::certificates::Leaf;

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
