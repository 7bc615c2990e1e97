//! The second pass: what the schema requires of values that have the right type.
//!
//! It runs after defaults are set, as on the server: a default can provide a required field, and can make two items of a list
//! equal.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::diagnostic::words;
use crate::diagnostic::{FieldPath, Segment};
use crate::parse::patterns::Patterns;
use crate::parse::schema::{Format, Schema, Type};
use crate::parse::{Finding, Findings, duration};

/// Checks a value and everything below it.
pub(crate) fn check(value: &Value, schema: &'static Schema, path: &FieldPath, findings: &mut Findings) {
    Checker { path: path.clone(), patterns: Patterns::default(), findings }.value(value, schema);
}

struct Checker<'a> {
    path: FieldPath,
    patterns: Patterns,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    fn fault(&mut self, message: impl Into<String>) {
        self.findings.push(Finding::fault(&self.path, message));
    }

    fn blocking(&mut self, message: impl Into<String>) {
        self.findings.push(Finding::blocking(&self.path, message));
    }

    /// A value of a wrong type matches no arm, because the first pass has reported it.
    fn value(&mut self, value: &Value, schema: &'static Schema) {
        match (value, schema.kind) {
            (Value::Object(object), Type::Object) => self.object(object, schema),
            (Value::Array(items), Type::Array) => self.array(items, schema),
            (Value::String(text), Type::String | Type::IntOrString) => self.text(text, schema),
            (Value::Number(number), Type::Integer | Type::IntOrString) => {
                if let Some(number) = number.as_i64() {
                    self.number(number, schema);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, object: &Map<String, Value>, schema: &'static Schema) {
        let count = object.len();
        if let Some(least) = schema.min_properties.filter(|least| count < *least) {
            self.fault(format!("must have at least {}", counted(least, "entry", "entries")));
        }
        if let Some(most) = schema.max_properties.filter(|most| count > *most) {
            self.blocking(format!("must have at most {}, has {count}", counted(most, "entry", "entries")));
        }
        for name in schema.required.iter().filter(|name| !object.contains_key(*name)) {
            self.findings.push(Finding::blocking(&self.path.key(name.as_str()), words::REQUIRED));
        }
        for (name, value) in object {
            if let Some(field) = schema.field(name) {
                self.below(Segment::Key(name.clone()), |this| this.value(value, field));
            }
        }
    }

    fn array(&mut self, items: &[Value], schema: &'static Schema) {
        let count = items.len();
        if let Some(least) = schema.min_items.filter(|least| count < *least) {
            self.fault(format!("must have at least {}", counted(least, "item", "items")));
        }
        if let Some(most) = schema.max_items.filter(|most| count > *most) {
            self.blocking(format!("must have at most {}, has {count}", counted(most, "item", "items")));
        }
        if let Some(keys) = &schema.unique {
            self.duplicates(items, keys);
        }
        for (index, value) in items.iter().enumerate() {
            if let Some(item) = schema.item() {
                self.below(Segment::Index(index), |this| this.value(value, item));
            }
        }
    }

    /// Reports duplicates. Items of a list with keys must differ in the values of these fields, and items of a set must differ
    /// as a whole.
    fn duplicates(&mut self, items: &[Value], keys: &[String]) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let (identity, message) = if keys.is_empty() {
                (item.to_string(), format!("{} is in the list twice", words::quote(&plain(item))))
            } else {
                let values: Vec<Option<&Value>> = keys.iter().map(|key| item.get(key)).collect();
                let identity =
                    values.iter().map(|value| value.map_or(String::new(), ToString::to_string)).collect::<Vec<_>>();
                let shown = values.iter().map(|value| value.map_or(String::new(), plain)).collect::<Vec<_>>();
                (identity.join("\0"), same_keys(keys, &shown))
            };
            if let Some(first) = seen.get(&identity) {
                let message = format!("{message}: the first one is item {first}, counted from 0");
                self.below(Segment::Index(index), |this| this.fault(message));
            } else {
                seen.insert(identity, index);
            }
        }
    }

    /// Lengths are counted in characters.
    fn text(&mut self, text: &str, schema: &'static Schema) {
        let length = text.chars().count();
        if let Some(most) = schema.max_length.filter(|most| length > *most) {
            self.blocking(format!("must be at most {} long, is {length}", counted(most, "character", "characters")));
            return;
        }
        let too_short = schema.min_length.filter(|least| length < *least).map(|least| {
            let least = counted(least, "character", "characters");
            if length == 0 { "must not be empty".to_owned() } else { format!("must be at least {least} long") }
        });
        let pattern = schema.pattern.as_deref();
        let misfit = too_short.or_else(|| self.patterns.refusal(pattern?, text));
        match schema.format.and_then(|format| format_misfit(format, text)) {
            // If both fail, the message for the pattern is reported because it says more.
            Some(message) => self.blocking(misfit.unwrap_or(message)),
            None => misfit.into_iter().for_each(|message| self.fault(message)),
        }
        if !schema.allowed.is_empty() && !schema.allowed.iter().any(|allowed| allowed == text) {
            let allowed = words::list(schema.allowed.iter().map(String::as_str));
            self.blocking(format!("{} is not one of {allowed}", words::quote(text)));
        }
    }

    fn number(&mut self, number: i64, schema: &Schema) {
        if let Some(least) = schema.minimum.filter(|least| number < *least) {
            self.fault(format!("must be at least {least}, is {number}"));
        }
        if let Some(most) = schema.maximum.filter(|most| number > *most) {
            self.fault(format!("must be at most {most}, is {number}"));
        }
    }

    fn below(&mut self, segment: Segment, step: impl FnOnce(&mut Self)) {
        self.path.0.push(segment);
        step(self);
        self.path.0.pop();
    }
}

/// Returns why a text does not match a format, or `None` if it does.
fn format_misfit(format: Format, text: &str) -> Option<String> {
    let (fits, advice) = match format {
        Format::Duration => {
            (duration::nanoseconds(text).is_some(), "a valid duration: write a number and a unit, as in `5m` or `36h`")
        }
        Format::DateTime => {
            (OffsetDateTime::parse(text, &Rfc3339).is_ok(), "a valid time: write it as in `2026-01-31T12:00:00Z`")
        }
    };
    (!fits).then(|| format!("{} is not {advice}", words::quote(text)))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Returns a scalar without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn same_keys(keys: &[String], values: &[String]) -> String {
    let pairs = keys.iter().zip(values);
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("`{key}` {}", words::quote(value))).collect();
    format!("another item has the same {}", pairs.join(" and "))
}
