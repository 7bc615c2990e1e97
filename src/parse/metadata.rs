//! What the API server requires of the metadata of any object, beyond the types
//! (`k8s.io/apimachinery/pkg/api/validation/objectmeta.go`, `pkg/util/validation/validation.go`).

use serde_json::{Map, Value};

use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::parse::{Finding, Findings};

/// The largest total size of all annotations, keys and values, in bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Checks the metadata of an object after normalisation.
pub(crate) fn check(metadata: &Value, findings: &mut Findings) {
    let path = FieldPath::of("metadata");
    let mut fault = |path: &FieldPath, message: Option<String>| {
        if let Some(message) = message {
            findings.push(Finding::fault(path, message));
        }
    };

    if let Some(name) = metadata["name"].as_str() {
        fault(&path.key("name"), subdomain(name));
    }
    if let Some(prefix) = metadata["generateName"].as_str().filter(|prefix| !prefix.is_empty()) {
        // The server appends characters, so the prefix may end in `-`.
        fault(&path.key("generateName"), subdomain(prefix.strip_suffix('-').unwrap_or(prefix)));
    }
    // An empty namespace is the same as no namespace.
    if let Some(namespace) = metadata["namespace"].as_str().filter(|namespace| !namespace.is_empty()) {
        fault(&path.key("namespace"), label(namespace));
    }
    let labels = path.key("labels");
    for (key, value) in entries(metadata, "labels") {
        fault(&labels.key(key.as_str()), qualified_name(key));
        fault(&labels.key(key.as_str()), value.as_str().and_then(label_value));
    }
    let annotations = path.key("annotations");
    let mut size = 0;
    for (key, value) in entries(metadata, "annotations") {
        fault(&annotations.key(key.as_str()), qualified_name(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        let message = format!("all annotations together must have at most {ANNOTATIONS_LIMIT} bytes, but have {size}");
        fault(&annotations, Some(message));
    }
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
    for (index, finalizer) in finalizers.enumerate() {
        fault(&path.key("finalizers").index(index), finalizer.as_str().and_then(qualified_name));
    }
}

fn entries<'a>(metadata: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    metadata[field].as_object().into_iter().flat_map(Map::iter)
}

/// Whether a text has the characters of a DNS label (RFC 1123).
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last()).is_some_and(|(first, last)| inner(*first) && inner(*last));
    ends && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
}

/// Whether a text has the characters of a label's key or value: alphanumeric at both ends, and `-`, `_` and `.` in between.
fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn label(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some(format!("must be at most 63 characters long, is {}", text.chars().count()));
    }
    (!is_label(text)).then(|| {
        let text = words::quote(text);
        format!(
            "{text} is not a valid name: write lower-case letters, digits and `-`, and begin and end with a letter or \
             digit"
        )
    })
}

/// Checks a DNS subdomain. A part of it may be longer than 63 characters, because the server limits only the total length.
fn subdomain(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("must not be empty".to_owned());
    }
    if text.len() > 253 {
        return Some(format!("must be at most 253 characters long, is {}", text.chars().count()));
    }
    (!text.split('.').all(is_label)).then(|| {
        let text = words::quote(text);
        format!(
            "{text} is not a valid name: write lower-case letters, digits, `-` and `.`, and begin and end each part \
             with a letter or digit"
        )
    })
}

/// Checks the key of a label or an annotation: a name, optionally after a domain and `/`.
pub(crate) fn qualified_name(text: &str) -> Option<String> {
    let (prefix, name) = match text.rsplit_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if name.len() > 63 {
        return Some(format!("the name of a key must be at most 63 characters long, is {}", name.chars().count()));
    }
    let valid = is_word(name) && prefix.is_none_or(|prefix| subdomain(prefix).is_none());
    (!valid).then(|| {
        let text = words::quote(text);
        format!(
            "{text} is not a valid key: write `name` or `example.com/name`, with letters, digits, `-`, `_` and `.`, and \
             begin and end each part with a letter or digit; the domain is in lower case"
        )
    })
}

/// Checks the value of a label.
pub(crate) fn label_value(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some(format!("the value of a label must be at most 63 characters long, is {}", text.chars().count()));
    }
    (!text.is_empty() && !is_word(text)).then(|| {
        let text = words::quote(text);
        format!(
            "{text} is not a valid value of a label: write letters, digits, `-`, `_` and `.`, and begin and end with \
             a letter or digit"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_rfc_1123() {
        for name in ["a", "1", "a-b", "a.b", "a.1"] {
            assert_eq!(subdomain(name), None, "{name}");
        }
        for name in ["", "A", "-a", "a-", "a..b", "a_b", "a.", "ä"] {
            assert!(subdomain(name).is_some(), "{name}");
        }
        assert_eq!(subdomain(&"a".repeat(253)), None);
        assert!(subdomain(&"a".repeat(254)).is_some());
        assert_eq!(label(&"a".repeat(63)), None);
        assert!(label(&"a".repeat(64)).is_some());
        assert!(label("a.b").is_some());
    }

    #[test]
    fn keys_have_at_most_one_domain() {
        for key in ["a", "A_b.c", "example.com/a", "1/2"] {
            assert_eq!(qualified_name(key), None, "{key}");
        }
        for key in ["", "/a", "a/", "a/b/c", "A.com/b", "a b", "_a", &"a".repeat(64)] {
            assert!(qualified_name(key).is_some(), "{key}");
        }
    }

    #[test]
    fn a_label_may_be_empty_but_not_strange() {
        assert_eq!(label_value(""), None);
        assert_eq!(label_value("A.b_c-1"), None);
        assert!(label_value("a b").is_some());
        assert!(label_value(&"a".repeat(64)).is_some());
    }

    #[test]
    fn annotations_have_a_limit_for_all_together() {
        let check = |size: usize| {
            let metadata = serde_json::json!({"annotations": {"a": "x".repeat(size), "B": "x"}});
            let mut findings = Findings::default();
            check(&metadata, &mut findings);
            findings.collected.finish().0.len()
        };
        assert_eq!(check(ANNOTATIONS_LIMIT - 3), 0);
        assert_eq!(check(ANNOTATIONS_LIMIT - 2), 1);
    }
}
