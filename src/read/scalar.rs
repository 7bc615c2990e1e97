//! Resolves the text of a scalar to a value, with the rules of go-yaml 2 as `sigs.k8s.io/yaml` vendors it
//! (`goyaml.v2/resolve.go`), followed by the conversion through JSON into an unstructured object.
//!
//! Go reads YAML 1.1 booleans, octal numbers with a leading zero and underscores in numbers. It does not read sexagesimal
//! numbers, and a date stays text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::Tag;
use serde_json::Number;

use crate::read::node::NodeValue;

/// The namespace of the tags that YAML defines; `!!` is its shorthand.
const YAML_NAMESPACE: &str = "tag:yaml.org,2002:";

/// The type of a plain scalar, with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Null,
    Bool(bool),
    /// Go reads an `int64` or a `uint64`.
    Integer(i128),
    Float(f64),
    Text,
}

/// Returns the value of a scalar with this text. `plain` says that it was written without quotes and not in a block; `tag` is
/// its tag. The error is a message that does not repeat the text, because the text may be a secret.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<NodeValue, String> {
    let Some(tag) = tag else {
        return if plain { of_kind(kind(text), text) } else { Ok(string(text, false)) };
    };
    let name = tag.suffix_in_namespace(YAML_NAMESPACE);
    let kind = kind(text);
    match (name.as_deref(), kind) {
        (Some("null"), Kind::Null) | (Some("bool"), Kind::Bool(_)) | (Some("int"), Kind::Integer(_)) => {
            of_kind(kind, text)
        }
        (Some("float"), Kind::Integer(_) | Kind::Float(_)) => of_kind(kind, text),
        (Some(name @ ("null" | "bool" | "int" | "float")), _) => {
            Err(format!("this value does not match its tag `!!{name}`; remove the tag, or write a value of this type"))
        }
        (Some("binary"), _) => binary(text),
        // A plain `<<` is always the merge key, and the tag `!!merge` only repeats that.
        (Some("merge"), _) => Ok(string(text, true)),
        // `!!str`, the tag of a date, and any tag that Go does not know leave the text unchanged.
        _ => Ok(string(text, false)),
    }
}

/// Returns the key for a scalar value, as `sigs.k8s.io/yaml` writes it into JSON, or `None` if the value cannot be a key.
pub(super) fn key(value: &NodeValue) -> Option<String> {
    match value {
        NodeValue::String { value, .. } => Some(value.clone()),
        NodeValue::Bool { value, .. } => Some(value.to_string()),
        NodeValue::Number { plain, .. } => match kind(plain) {
            Kind::Integer(integer) => i64::try_from(integer).ok().map(|integer| integer.to_string()),
            Kind::Float(float) => float_key(float),
            _ => None,
        },
        NodeValue::Null | NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
    }
}

fn kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Kind::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Kind::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Kind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Kind::Float(f64::NEG_INFINITY),
        _ => number(text),
    }
}

fn number(text: &str) -> Kind {
    // If the text begins with a digit or a sign, Go removes every underscore. After a leading dot, each underscore must be
    // between two digits.
    let underscores_fit = match text.as_bytes() {
        [b'0'..=b'9' | b'+' | b'-', ..] => true,
        [b'.', ..] => text.split('_').collect::<Vec<_>>().windows(2).all(|parts| {
            parts[0].ends_with(|last: char| last.is_ascii_digit())
                && parts[1].starts_with(|first: char| first.is_ascii_digit())
        }),
        _ => false,
    };
    if !underscores_fit {
        return Kind::Text;
    }
    let digits = text.replace('_', "");
    match (integer(&digits), float(&digits)) {
        (Some(integer), _) => Kind::Integer(integer),
        (None, Some(float)) => Kind::Float(float),
        (None, None) => Kind::Text,
    }
}

/// Parses an integer as Go's `ParseInt` and `ParseUint` do with base 0, where the prefix gives the base.
fn integer(text: &str) -> Option<i128> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = sign * i128::from_str_radix(digits, base).ok()?;
    // `ParseUint` does not accept a sign.
    let max = if unsigned.len() == text.len() { i128::from(u64::MAX) } else { i128::from(i64::MAX) };
    (i128::from(i64::MIN)..=max).contains(&value).then_some(value)
}

/// Parses a decimal number. Rust's grammar is the same as go-yaml's, except for the words `inf` and `nan`.
fn float(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if numeric { text.parse().ok().filter(|value: &f64| value.is_finite()) } else { None }
}

fn of_kind(kind: Kind, text: &str) -> Result<NodeValue, String> {
    let plain = text.to_owned();
    // Go writes a number as JSON and reads it again: as `int64` if possible, else as `float64`.
    let printed = match kind {
        Kind::Null => return Ok(NodeValue::Null),
        Kind::Bool(value) => return Ok(NodeValue::Bool { value, plain }),
        Kind::Text => return Ok(string(text, true)),
        Kind::Integer(integer) => integer.to_string(),
        Kind::Float(float) => float.to_string(),
    };
    let number = match printed.parse::<i64>() {
        Ok(integer) => Some(Number::from(integer)),
        Err(_) => printed.parse().ok().and_then(Number::from_f64),
    };
    let value = number.ok_or("Kubernetes does not support infinite numbers and NaN; write a string in quotes")?;
    Ok(NodeValue::Number { value, plain })
}

