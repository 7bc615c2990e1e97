//! Prints a report as Markdown, for a comment in a pull request. It contains text that the author of the change chose, so
//! nothing of it can become markup.

use std::cmp::Reverse;
use std::fmt::Write;

use super::effect::Consequence;
use super::report::{Change, ClusterReport, Report};
use super::text::{counts, name, sign, told, word};

/// The longest report, in bytes. GitHub accepts comments of 65,536 characters.
const MAX: usize = 60_000;

/// Prints `report`: the most serious clusters first, and the lists of objects only as long as there is room.
pub fn to_string(report: &Report) -> String {
    let mut out = String::new();
    let changed = report.clusters.iter().filter(|cluster| cluster.change != Change::Same).count();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "### {}\n", heading(report.consequence.unwrap_or_default(), changed));
    for note in &report.notes {
        let _ = writeln!(out, "_{}_\n", escaped(note));
    }
    let mut clusters: Vec<&ClusterReport> = report.clusters.iter().collect();
    clusters.sort_by_key(|cluster| Reverse(cluster.consequence));
    let parts: Vec<(String, String)> = clusters.iter().map(|cluster| (effects(cluster), objects(cluster))).collect();
    let mut room = MAX.saturating_sub(out.len() + parts.iter().map(|(effects, _)| effects.len()).sum::<usize>());
    let mut is_cut = false;
    for (effects, objects) in &parts {
        if out.len() + effects.len() > MAX {
            is_cut = true;
            break;
        }
        out.push_str(effects);
        if objects.len() <= room {
            room -= objects.len();
            out.push_str(objects);
        } else {
            is_cut = true;
        }
    }
    if is_cut {
        let _ = writeln!(
            out,
            "This is not all, because a comment has no room for more: run `pgrender diff` to see the rest."
        );
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

fn effects(cluster: &ClusterReport) -> String {
    let name = escaped(&name(cluster));
    if cluster.change == Change::Same {
        return format!("**{name}**: no changes\n\n");
    }
    let mut out = format!("**{name}** ({})\n\n", counts(&cluster.objects));
    for effect in told(cluster) {
        let (symbol, word) = (symbol(effect.consequence), word(effect.consequence));
        let _ = writeln!(out, "- {symbol} {word}: {}", escaped(&effect.message));
        for detail in &effect.details {
            let _ = writeln!(out, "  - {}", escaped(detail));
        }
    }
    if told(cluster).next().is_none() {
        let _ = writeln!(out, "Nothing happens in the running cluster.");
    }
    out + "\n"
}

fn objects(cluster: &ClusterReport) -> String {
    if cluster.change == Change::Same {
        return String::new();
    }
    let mut out = String::from("<details><summary>Objects</summary>\n\n```diff\n");
    // A fence in a value would end this one.
    let plain = |text: &str| text.replace('`', "'");
    for object in &cluster.objects {
        let sign = match sign(object.change) {
            '~' => '!',
            other => other,
        };
        let _ = writeln!(out, "{sign} {} {}", object.kind, object.name);
        for field in &object.fields {
            let values = match (&field.old, &field.new) {
                (Some(old), Some(new)) => format!(": {old} → {new}"),
                (None, Some(new)) => format!(": {new} (new)"),
                (Some(old), None) => format!(": {old} (removed)"),
                (None, None) => String::new(),
            };
            let _ = writeln!(out, "    {}{}", plain(&field.path), plain(&values));
        }
    }
    out + "```\n\n</details>\n\n"
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
        // `@` would notify somebody, `#` would link an issue, `://` and `www.` would become links. A space without a width
        // (U+200B) keeps GitHub and GitLab from seeing them.
        let part = part.replace('@', "@\u{200b}").replace('#', "#\u{200b}").replace("://", ":\u{200b}//");
        let part = part.replace("www.", "www\u{200b}.");
        for character in part.chars() {
            match character {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
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
        assert_eq!(
            escaped("a `b <c>` <img> @all #1 [x](y) www.a.b"),
            "a `b <c>` &lt;img&gt; @\u{200b}all #\u{200b}1 \\[x\\](y) www\u{200b}.a.b"
        );
    }
}
