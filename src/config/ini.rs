//! Files with sections and `name = value` lines, in the format of pgBackRest and pgBouncer.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::HEADER;

/// The options of one section, sorted by name.
pub(super) type Options = BTreeMap<String, String>;

/// Returns a file: the header, then each section after an empty line, in the given order.
pub(super) fn file(sections: &[(&str, &Options)]) -> String {
    let mut text = HEADER.to_owned();
    for (name, options) in sections {
        text.push_str(&section(name, &lines(options)));
    }
    text
}

/// Returns a section: an empty line, the name in brackets, the body.
pub(super) fn section(name: &str, body: &str) -> String {
    format!("\n[{name}]\n{body}")
}

/// Returns one line per option. For an empty value, the line does not end in a space.
pub(super) fn lines(options: &Options) -> String {
    let mut text = String::new();
    for (name, value) in options {
        let separator = if value.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} ={separator}{value}");
    }
    text
}

/// Creates options from pairs.
pub(super) fn options<const N: usize>(pairs: [(&str, &str); N]) -> Options {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
