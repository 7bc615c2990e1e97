//! Writes JSON values as block YAML that every reader reads back exactly: Go's (kubectl, kustomize, kpt), PyYAML, and
//! pgrender's.
//!
//! The writer uses few forms. A text is plain only if no YAML 1.1 or 1.2 reader can take it for another type. A text of several
//! lines is a literal block only if kyaml would write that block the same way. Every other text is in double quotes with the
//! escapes of go-yaml's own emitter. So a manifest that kpt reads and writes again does not change.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// The indentation of a mapping below its key, and of a literal block below its key or dash.
const STEP: usize = 2;

/// The longest key, in bytes, that is written before its colon; a longer one is written after a `?`. This is the limit of
/// go-yaml's own emitter. YAML does not allow more than 1024 characters.
const LONGEST_SIMPLE_KEY: usize = 128;

/// The characters that end a line in YAML 1.1. go-yaml also writes a key with one of them after a `?`.
const LINE_BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// Words, in lower case, that a YAML 1.1 or 1.2 reader takes for a boolean, null or a number.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];

/// Returns `value` as one document, without `---`, that ends in a newline. Keys keep their order.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

/// Appends `value` as lines that begin with `indent` spaces, for a position below a key: write `items:` and a newline before
/// it. A list may have the indentation of its key.
pub fn write(out: &mut String, value: &Value, indent: usize) {
    pad(out, indent);
    block(out, value, indent);
}

/// Writes `value` after the first `indent` columns of a line, including the last newline.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(entries) if !entries.is_empty() => mapping(out, entries, indent),
        Value::Array(items) if !items.is_empty() => sequence(out, items, indent),
        _ => {
            inline(out, value, indent);
            out.push('\n');
        }
    }
}

fn mapping(out: &mut String, entries: &Map<String, Value>, indent: usize) {
    for (position, (key, value)) in entries.iter().enumerate() {
        if position > 0 {
            pad(out, indent);
        }
        if key.len() > LONGEST_SIMPLE_KEY || key.contains(LINE_BREAKS) {
            out.push_str("? ");
            quoted(out, key);
            out.push('\n');
            pad(out, indent);
            behind_mark(out, ": ", value, indent);
            continue;
        }
        if is_plain_key(key) {
            out.push_str(key);
        } else {
            quoted(out, key);
        }
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                write(out, value, indent + STEP);
            }
            // Like kubectl and kyaml, the writer does not indent a list below its key.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write(out, value, indent);
            }
            _ => {
                out.push(' ');
                block(out, value, indent);
            }
        }
    }
}

fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            pad(out, indent);
        }
        behind_mark(out, "- ", item, indent);
    }
}

/// Writes a mark of two characters (`- `, `? ` or `: `) at `indent`, and a value that begins on the same line.
fn behind_mark(out: &mut String, mark: &str, value: &Value, indent: usize) {
    out.push_str(mark);
    match value {
        Value::Object(_) | Value::Array(_) => block(out, value, indent + STEP),
        _ => block(out, value, indent),
    }
}

