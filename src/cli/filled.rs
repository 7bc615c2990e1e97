//! Breaks lines of text for people.

use textwrap::{Options, WordSplitter, fill};

/// Breaks `text` into lines of at most `width` columns, the first of which begins with `first` and the others with `next`. Words
/// stay whole, because they are names and paths.
pub(super) fn filled(text: &str, width: usize, first: &str, next: &str) -> String {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(next)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    fill(text, options)
}
