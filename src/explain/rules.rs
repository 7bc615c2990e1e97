//! The rules of a schema, in words.

use crate::diagnostic::words;
use crate::parse::patterns;
use crate::parse::schema::{Format, Schema};

/// Returns what a value must fulfil, one sentence each. `in_words` gives the sentence for a CEL rule.
pub(crate) fn of(schema: &Schema, in_words: fn(&str) -> &'static str) -> Vec<String> {
    let mut rules = own(schema, in_words);
    if let Some(item) = schema.item().filter(|item| item.fields().next().is_none()) {
        rules.extend(own(item, in_words).into_iter().map(|rule| format!("each item: {rule}")));
    }
    if let Some(value) = schema.value().filter(|value| value.fields().next().is_none()) {
        rules.extend(own(value, in_words).into_iter().map(|rule| format!("each value: {rule}")));
    }
    rules
}

fn own(schema: &Schema, in_words: fn(&str) -> &'static str) -> Vec<String> {
    let mut rules = Vec::new();
    if !schema.allowed.is_empty() {
        rules.push(format!("one of {}", words::list(schema.allowed.iter().map(String::as_str))));
    }
    rules.extend(match (schema.minimum, schema.maximum) {
        (Some(least), Some(most)) => Some(format!("from {least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    });
    rules.extend(span(schema.min_length, schema.max_length, "character", "characters"));
    rules.extend(span(schema.min_items, schema.max_items, "item", "items"));
    rules.extend(span(schema.min_properties, schema.max_properties, "entry", "entries"));
    rules.extend(schema.unique.as_ref().map(|keys| match keys.as_slice() {
        [] => "no two items are the same".to_owned(),
        keys => format!("no two items have the same {}", words::list(keys.iter().map(String::as_str))),
    }));
    rules.extend(schema.format.map(|format| match format {
        Format::Duration => "a duration, such as `5m` or `36h`".to_owned(),
        Format::DateTime => "a time, such as `2026-01-31T12:00:00Z`".to_owned(),
    }));
    if let Some(pattern) = &schema.pattern {
        rules.push(format!("{}: matches `{pattern}`", patterns::advice(pattern)));
    }
    rules.extend(schema.rules.iter().map(|rule| {
        let words = in_words(&rule.rule);
        if rule.field.is_empty() { words.to_owned() } else { format!("`{}`: {words}", rule.field) }
    }));
    rules
}

fn span(least: Option<usize>, most: Option<usize>, one: &str, many: &str) -> Option<String> {
    let noun = |count: usize| if count == 1 { one } else { many };
    match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("exactly {least} {}", noun(least))),
        (Some(least), Some(most)) => Some(format!("{least} to {most} {}", noun(most))),
        (Some(least), None) => Some(format!("at least {least} {}", noun(least))),
        (None, Some(most)) => Some(format!("at most {most} {}", noun(most))),
        (None, None) => None,
    }
}
