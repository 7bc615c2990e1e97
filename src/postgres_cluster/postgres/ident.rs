//! The lines of `pg_ident.conf`, which map names of client certificates to roles. Patroni writes the file when Postgres starts
//! and when its configuration changes.

use serde_json::Value;

use crate::naming::{REPLICATION_MAP, REPLICATION_USER};
use crate::postgres_cluster::cluster::Cluster;

/// Returns every line: the map of replicas, then the user's lines in `patroni.dynamicConfiguration`.
pub fn ident(cluster: &Cluster) -> Vec<String> {
    let names = cluster.replication_names();
    // A quoted name is not a keyword. A leading slash would make it a regular expression, but these names begin with the name
    // of the role, and names in Kubernetes have no quotes.
    let ours = names.iter().map(|name| format!(r#"{REPLICATION_MAP} "{name}" "{REPLICATION_USER}""#));
    ours.chain(dynamic_lines(cluster)).collect()
}

fn dynamic_lines(cluster: &Cluster) -> impl Iterator<Item = String> {
    let section = cluster.patroni.dynamic_configuration.get("postgresql");
    let lines = section.and_then(|section| section.get("pg_ident")).and_then(Value::as_array);
    lines.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// Whether a line could add to the map of replicas. Postgres skips white space and commas before the first word, and removes
/// quotes in it (`next_token` of `hba.c`).
pub fn is_ours(line: &str) -> bool {
    let bare = line.replace('"', "");
    let rest = bare.trim_start_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c', ',']).strip_prefix(REPLICATION_MAP);
    rest.is_some_and(|rest| {
        !rest.starts_with(|next: char| !next.is_ascii() || next.is_ascii_alphanumeric() || "_-.".contains(next))
    })
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn the_map_of_replicas_is_known_however_it_is_written() {
        for line in [
            "_crunchyrepl x y",
            "\t \"_crunchyrepl\"\tx y",
            ",_crunchyrepl,x y",
            "_crunchy\"repl\" x y",
            "\"\"_crunchyrepl# x",
            "_crunchyrepl",
        ] {
            assert!(is_ours(line), "{line}");
        }
        for line in
            ["_crunchyrepl2 x y", "_crunchyrepl-x x y", "mine _crunchyrepl _crunchyrepl", "# _crunchyrepl x y", ""]
        {
            assert!(!is_ours(line), "{line}");
        }
    }
}
