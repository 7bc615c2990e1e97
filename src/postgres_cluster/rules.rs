//! The third pass: the CEL rules of the CRD. Each rule is a function with the rule's own text beside it.
//!
//! A rule is found by its text. If the text changes in the CRD, the rule has no function, and a test fails. A rule that fails
//! at run time in CEL ("no such key") counts as broken on the server; here such a function returns `false`. In CEL, `||` is
//! true as soon as one side is true, even if the other side fails.
//!
//! The functions see only objects whose types, required fields, enumerations and maximum lengths are right.

mod authentication;
mod instrumentation;
mod logs;
mod parameters;
mod storage;
mod various;

use serde_json::{Value, json};

use crate::diagnostic::FieldPath;
use crate::parse::schema::{RuleText, Schema};
use crate::parse::{Finding, Findings};

/// One rule of the CRD.
pub(crate) struct Rule {
    /// The CEL expression, exactly as in the CRD.
    text: &'static str,
    /// Whether a value satisfies the rule.
    holds: fn(&Value) -> bool,
    /// The message for a value that does not.
    message: &'static str,
}

fn all() -> impl Iterator<Item = &'static Rule> {
    let others = [authentication::RULES, instrumentation::RULES, logs::RULES, storage::RULES, various::RULES];
    others.into_iter().chain([parameters::OF_SPEC, parameters::RULES]).flatten()
}

/// What a rule of the schema demands, in words.
pub(crate) fn in_words(text: &str) -> &'static str {
    all().find(|rule| rule.text == text).map_or("", |rule| rule.message)
}

/// Checks the rules of a value and of everything below it.
pub(crate) fn check(value: &Value, schema: &Schema, path: &FieldPath, findings: &mut Findings) {
    visit(value, schema, path, &mut |rule, holds, path| {
        if !holds {
            findings.push(Finding::fault(path, rule.message));
        }
    });
}

/// Returns the parameters in `value` that break the rule, each on its own. Empty if the rule is not about parameters.
fn guilty(value: &Value, rule: &Rule) -> Vec<String> {
    let Value::Object(object) = value else { return Vec::new() };
    let of_keys = parameters::RULES.iter().any(|other| other.text == rule.text);
    let alone = object.iter().filter(|(key, value)| !(rule.holds)(&json!({ (key.as_str()): value })));
    if of_keys { alone.map(|(key, _)| key.clone()).collect() } else { Vec::new() }
}

/// Returns why the CRD refuses a parameter with this name in `spec.config.parameters`.
pub(crate) fn parameter_fault(name: &str, value: &str) -> Option<&'static str> {
    let parameters = json!({ name: value });
    parameters::RULES.iter().find(|rule| !(rule.holds)(&parameters)).map(|rule| rule.message)
}

/// Evaluates every rule of a value and of everything below it, and calls `answer` with the rule, the result, and the path of
/// the field that the rule is about.
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

/// Returns the field of `value` that a rule begins with (`self.?a.b` or `!has(self.a)`), because the rule is about this field.
/// The server names only the whole value.
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

/// Returns the items of the list at `pointer`; empty if there is no list.
fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns the string at `pointer`.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Whether any key of the object has this prefix.
fn has_key_with_prefix(value: &Value, prefix: &str) -> bool {
    value.as_object().is_some_and(|object| object.keys().any(|key| key.starts_with(prefix)))
}

#[cfg(test)]
mod tests;
