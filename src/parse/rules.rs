//! The third pass: the CEL rules of the CRD, each as a function with the rule's own text beside it.
//!
//! A rule is found by its text, so a CRD with another text has a rule without a function, which a test notices. A rule that
//! fails at run time in CEL ("no such key") counts as broken on the server; here such a function gives `false`. In CEL `||`
//! is true as soon as one side is, even where the other fails.
//!
//! The functions see only objects whose types, required fields, enumerations and maximal lengths are right.

mod authentication;
mod instrumentation;
mod logs;
mod parameters;
mod storage;
mod various;

use serde_json::{Value, json};

use super::{
    Finding, Findings,
    schema::{RuleText, Schema},
};
use crate::report::FieldPath;

/// One rule of the CRD.
pub(crate) struct Rule {
    /// The CEL expression, exactly as the CRD has it.
    text: &'static str,
    /// Whether a value keeps it.
    holds: fn(&Value) -> bool,
    /// What to tell the author of a value that does not.
    message: &'static str,
}

fn all() -> impl Iterator<Item = &'static Rule> {
    let others = [authentication::RULES, instrumentation::RULES, logs::RULES, storage::RULES, various::RULES];
    others.into_iter().chain([parameters::OF_SPEC, parameters::RULES]).flatten()
}

/// Checks the rules of a value and of all below it.
pub(crate) fn check(value: &Value, schema: &Schema, path: &FieldPath, findings: &mut Findings) {
    visit(value, schema, path, &mut |rule, holds, path| {
        if !holds {
            findings.push(Finding::fault(path, rule.message));
        }
    });
}

/// The parameters in `value` that break a rule, each by itself; none where the rule is one of something else.
fn guilty(value: &Value, rule: &Rule) -> Vec<String> {
    let Value::Object(object) = value else { return Vec::new() };
    let of_keys = parameters::RULES.iter().any(|other| other.text == rule.text);
    let alone = object.iter().filter(|(key, value)| !(rule.holds)(&json!({ (key.as_str()): value })));
    if of_keys { alone.map(|(key, _)| key.clone()).collect() } else { Vec::new() }
}

/// Why the CRD refuses a parameter of this name in `spec.config.parameters`.
pub(crate) fn parameter_fault(name: &str, value: &str) -> Option<&'static str> {
    let parameters = json!({ name: value });
    parameters::RULES.iter().find(|rule| !(rule.holds)(&parameters)).map(|rule| rule.message)
}

/// Asks every rule of a value and of all below it, and tells `answer` whether it holds and of which field it speaks.
fn visit(value: &Value, schema: &Schema, path: &FieldPath, answer: &mut impl FnMut(&'static Rule, bool, &FieldPath)) {
    for RuleText { rule: text, field } in &schema.rules {
        let rule = all().find(|rule| rule.text == text).expect("every rule of the schema should have a function");
        let path = path.join(&FieldPath::of(field));
        let holds = (rule.holds)(value);
        let guilty = if holds { Vec::new() } else { guilty(value, rule) };
        if guilty.is_empty() {
            let about = if holds || !field.is_empty() { None } else { about(value, text) };
            answer(rule, holds, &about.map_or_else(|| path.clone(), |about| path.join(&about)));
        }
        for key in guilty {
            answer(rule, false, &path.key(key));
        }
    }
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if let Some(field) = schema.field(name) {
                    visit(value, field, &path.key(name.as_str()), answer);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                if let Some(item) = schema.item() {
                    visit(value, item, &path.index(index), answer);
                }
            }
        }
        _ => {}
    }
}

/// The field of `value` that a rule begins with, `self.?a.b` or `!has(self.a)`: it is the one that the rule is about. The server
/// names the whole value.
fn about(value: &Value, text: &str) -> Option<FieldPath> {
    let text = text.strip_prefix('!').unwrap_or(text);
    let text = text.strip_prefix("has(").unwrap_or(text).strip_prefix("self.")?.trim_start_matches('?');
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"._[]\"-".contains(c)).unwrap_or(text.len());
    let text = ["hasValue", "optMap"].iter().fold(&text[..end], |text, method| text.trim_end_matches(method));
    let keys = text.split(['.', '[', ']', '"']).filter(|key| !key.is_empty());
    let mut place = value;
    let mut path = FieldPath::default();
    for key in keys {
        place = place.get(key)?;
        path = path.key(key);
    }
    Some(path)
}

/// CEL's `has(value.field)`.
fn has(value: &Value, field: &str) -> bool {
    value.get(field).is_some()
}

/// The items of the list at `pointer`, none where there is no list.
fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The string at `pointer`.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Whether any key of the object begins like this.
fn has_key_with_prefix(value: &Value, prefix: &str) -> bool {
    value.as_object().is_some_and(|object| object.keys().any(|key| key.starts_with(prefix)))
}

#[cfg(test)]
mod tests;