fn string(text: &str, plain: bool) -> NodeValue {
    NodeValue::String { value: text.to_owned(), plain }
}

/// Resolves `!!binary`. Where the decoded bytes are not UTF-8, Go would silently replace them with U+FFFD, so that is an error
/// here.
fn binary(text: &str) -> Result<NodeValue, String> {
    let encoded: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    let bytes = STANDARD.decode(encoded).map_err(|_| "the value of `!!binary` is not base64")?;
    let value = String::from_utf8(bytes).map_err(
        |_| "the bytes of `!!binary` are not UTF-8; Kubernetes stores binary data in `data` or `binaryData`",
    )?;
    Ok(NodeValue::String { value, plain: false })
}

/// Formats like Go's `strconv.FormatFloat(value, 'g', -1, 32)`: the shortest digits, with an exponent for values from a million
/// and for values below a ten-thousandth. Returns `None` if the value is infinite in single precision.
#[expect(clippy::cast_possible_truncation, reason = "sigs.k8s.io/yaml writes float keys in single precision")]
fn float_key(value: f64) -> Option<String> {
    let value = value as f32;
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if (-4..6).contains(&exponent) {
        return Some(value.to_string());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{mantissa}e{sign}{:02}", exponent.abs()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plain(text: &str) -> Value {
        match resolve(text, true, None).unwrap() {
            NodeValue::Null => Value::Null,
            NodeValue::Bool { value, .. } => json!(value),
            NodeValue::Number { value, .. } => Value::Number(value),
            NodeValue::String { value, .. } => json!(value),
            NodeValue::Sequence(_) | NodeValue::Mapping(_) => unreachable!(),
        }
    }

    fn tagged(tag: &str, text: &str) -> Result<NodeValue, String> {
        resolve(text, true, Some(&Tag::new(YAML_NAMESPACE, tag)))
    }

    fn key_of(text: &str) -> Option<String> {
        key(&resolve(text, true, None).unwrap())
    }

    #[test]
    fn integers_take_their_base_from_the_prefix() {
        for (text, value) in [
            ("0644", 420),
            ("0o644", 420),
            ("0x1F", 31),
            ("0X1f", 31),
            ("0b101", 5),
            ("-0b11", -3),
            ("1_000", 1000),
            ("0x_1", 1),
            ("08", 8),
            ("0888", 888),
            ("+1", 1),
            ("-0", 0),
            ("1e3", 1000),
            ("16.0", 16),
        ] {
            assert_eq!(plain(text), json!(value), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_text() {
        for text in
            ["0x", "0o8", "0b2", "0x-1", "_1", "1:30", "1,000", "1e400", "e3", "123e", "10Gi", "2001-12-14", "inf"]
        {
            assert_eq!(plain(text), json!(text));
        }
        for text in ["0x10000000000000000", "+0xffffffffffffffff"] {
            assert_eq!(plain(text), json!(text));
        }
        for text in ["+", ".", "._1", ".1_", ".1__0", "0x1.8p3"] {
            assert_eq!(plain(text), json!(text));
        }
    }

    #[test]
    fn floats_are_decimal() {
        for (text, value) in [(".5", 0.5), ("1_0.5_0", 10.5), (".1_0", 0.1), ("-.5_0", -0.5), ("1.10", 1.1)] {
            assert_eq!(plain(text), json!(value), "{text}");
        }
        assert_eq!(plain("18446744073709551615"), json!(18_446_744_073_709_551_615_f64));
        assert_eq!(plain("1e21"), json!(1e21));
    }

    #[test]
    fn an_infinite_number_is_refused() {
        for text in [".inf", "-.INF", ".NaN"] {
            assert!(resolve(text, true, None).unwrap_err().contains("write a string in quotes"), "{text}");
        }
    }

    #[test]
    fn quotes_make_text() {
        let expected = NodeValue::String { value: "yes".to_owned(), plain: false };
        assert_eq!(resolve("yes", false, None), Ok(expected));
    }

    #[test]
    fn tags_say_what_a_text_is() {
        assert_eq!(tagged("str", "3"), Ok(string("3", false)));
        assert_eq!(tagged("binary", "aGk=\n"), Ok(string("hi", false)));
        assert_eq!(resolve("3", true, Some(&Tag::new("!", "foo"))), Ok(string("3", false)));
        let three = NodeValue::Number { value: 3.into(), plain: "3".to_owned() };
        assert_eq!(resolve("3", false, Some(&Tag::new(YAML_NAMESPACE, "int"))), Ok(three.clone()));
        assert_eq!(tagged("float", "3"), Ok(three));
        assert!(tagged("int", "hunter2").is_err_and(|message| !message.contains("hunter2")));
        assert!(tagged("int", "1.0").is_err());
        assert!(tagged("binary", "/w==").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn keys_are_written_as_go_writes_them() {
        for (text, key) in [
            ("1", "1"),
            ("0x10", "16"),
            ("on", "true"),
            ("1.10", "1.1"),
            ("1e6", "1e+06"),
            ("100000.0", "100000"),
            ("16777217.0", "1.6777216e+07"),
            ("1e-7", "1e-07"),
            ("a", "a"),
        ] {
            assert_eq!(key_of(text).as_deref(), Some(key), "{text}");
        }
        assert_eq!(key_of("~"), None);
        assert_eq!(key_of("18446744073709551615"), None);
        assert_eq!(key_of("1e39"), None);
    }
}
