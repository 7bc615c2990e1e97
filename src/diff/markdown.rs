//! Prints a report as Markdown, for a comment in a pull request. It contains text that the author of the change chose, so
//! nothing of it can become markup.

use std::fmt::Write;

use super::effect::Consequence;
use super::report::{Change, ClusterReport, Report};
use super::text::{counts, name, sign, told, word};

/// The longest report, in bytes. GitHub accepts comments of 65,536 characters.
const MAX: usize = 60_000;

/// Prints `report`.
pub fn to_string(report: &Report) -> String {
    let mut out = String::new();
    let changed = report.clusters.iter().filter(|cluster| cluster.change != Change::Same).count();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "### {}\n", heading(report.consequence, changed));
    for cluster in &report.clusters {
        let mut part = String::new();
        let _ = print_cluster(&mut part, cluster);
        if out.len() + part.len() > MAX {
            let _ = writeln!(out, "The rest is too long for a comment: run `pgrender diff` to see it.");
            break;
        }
        out.push_str(&part);
    }
    for note in &report.notes {
        let _ = writeln!(out, "_{}_\n", escaped(note));
    }
    out
}

fn heading(consequence: Consequence, changed: usize) -> &'static str {
    match consequence {
        _ if changed == 0 => "No Postgres cluster changes",
        Consequence::Nothing | Consequence::Change => "Postgres: changes without a restart",
        Consequence::Restart => "Postgres: something restarts",
        Consequence::Refused => "Postgres: Kubernetes will refuse a change",
        Consequence::Loss => "Postgres: something is lost",
    }
}

fn symbol(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Nothing => "⚪",
        Consequence::Change => "🟢",
        Consequence::Restart => "🟡",
        Consequence::Refused | Consequence::Loss => "🔴",
    }
}

fn print_cluster(out: &mut String, cluster: &ClusterReport) -> std::fmt::Result {
    let name = escaped(&name(cluster));
    if cluster.change == Change::Same {
        return writeln!(out, "**{name}**: no changes\n");
    }
    writeln!(out, "**{name}** ({})\n", counts(&cluster.objects))?;
    for effect in told(cluster) {
        writeln!(out, "- {} {}: {}", symbol(effect.consequence), word(effect.consequence), escaped(&effect.message))?;
        for detail in &effect.details {
            writeln!(out, "  - {}", escaped(detail))?;
        }
    }
    if told(cluster).next().is_none() {
        writeln!(out, "Nothing happens in the running cluster.")?;
    }
    writeln!(out, "\n<details><summary>Objects</summary>\n\n```diff")?;
    for object in &cluster.objects {
        let sign = match sign(object.change) {
            '~' => '!',
            other => other,
        };
        writeln!(out, "{sign} {} {}", object.kind, object.name)?;
        for field in &object.fields {
            let (old, new) = (field.old.as_deref(), field.new.as_deref());
            // A fence in a value would end this one.
            let shown = |value: Option<&str>| value.unwrap_or("").replace('`', "'");
            writeln!(out, "    {}: {} → {}", field.path.replace('`', "'"), shown(old), shown(new))?;
        }
    }
    writeln!(out, "```\n\n</details>\n")
}

/// The text with everything escaped that could become markup, except for code between backticks, in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            // A backtick cannot be in the part, because the text was split there.
            let _ = write!(out, "`{part}`");
            continue;
        }
        for character in part.chars() {
            // `@` would notify somebody, `#` would link an issue.
            match character {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '@' => out.push_str("&#64;"),
                '#' => out.push_str("&#35;"),
                '\\' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '$' => {
                    out.push('\\');
                    out.push(character);
                }
                other => out.push(other),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(escaped("a `b <c>` <img> @all #1 [x](y)"), "a `b <c>` &lt;img&gt; &#64;all &#35;1 \\[x\\](y)");
    }
}
