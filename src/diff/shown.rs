//! Shows values to people: never one that may be secret, and none at full length that is long.

use serde_json::Value;

use super::path::{Path, Step};
use crate::diagnostic::line;

/// How many characters of a value are shown.
const LENGTH: usize = 80;

/// The text of a value; `None` if there is none.
pub(super) fn value(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(match text.trim_end().lines().count() {
        0 => "empty".to_owned(),
        1 => shortened(text.trim_end()),
        lines => format!("{lines} lines"),
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", plain(&text[..end])),
        None => plain(text),
    }
}

/// The text without what has a meaning for a terminal, or would end code in Markdown.
pub(super) fn plain(text: &str) -> String {
    line::shown(text).replace('`', "'")
}

/// The text as code: between backticks.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", plain(text))
}

/// `old → new`, or what is there of it. It is empty if the values may be secret, or are shown in the same way. Mappings are not
/// shown.
pub(super) fn change(path: &Path, old: Option<&Value>, new: Option<&Value>) -> String {
    if may_be_secret(path, old, new) {
        return String::new();
    }
    let is_long = |value: Option<&Value>| match value {
        Some(Value::Array(items)) => items.iter().any(|item| item.is_object() || item.is_array()) || items.len() > 5,
        Some(value) => value.is_object(),
        None => false,
    };
    if is_long(old) || is_long(new) {
        return match (old, new) {
            (None | Some(Value::Null), _) => "new".to_owned(),
            (_, None | Some(Value::Null)) => "removed".to_owned(),
            _ => String::new(),
        };
    }
    match (value(old), value(new)) {
        (Some(old), Some(new)) if old != new => format!("{old} → {new}"),
        (None, Some(new)) => format!("{new} (new)"),
        (Some(old), None) => format!("{old} (removed)"),
        _ => String::new(),
    }
}

/// Whether a value of the field could be a secret: because of a word in its path, or because it is a URI with a password.
pub(super) fn may_be_secret(path: &Path, old: Option<&Value>, new: Option<&Value>) -> bool {
    const WORDS: [&str; 7] = ["pass", "secret", "token", "auth", "cred", "private", "cookie"];
    let named = path.0.iter().any(|step| {
        let (Step::Key(word) | Step::Item(word)) = step;
        let word = word.to_lowercase();
        WORDS.iter().any(|secret| word.contains(secret))
    });
    // Variables of containers, and keys of TLS.
    let last = path.0.last().map(|step| match step {
        Step::Key(word) | Step::Item(word) => word.to_lowercase(),
    });
    let is_key = last.is_some_and(|last| last == "value" || last == "key" || last.ends_with(".key"));
    let has_password = [old, new].into_iter().flatten().any(|value| {
        let text = value.to_string();
        text.split("://").skip(1).any(|rest| rest.split(['/', '"', ' ']).next().is_some_and(|host| host.contains('@')))
    });
    named || is_key || has_password
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(words: &[&str]) -> Path {
        Path(words.iter().map(|word| Step::Key((*word).to_owned())).collect())
    }

    #[test]
    fn secrets_are_not_shown() {
        let (old, new) = (json!("old"), json!("new"));
        for words in [
            &["data", "password"][..],
            &["spec", "env", "PGHOST", "value"],
            &["data", "collector.yaml", "exporters", "headers", "Authorization"],
            &["data", "repo1-cipher-pass"],
            &["data", "tls.key"],
        ] {
            assert_eq!(change(&path(words), Some(&old), Some(&new)), "", "{words:?}");
        }
        let uri = json!("postgres://a:b@c/d");
        assert_eq!(change(&path(&["a"]), Some(&uri), Some(&new)), "");
        assert_eq!(change(&path(&["a"]), Some(&json!("http://a/@")), Some(&new)), "http://a/@ → new");
    }

    #[test]
    fn long_texts_and_control_characters_are_not_shown() {
        assert_eq!(value(Some(&json!("a\nb\n"))).unwrap(), "2 lines");
        assert_eq!(value(Some(&json!("a\u{1b}[31m"))).unwrap(), "a\\u{1b}[31m");
        assert_eq!(value(Some(&json!("x".repeat(200)))).unwrap().chars().count(), LENGTH + 1);
        assert_eq!(value(Some(&json!({"a": 1}))).unwrap(), "{\"a\":1}");
    }
}
