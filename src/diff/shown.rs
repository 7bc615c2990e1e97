//! Shows values to people: never one that may be secret, and none at full length that is long.

use serde_json::Value;

use super::path::{Path, Step};
use crate::diagnostic::line;
use crate::postgres_cluster::pgbackrest::option;
use crate::postgres_cluster::resolve::exposed;

/// How many characters of a value are shown.
const LENGTH: usize = 80;

/// How many characters of an image are shown: all that a registry accepts, and more than people write.
const LENGTH_OF_IMAGE: usize = 400;

/// How many equal characters before a difference are shown.
const BEFORE: usize = 20;

/// The text of a value; `None` if there is none, or if it has parts that are mappings.
fn text(value: &Value, length: usize) -> Option<String> {
    let text = match value {
        Value::Null | Value::Object(_) => return None,
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(match text.trim_end().lines().count() {
        0 => "empty".to_owned(),
        1 => shortened(text.trim_end(), length),
        lines => format!("{lines} lines"),
    })
}

fn shortened(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
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

/// Both values as they are shown, so that their difference is visible. A value that may be secret, or a mapping, is `None`.
pub(super) fn pair(path: &Path, old: Option<&Value>, new: Option<&Value>) -> (Option<String>, Option<String>) {
    if may_be_secret(path, old, new) {
        return (None, None);
    }
    let is_image = matches!(path.0.last(), Some(Step::Key(key)) if key == "image");
    let length = if is_image { LENGTH_OF_IMAGE } else { LENGTH };
    if let (Some(Value::String(old)), Some(Value::String(new))) = (old, new)
        && [old, new].iter().any(|text| text.chars().nth(length).is_some())
        && old.lines().count() == 1
        && new.lines().count() == 1
    {
        let same = old.chars().zip(new.chars()).take_while(|(one, other)| one == other).count();
        let from = |text: &str| -> String {
            let rest: String = text.chars().skip(same.saturating_sub(BEFORE)).collect();
            let mark = if same > BEFORE { "…" } else { "" };
            format!("{mark}{}", shortened(&rest, length))
        };
        return (Some(from(old)), Some(from(new)));
    }
    (old.and_then(|old| text(old, length)), new.and_then(|new| text(new, length)))
}

/// `old → new`, or what is there of it. It is empty if the values may be secret, or are shown in the same way.
pub(super) fn change(path: &Path, old: Option<&Value>, new: Option<&Value>) -> String {
    let is_set = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    match pair(path, old, new) {
        (Some(old), Some(new)) if old != new => format!("{old} → {new}"),
        (None, Some(new)) if !is_set(old) => format!("{new} (new)"),
        (Some(old), None) if !is_set(new) => format!("{old} (removed)"),
        _ if !is_set(old) => "new".to_owned(),
        _ if !is_set(new) => "removed".to_owned(),
        _ => String::new(),
    }
}

/// Whether a value of the field could be a secret: because of a word in its path, or because of the value.
pub(super) fn may_be_secret(path: &Path, old: Option<&Value>, new: Option<&Value>) -> bool {
    let named = path.0.iter().any(|step| {
        let (Step::Key(word) | Step::Item(word)) = step;
        is_secret_word(word)
    });
    // Variables of containers, and keys of TLS.
    let is_key = path.0.last().is_some_and(|step| {
        let (Step::Key(word) | Step::Item(word)) = step;
        let is_option = option::is_secret(word) || option::is_secret(&format!("repo1-{word}"));
        is_option || word == "value" || word == "key" || [".key", "-key", "_key"].iter().any(|end| word.ends_with(end))
    });
    named || is_key || [old, new].into_iter().flatten().any(holds_secret)
}

fn is_secret_word(word: &str) -> bool {
    const WORDS: [&str; 10] =
        ["pass", "secret", "token", "credential", "private", "cookie", "headers", "api_key", "apikey", "authorization"];
    let word = word.to_lowercase();
    WORDS.iter().any(|secret| word.contains(secret))
}

/// Whether a value, or a part of it, could be a secret.
fn holds_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let lower = text.to_lowercase();
            let has_token = ["bearer ", "basic ", "key=", "key:", "key ", "pwd=", "conninfo"];
            let is_uri = |word: &str| word.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
            exposed::holds_secret(text)
                || has_token.iter().any(|sign| lower.contains(sign))
                || text.split_whitespace().any(is_uri)
        }
        Value::Array(items) => items.iter().any(holds_secret),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| key == "value" || is_secret_word(key) || holds_secret(value))
        }
        _ => false,
    }
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
            &["data", "repo2-azure-key"],
            &["data", "pgbackrest", "repo2", "s3-key"],
            &["parameters", "my.api_key"],
            &["data", "tls.key"],
        ] {
            assert_eq!(change(&path(words), Some(&old), Some(&new)), "", "{words:?}");
        }
        for value in [
            json!("postgres://a:b@c/d"),
            json!("host=x password=hunter2pw"),
            json!(["sh", "--password=hunter4"]),
            json!(["curl", "-H", "Authorization: Bearer hunter2token"]),
            json!("curl -H \"X-Key: hunter2\""),
            json!("postgres://u:hun/ter2@h/db"),
            json!("postgres://h/db?user=u&password=hunter2"),
            json!(["-x", "--apikey=hunter2"]),
        ] {
            assert_eq!(change(&path(&["a"]), Some(&value), Some(&new)), "", "{value}");
            assert_eq!(change(&path(&["a"]), None, Some(&value)), "new");
        }
        let container = json!({"image": "b", "env": [{"name": "DB", "value": "hunter2"}]});
        assert_eq!(pair(&path(&["a"]), None, Some(&container)), (None, None));
        assert_eq!(change(&path(&["a"]), Some(&json!("http://a/b")), Some(&new)), "http://a/b → new");
    }

    #[test]
    fn long_texts_and_control_characters_are_not_shown() {
        let value = |value: Value| text(&value, LENGTH);
        assert_eq!(value(json!("a\nb\n")).unwrap(), "2 lines");
        assert_eq!(value(json!("a\u{1b}[31m")).unwrap(), "a\\u{1b}[31m");
        assert_eq!(value(json!("x".repeat(200))).unwrap().chars().count(), LENGTH + 1);
        assert_eq!(value(json!({"a": 1})), None);
        assert_eq!(value(json!(["a", "b"])).unwrap(), "[\"a\",\"b\"]");
        let long = |end: &str| json!(format!("{}{end}", "x".repeat(200)));
        let (old, new) = (long("one"), long("two"));
        assert_eq!(change(&path(&["a"]), Some(&old), Some(&new)), format!("…{0}one → …{0}two", "x".repeat(BEFORE)));
    }
}
