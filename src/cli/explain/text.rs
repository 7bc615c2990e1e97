//! Writes an explanation for people, in the form of `kubectl explain`.

use std::fmt::Write;

use clap::builder::styling;

use crate::cli::filled::filled;
use crate::explain::{Change, Effect, Explanation, FieldEffect, FieldLine};

/// The columns of the text.
const WIDTH: usize = 100;

/// How headings are shown.
#[derive(Clone, Copy)]
pub(super) struct Style {
    heading: styling::Style,
    name: styling::Style,
}

impl Style {
    /// With or without colours.
    pub(super) fn of(is_coloured: bool) -> Self {
        let plain = styling::Style::new();
        let name = plain.fg_color(Some(styling::AnsiColor::Cyan.into()));
        if is_coloured { Self { heading: plain.bold(), name } } else { Self { heading: plain, name: plain } }
    }

    fn heading(&self, text: &str) -> String {
        format!("{}{text}{}", self.heading.render(), self.heading.render_reset())
    }

    fn name(&self, text: &str) -> String {
        format!("{}{text}{}", self.name.render(), self.name.render_reset())
    }
}

/// Returns the text for an explanation. `is_cut` shortens the sentences about fields to one line each.
pub(super) fn write(explanation: &Explanation, recursive: bool, style: Style, is_cut: bool) -> String {
    let Explanation { kind, api_version, path, type_name, required, default, description, .. } = explanation;
    let mut out = String::new();
    line(&mut out, &format!("{}    {kind}", style.heading("KIND:")));
    line(&mut out, &format!("{} {api_version}", style.heading("VERSION:")));
    if !path.is_empty() {
        let required = if *required { ", required" } else { "" };
        let default = default.as_ref().map(|value| format!(", default {value}")).unwrap_or_default();
        line(&mut out, &format!("{}   {} <{type_name}>{required}{default}", style.heading("FIELD:"), style.name(path)));
    }
    section(&mut out, style, "DESCRIPTION");
    for paragraph in description.split("\n\n") {
        line(&mut out, &wrapped(paragraph, 2));
    }
    if recursive {
        section(&mut out, style, "FIELDS");
        tree(&mut out, &explanation.fields, 2, style);
        return out;
    }
    if !explanation.rules.is_empty() {
        section(&mut out, style, "RULES");
        for rule in &explanation.rules {
            line(&mut out, &item(rule, 2));
        }
    }
    if let Some(effect) = &explanation.effect {
        section(&mut out, style, "PGRENDER");
        effects(&mut out, effect, path);
    }
    if !explanation.fields.is_empty() {
        section(&mut out, style, "FIELDS");
        for field in &explanation.fields {
            line(&mut out, &one_line(field, style, is_cut));
        }
    }
    if let Some(example) = &explanation.example {
        section(&mut out, style, "EXAMPLE");
        for text in example.lines() {
            line(&mut out, &format!("  {text}"));
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn section(out: &mut String, style: Style, title: &str) {
    line(out, &format!("\n{}", style.heading(&format!("{title}:"))));
}

fn wrapped(text: &str, indent: usize) -> String {
    let spaces = " ".repeat(indent);
    filled(text, WIDTH, &spaces, &spaces)
}

fn item(text: &str, indent: usize) -> String {
    let (first, next) = (format!("{}- ", " ".repeat(indent)), " ".repeat(indent + 2));
    filled(text, WIDTH, &first, &next)
}

fn effects(out: &mut String, FieldEffect { field, at_run_time, effect }: &FieldEffect, path: &str) {
    if field != path {
        line(out, &format!("  What is known of `{field}`, which contains this field:"));
    }
    if let Some(text) = at_run_time {
        line(out, &wrapped(text, 2));
    }
    match effect {
        Effect::Changes(changes) => {
            for change in changes {
                changed(out, change);
            }
        }
        Effect::Objects(objects) => {
            line(out, "  The fields below are rendered into:");
            line(out, &wrapped(&objects.join(", "), 4));
        }
        Effect::Warning(message) => {
            line(out, "  Without effect. pgrender renders the cluster and prints this warning:");
            line(out, &wrapped(message, 4));
        }
        Effect::Error(message) => {
            line(out, "  Refused. pgrender renders nothing and prints this error:");
            line(out, &wrapped(message, 4));
        }
    }
}

/// The objects, and below them the fields.
fn changed(out: &mut String, Change { objects, fields }: &Change) {
    let place = if fields.is_empty() { " (the whole object)" } else { "" };
    line(out, &format!("{}{place}", item(&objects.join(", "), 2)));
    for field in fields {
        line(out, &format!("      {field}"));
    }
}

/// The name, the type, and the first sentence.
fn one_line(field: &FieldLine, style: Style, is_cut: bool) -> String {
    let mut text = format!("  {} <{}>", style.name(&field.name), field.type_name);
    if field.required {
        text += " required";
    }
    let used = 5 + field.name.len() + field.type_name.len() + if field.required { 9 } else { 0 };
    let sentence = first_sentence(&field.description);
    let room = WIDTH.saturating_sub(used + 2);
    let _ = match sentence.char_indices().nth(room) {
        Some(_) if is_cut => {
            let end = sentence.char_indices().nth(room.saturating_sub(1)).map_or(sentence.len(), |(end, _)| end);
            write!(text, "  {}…", sentence[..end].trim_end())
        }
        _ => write!(text, "  {sentence}"),
    };
    text
}

fn first_sentence(text: &str) -> &str {
    let text = text.split("\n\n").next().unwrap_or_default();
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn tree(out: &mut String, fields: &[FieldLine], indent: usize, style: Style) {
    for field in fields {
        let required = if field.required { " required" } else { "" };
        line(out, &format!("{}{} <{}>{required}", " ".repeat(indent), style.name(&field.name), field.type_name));
        tree(out, &field.fields, indent + 2, style);
    }
}