/// Writes a scalar or an empty collection on the current line. `indent` is that of the key or dash before it.
fn inline(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => number(out, value),
        Value::String(text) if is_literal(text) => literal(out, text, indent + STEP),
        Value::String(text) if is_plain(text) => out.push_str(text),
        Value::String(text) => quoted(out, text),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

fn pad(out: &mut String, indent: usize) {
    const BLANKS: &str = "                                ";
    let mut left = indent;
    while left > 0 {
        let some = left.min(BLANKS.len());
        out.push_str(&BLANKS[..some]);
        left -= some;
    }
}

/// Writes a number. YAML 1.1 reads a number with an exponent as a float only if it has a dot and its exponent a sign:
/// `1.0e+21`.
fn number(out: &mut String, number: &Number) {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else {
        out.push_str(&text);
        return;
    };
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    out.extend([mantissa, fraction, "e", sign, exponent]);
}

/// Whether a text can be written without quotes as a value. A text that begins with a letter or `/` is not a number or a date.
fn is_plain(text: &str) -> bool {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || " _-./@:=+,;()$%~^".contains(character);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(is_safe)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !is_word(text)
}

/// Whether a text can be written without quotes as a key.
fn is_plain_key(key: &str) -> bool {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    key.starts_with(|first: char| first.is_ascii_alphabetic()) && key.chars().all(is_safe) && !is_word(key)
}

fn is_word(text: &str) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a text can be a literal block. kustomize and kpt fail on a block that begins with a tab, and a block that begins
/// with a space needs an indentation indicator. If a line ends in a space, or if the text contains a character that kyaml
/// escapes, kyaml writes the text in quotes. Most texts are ASCII and need no decoding.
fn is_literal(text: &str) -> bool {
    let is_ascii = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    let stands_in_block = |character: char| matches!(character, '\n' | '\t') || is_printable(character);
    text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && !text.split('\n').any(|line| line.ends_with([' ', '\t']))
        && (text.bytes().all(is_ascii) || text.chars().all(stands_in_block))
}

/// Whether go-yaml writes a character unescaped (`is_printable` and `is_break` in `yamlprivateh.go`). It escapes control
/// characters, line breaks, the byte order mark and every character beyond the basic multilingual plane.
fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{fffd}') && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Writes a text as a literal block: the indicator, then the indented lines. The indicator is `-` if the text does not end in a
/// newline, and `+` if it ends in more than one.
fn literal(out: &mut String, text: &str, indent: usize) {
    let lines = text.trim_end_matches('\n');
    out.push_str(match text.len() - lines.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
}

/// Writes a text in double quotes on one line, escaped as by go-yaml. JSON's escapes cannot be used: Go refuses its `\/` and
/// its surrogate pairs.
fn quoted(out: &mut String, text: &str) {
    let is_escaped = |character: char| matches!(character, '"' | '\\') || !is_printable(character);
    out.push('"');
    for piece in text.split_inclusive(is_escaped) {
        let last = piece.chars().next_back().filter(|last| is_escaped(*last));
        out.push_str(&piece[..piece.len() - last.map_or(0, char::len_utf8)]);
        if let Some(character) = last {
            escaped(out, character);
        }
    }
    out.push('"');
}

fn escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\0' => out.push_str("\\0"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\u{1b}' => out.push_str("\\e"),
        '\u{85}' => out.push_str("\\N"),
        '\u{2028}' => out.push_str("\\L"),
        '\u{2029}' => out.push_str("\\P"),
        other => {
            let code = u32::from(other);
            // Writing to a string cannot fail.
            let _ = match code {
                0..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns what is written after `k: ` for a value.
    fn value(value: &Value) -> String {
        to_string(&json!({ "k": value })).strip_prefix("k: ").unwrap().trim_end().to_owned()
    }

    /// Returns how a key is written.
    fn key(key: &str) -> String {
        to_string(&json!({ key: 1 })).strip_suffix(": 1\n").unwrap().to_owned()
    }

    #[test]
    fn lists_stand_at_the_indentation_of_their_key() {
        let value = json!({
            "b": {"c": [1, {"d": true, "e": [{"f": "g"}, []]}, [2, [3]], {}]},
            "a": null,
        });
        let expected = "\
b:
  c:
  - 1
  - d: true
    e:
    - f: g
    - []
  - - 2
    - - 3
  - {}
a: null
";
        assert_eq!(to_string(&value), expected);
    }

    #[test]
    fn a_value_can_be_written_below_a_key() {
        let mut out = "items:\n".to_owned();
        write(&mut out, &json!([{"a": "b\nc\n", "d": 1}]), 2);
        assert_eq!(out, "items:\n  - a: |\n      b\n      c\n    d: 1\n");
    }

    #[test]
    fn a_document_can_be_a_scalar() {
        assert_eq!(to_string(&json!("a\n---\n")), "|\n  a\n  ---\n");
        assert_eq!(to_string(&json!({})), "{}\n");
        assert_eq!(to_string(&json!(null)), "null\n");
    }

    #[test]
    fn plain_text_is_what_nobody_mistakes() {
        for text in [
            "postgres",
            "/pgdata/pg17",
            "a b",
            "registry.example.com:5000/a/b:1",
            "host=/tmp",
            "v1.2",
            "a:b",
            "None",
            "Infinit",
        ] {
            assert_eq!(value(&json!(text)), text);
        }
        for text in [
            "",
            " a",
            "a ",
            "a:",
            "a: b",
            "a #b",
            "1",
            "-1",
            "0x1F",
            "2001-01-01",
            "1:30",
            "yes",
            "No",
            "ON",
            "y",
            "null",
            "~",
            ".inf",
            "NaN",
            "=",
            "<<",
            "- a",
            "*a",
            "é",
            "{a}",
            "[a]",
            "a{",
            "`a`",
            "@a",
            "#a",
            "!a",
            "%a",
            "$(A)",
            "a\u{a0}",
        ] {
            assert_eq!(value(&json!(text)), format!("\"{text}\""));
        }
    }

    #[test]
    fn keys_are_quoted_unless_they_are_names() {
        for name in ["app.kubernetes.io/name", "tls.crt", "a_b", "A-1"] {
            assert_eq!(key(name), name);
        }
        for name in ["", "1", "y", "on", "~", "null", "<<", ".bashrc", "_a", "a b", "a:b", "é"] {
            assert_eq!(key(name), format!("\"{name}\""));
        }
    }

    #[test]
    fn keys_that_are_not_simple_stand_behind_a_question_mark() {
        let long = "a".repeat(129);
        let value = json!({"b": {&long: {"c": 1, "d": 2}}, "e\nf": ["g\nh"], "\r": "i"});
        let expected =
            format!("b:\n  ? \"{long}\"\n  : c: 1\n    d: 2\n? \"e\\nf\"\n: - |-\n    g\n    h\n? \"\\r\"\n: i\n");
        assert_eq!(to_string(&value), expected);
    }

    #[test]
    fn lines_stand_in_a_block_that_kyaml_would_write() {
        assert_eq!(value(&json!("a\nb\n")), "|\n  a\n  b");
        assert_eq!(value(&json!("a\n\n  b")), "|-\n  a\n\n    b");
        assert_eq!(to_string(&json!({"k": "a\n\n\n", "l": 1})), "k: |+\n  a\n\n\nl: 1\n");
        for text in ["\n", "\na\n", " a\nb\n", "\ta\nb\n", "a \nb\n", "a\n\t\nb\n", "a\r\nb\r\n", "a\u{2028}\n", "😀\n"]
        {
            assert!(value(&json!(text)).starts_with('"'), "{text:?}");
        }
    }

    #[test]
    fn escapes_are_those_of_go() {
        let text =
            "\0\u{7}\u{8}\t\n\u{b}\u{c}\r\u{1b}\u{1}\"\\/é\u{7f}\u{85}\u{9f}\u{a0}\u{2028}\u{2029}\u{feff}\u{ffff}😀";
        let expected = r#""\0\a\b\t\n\v\f\r\e\x01\"\\/é\x7F\N\x9F\u00a0\L\P\uFEFF\uFFFF\U0001F600""#;
        assert_eq!(value(&json!(text)), expected.replace("\\u00a0", "\u{a0}"));
    }

    #[test]
    fn numbers_are_floats_to_every_reader_if_they_are_floats() {
        for (number, text) in [
            (json!(-5432), "-5432"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1.5), "1.5"),
            (json!(1e21), "1.0e+21"),
            (json!(1.5e300), "1.5e+300"),
            (json!(1.5e-7), "1.5e-7"),
        ] {
            assert_eq!(value(&number), text);
        }
    }
}
