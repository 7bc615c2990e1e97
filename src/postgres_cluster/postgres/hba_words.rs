//! Splits a line of `pg_hba.conf` or `pg_ident.conf` into fields and words, as Postgres does
//! (`src/backend/libpq/hba.c`, `next_token`).

use std::iter::Peekable;
use std::str::Chars;

use super::hba_rule::MAX_WORD;
use crate::diagnostic::line;

/// The directories of files that the user provides, in every instance: `spec.config.files`, and additional volumes.
const PLACES_OF_FILES: [&str; 2] = ["/etc/postgres/", "/volumes/"];

/// A word. A quoted word has no special meaning.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) quoted: bool,
}

/// Returns the fields of a line up to a comment. Each field is a list of words.
pub(crate) fn fields(text: &str) -> Result<Vec<Vec<Word>>, String> {
    line::check(text)?;
    if text.ends_with('\\') {
        // From 14 on, this is true even in quotes and comments.
        return Err("a backslash at the end would continue this line with the next line: remove it".to_owned());
    }
    let mut fields: Vec<Vec<Word>> = Vec::new();
    let mut rest = text.chars().peekable();
    let mut continues = false;
    loop {
        while rest.next_if(|character| matches!(character, ' ' | '\t' | ',')).is_some() {}
        if matches!(rest.peek(), None | Some('#')) {
            break;
        }
        let (word, comma) = word(&mut rest);
        if word.text.len() > MAX_WORD {
            return Err(format!("a word is too long: write at most {MAX_WORD} bytes"));
        }
        if is_file(&word) {
            check_file(&word.text[1..])?;
        }
        match fields.last_mut() {
            Some(field) if continues => field.push(word),
            _ => fields.push(vec![word]),
        }
        continues = comma;
    }
    // From 16 on, this is true even in quotes.
    if let Some(directive) = first_word(&fields, 0).filter(|word| is_include(word)) {
        return Err(format!("`{directive}` would include another file: write its lines here"));
    }
    Ok(fields)
}

/// Whether the word makes Postgres read a list of words from a file.
pub(crate) fn is_file(word: &Word) -> bool {
    !word.quoted && word.text.len() > 1 && word.text.starts_with('@')
}

fn is_include(word: &str) -> bool {
    ["include", "include_dir", "include_if_exists"].contains(&word)
}

/// Reads one word, and returns it with whether a comma ends it.
fn word(rest: &mut Peekable<Chars>) -> (Word, bool) {
    let mut word = Word { text: String::new(), quoted: rest.peek() == Some(&'"') };
    let (mut in_quotes, mut was_quote) = (false, false);
    while let Some(character) = rest.next_if(|character| in_quotes || !matches!(character, ' ' | '\t' | '#')) {
        if character == ',' && !in_quotes {
            return (word, true);
        }
        if character != '"' || was_quote {
            word.text.push(character);
        }
        // Two quotes inside quotes stand for one.
        was_quote = in_quotes && character == '"' && !was_quote;
        if character == '"' {
            in_quotes = !in_quotes;
        }
    }
    (word, false)
}

/// Checks `@file`, which stands for the words in a file. If the file does not exist, versions before 16 read an empty list, and
/// a rule that rejects then rejects nobody.
fn check_file(file: &str) -> Result<(), String> {
    let brought =
        PLACES_OF_FILES.iter().any(|place| file.starts_with(place)) && !file.split('/').any(|part| part == "..");
    if brought {
        return Ok(());
    }
    Err(format!(
        "Postgres would read `@{file}` from a file that does not exist in the instances: put the name in quotes, or \
         mount the file with `spec.config.files` and write `@/etc/postgres/…`"
    ))
}

pub(crate) fn first_word(fields: &[Vec<Word>], index: usize) -> Option<&str> {
    fields.get(index)?.first().map(|word| word.text.as_str())
}
