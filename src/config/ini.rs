//! Files of sections and `name = value` lines, as pgBackRest and pgBouncer read them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::HEADER;

/// The options of one section, sorted by name.
pub(super) type Options = BTreeMap<String, String>;

/// A file: the header, then each section after an empty line, in the order given.
pub(super) fn file(sections: &[(&str, &Options)]) -> String {
    let mut text = HEADER.to_owned();
    for (name, options) in sections {
        text.push_str(&section(name, &lines(options)));
    }
    text
}

/// An empty line, the name in brackets, the body.
pub(super) fn section(name: &str, body: &str) -> String {
    format!("\n[{name}]\n{body}")
}

/// One line per option; an empty value leaves no space at the end of its line.
pub(super) fn lines(options: &Options) -> String {
    let mut text = String::new();
    for (name, value) in options {
        let separator = if value.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} ={separator}{value}");
    }
    text
}

/// Options from pairs.
pub(super) fn options<const N: usize>(pairs: [(&str, &str); N]) -> Options {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
