//! Checks for text that becomes part of one line of a configuration file, whatever the format. A line break or another control
//! character would end the line for one of its readers, and the rest of the text would be read as another setting.

use std::fmt::Write;

/// Checks a text that becomes part of one line. A tab is allowed, because the formats treat it as white space.
///
/// # Errors
/// The error names the character and says what to do, in words that follow the name of the field.
pub fn check(text: &str) -> Result<(), String> {
    match text.chars().find(|character| *character != '\t' && is_control(*character)) {
        None => Ok(()),
        Some(found) if is_line_break(found) => {
            Err(format!("the line break {} would end the setting: write the value in one line", code_point(found)))
        }
        Some(found) => {
            Err(format!("the control character {} is not allowed in a setting: remove it", code_point(found)))
        }
    }
}

/// Checks a name. Programs compare names exactly, so tabs are not allowed either.
///
/// # Errors
/// The same as for [`check`].
pub fn check_name(name: &str) -> Result<(), String> {
    match name.chars().find(|character| is_control(*character)) {
        None => Ok(()),
        Some(found) if is_line_break(found) => {
            Err(format!("the line break {} is not allowed in a name: remove it", code_point(found)))
        }
        Some(found) => Err(format!("the control character {} is not allowed in a name: remove it", code_point(found))),
    }
}

/// Returns `text` with every character that [`check`] refuses written as an escape, so that it can be shown on one line. So is
/// every character that reorders the text around it, with which a line can look as if it said something else
/// (<https://trojansource.codes>).
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if (is_control(character) && character != '\t') || reorders(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character is one of Unicode's control characters (C0, DEL, C1) or its line or paragraph separator.
pub fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether a character is one of Unicode's controls of the direction of text (UAX #9, `Bidi_Control`).
fn reorders(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character ends a line for any reader: `\n` and `\r`, what C's `isspace` strips at the ends of a value, and what
/// Unicode calls a line break (UAX #14; Python's `str.splitlines`).
fn is_line_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn code_point(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

/// Finds the quote that ends a quoted text and returns its byte offset. `text` begins after the opening quote. Two quotes in a
/// row stand for one quote inside the text.
pub(crate) fn closing(text: &str, quote: char) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(quote)?;
        let after = at + quote.len_utf8();
        if !text[after..].starts_with(quote) {
            return Some(at);
        }
        from = after + quote.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_ends_a_line_is_refused() {
        for character in "\0\x01\x07\x08\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x7f\u{80}\u{85}\u{9f}\u{2028}\u{2029}".chars() {
            let text = format!("a{character}b");
            assert!(check(&text).is_err() && check_name(&text).is_err(), "{text:?}");
        }
        assert_eq!(check("a\tb é ' \" # ; \\ \u{a0} 😀"), Ok(()));
        assert!(check_name("a\tb").is_err());
    }

    #[test]
    fn a_message_shows_the_code_point() {
        let message = "the line break U+2028 would end the setting: write the value in one line";
        assert_eq!(check("a\u{2028}b"), Err(message.to_owned()));
        assert_eq!(shown("a\n\u{2028}\té"), "a\\n\\u{2028}\té");
    }

    #[test]
    fn what_reorders_text_is_shown_as_an_escape() {
        for character in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            let text = format!("a{character}b");
            assert_eq!(shown(&text), format!("a{}b", character.escape_unicode()));
            assert_eq!(check(&text), Ok(()));
        }
    }

    #[test]
    fn two_quotes_do_not_end_a_text() {
        for (text, end) in [
            ("a'", Some(1)),
            ("a''b' c'", Some(4)),
            ("'", Some(0)),
            ("''", None),
            ("'''", Some(2)),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(closing(text, '\''), end, "{text}");
        }
    }

    /// The search must stay linear: it must not read the rest of the text again for each quote.
    #[test]
    fn a_million_quotes_are_read_once() {
        assert_eq!(closing(&"''".repeat(500_000), '\''), None);
    }
}
