//! Splits options into words as a shell does, without evaluating them.

use crate::diagnostic::line;

/// Returns the words of one item.
///
/// # Errors
/// If a shell would not pass the words on as they are. The message does not contain the text, which could be a secret.
pub(super) fn split(item: &str) -> Result<Vec<String>, String> {
    line::check(item)?;
    if item.contains(['$', '`']) {
        return Err("no shell evaluates the options: write the value itself instead of `$` or a backquote".to_owned());
    }
    if let Some(found) = operator(item) {
        return Err(if found == '#' {
            "a shell reads a word that begins with `#`, and all that follows, as a comment: remove it, or quote the word".to_owned()
        } else {
            format!(
                "`{found}` without quotes is an operator of a shell, but no shell reads the options: remove or quote it"
            )
        });
    }
    shlex::split(item).ok_or_else(|| "has a quote or a backslash that does not end: correct it".to_owned())
}

/// Returns the first character without quotes that ends a command or begins a comment (POSIX, "Shell Command Language", 2.3).
fn operator(item: &str) -> Option<char> {
    let (mut quote, mut begins) = (None, true);
    let mut characters = item.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some('"') | None, '\\') => _ = characters.next(),
            (None, '\'' | '"') => quote = Some(character),
            (None, '#') if begins => return Some(character),
            (None, ';' | '&' | '|' | '<' | '>' | '(' | ')') => return Some(character),
            _ => {}
        }
        begins = quote.is_none() && matches!(character, ' ' | '\t');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        for (item, words) in [
            ("", &[][..]),
            ("a  b\tc", &["a", "b", "c"]),
            ("a#b 'c # d' \"e;f\" g\\;h \\# ''#", &["a#b", "c # d", "e;f", "g;h", "#", "#"]),
            ("''", &[""]),
        ] {
            assert_eq!(split(item).unwrap(), words, "{item}");
        }
    }

    #[test]
    fn what_a_shell_would_interpret_is_refused() {
        for item in ["# a", "a # b", "a #", "a;b", "a & b", "a|b", "a >b", "$(a)", "a`b`", "'a", "a \"b", "a\\", "a\nb"]
        {
            let error = split(item).unwrap_err();
            assert!(!error.contains(item), "{item}: {error}");
        }
    }
}
