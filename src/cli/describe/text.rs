//! Writes a description for people.

use clap::builder::styling;

use super::sections;
use crate::cli::filled::filled;
use crate::diagnostic::line::shown;
use crate::postgres_cluster::describe::model::ClusterDescription;

/// The columns of the text.
const WIDTH: usize = 110;

/// Returns the text for a cluster.
pub(super) fn write(cluster: &ClusterDescription, is_coloured: bool) -> String {
    let bold = if is_coloured { styling::Style::new().bold() } else { styling::Style::new() };
    let heading = |text: &str| format!("{}{text}{}", bold.render(), bold.render_reset());
    let ClusterDescription { name, namespace, file, postgres_version, .. } = cluster;
    let title = format!("PostgresCluster {namespace}/{name}");
    let mut out = format!("{}, Postgres {postgres_version}, from {}\n", heading(&title), shown(file));
    for sentence in &cluster.state {
        line(&mut out, 0, &shown(sentence));
    }
    for (title, lines) in sections::of(cluster).into_iter().filter(|(_, lines)| !lines.is_empty()) {
        line(&mut out, 0, "");
        line(&mut out, 0, &heading(title));
        for (level, text) in lines {
            // Options of roles and names in existing certificates may contain anything.
            line(&mut out, level + 1, &shown(&text));
        }
    }
    out
}

fn line(out: &mut String, level: usize, text: &str) {
    let (first, next) = ("  ".repeat(level), "  ".repeat(level + 2));
    *out += &filled(text, WIDTH, &first, &next);
    out.push('\n');
}
