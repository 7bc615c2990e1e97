//! Prints a report for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::effect::Consequence;
use super::report::{Change, ClusterReport, Effect, ObjectReport, Report};

/// Prints `report`, with colours if `is_coloured`.
pub fn to_string(report: &Report, is_coloured: bool) -> String {
    let mut out = String::new();
    for note in &report.notes {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "note: {note}\n");
    }
    for cluster in &report.clusters {
        let _ = print_cluster(&mut out, cluster, is_coloured);
    }
    out
}

/// The effects that are worth telling.
pub(super) fn told(cluster: &ClusterReport) -> impl Iterator<Item = &Effect> {
    cluster.effects.iter()
}

/// The word for a consequence.
pub(super) fn word(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Nothing => "nothing",
        Consequence::Change => "change",
        Consequence::Restart => "restart",
        Consequence::Refused => "refused",
        Consequence::Loss => "loss",
    }
}

/// How many objects are new, different and gone, in words.
pub(super) fn counts(objects: &[ObjectReport]) -> String {
    let number = |change: Change| objects.iter().filter(|object| object.change == change).count();
    let parts =
        [(number(Change::Created), "new"), (number(Change::Changed), "changed"), (number(Change::Removed), "gone")];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    parts.join(", ")
}

fn style(consequence: Consequence) -> Style {
    let colour = match consequence {
        Consequence::Nothing => return Style::new().dimmed(),
        Consequence::Change => AnsiColor::Green,
        Consequence::Restart => AnsiColor::Yellow,
        Consequence::Refused | Consequence::Loss => AnsiColor::Red,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

fn print_cluster(out: &mut String, cluster: &ClusterReport, is_coloured: bool) -> std::fmt::Result {
    let bold = if is_coloured { Style::new().bold() } else { Style::new() };
    let name = format!("{bold}PostgresCluster {}{bold:#}", name(cluster));
    if cluster.change == Change::Same {
        return writeln!(out, "{name}: no changes\n");
    }
    writeln!(out, "{name}\n")?;
    let mut any = false;
    for effect in told(cluster) {
        any = true;
        let style = if is_coloured { style(effect.consequence) } else { Style::new() };
        writeln!(out, "  {style}{:<8}{style:#} {}", word(effect.consequence), effect.message)?;
        for detail in &effect.details {
            writeln!(out, "             {detail}")?;
        }
    }
    if !any {
        writeln!(out, "  Nothing happens in the running cluster.")?;
    }
    writeln!(out, "\n  Objects: {}", counts(&cluster.objects))?;
    let has_fields = cluster.objects.iter().any(|object| !object.fields.is_empty());
    if matches!(cluster.change, Change::Created | Change::Removed) && !has_fields {
        // All objects of a cluster are more than somebody reads.
        writeln!(out, "    {}", kinds(&cluster.objects))?;
        return writeln!(out);
    }
    for object in &cluster.objects {
        writeln!(out, "    {} {} {}", sign(object.change), object.kind, object.name)?;
        for field in &object.fields {
            let arrow = match (&field.old, &field.new) {
                (Some(old), Some(new)) => format!(": {old} → {new}"),
                (None, Some(new)) => format!(": {new} (new)"),
                (Some(old), None) => format!(": {old} (removed)"),
                (None, None) => String::new(),
            };
            writeln!(out, "        {}{arrow}", field.path)?;
        }
    }
    writeln!(out)
}

/// How many objects of each kind there are.
fn kinds(objects: &[ObjectReport]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for object in objects {
        *counts.entry(&object.kind).or_default() += 1;
    }
    counts.into_iter().map(|(kind, number)| format!("{number} {kind}")).collect::<Vec<_>>().join(", ")
}

/// The namespace and name of a cluster.
pub(super) fn name(cluster: &ClusterReport) -> String {
    match cluster.namespace.as_str() {
        "" => cluster.name.clone(),
        namespace => format!("{namespace}/{}", cluster.name),
    }
}

/// A sign for a change.
pub(super) fn sign(change: Change) -> char {
    match change {
        Change::Created => '+',
        Change::Changed => '~',
        Change::Removed => '-',
        Change::Same => ' ',
    }
}
