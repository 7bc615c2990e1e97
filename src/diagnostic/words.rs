//! Phrases for messages: what was found, how it is quoted, and which field was probably meant.

use crate::diagnostic::{FieldPath, Segment};

/// The message for a required field that is missing.
pub(crate) const REQUIRED: &str = "required field is missing";

/// The message for a field that does not exist.
pub(crate) const UNKNOWN: &str = "unknown field";

/// For how many unknown fields of an object a suggestion is searched. The report shows no more errors than this.
pub(crate) const SUGGESTIONS: usize = 100;

/// How many characters of the user's text a message repeats.
const QUOTED: usize = 60;

/// The longest word, in bytes, that is treated as a misspelling.
const LONGEST: usize = 128;

/// Returns the user's words in backticks, shortened if they are long.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// Returns several words, each in backticks.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// Fields whose items are the options, the arguments and the variables of programs.
const OF_PROGRAMS: [&str; 5] = ["args", "command", "containers", "env", "options"];

/// Whether the value of a field could be a secret: that of an environment variable, an argument of a program,
/// `repo1-cipher-pass`, `ldapbindpasswd`.
pub(crate) fn may_be_secret(path: &FieldPath) -> bool {
    let Some(Segment::Key(key)) = path.0.iter().rev().find(|segment| matches!(segment, Segment::Key(_))) else {
        return false;
    };
    is_secret_key(key) || is_of_programs(key)
}

/// Whether the items of a key are the options, the arguments or the variables of programs.
pub(crate) fn is_of_programs(key: &str) -> bool {
    OF_PROGRAMS.contains(&key)
}

/// Whether the value of a key could be a secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    key == "value" || ["pass", "secret", "key", "token"].iter().any(|word| key.to_lowercase().contains(word))
}

/// The message for a field that does not exist, with a suggestion.
pub(crate) fn unknown_field<'a>(field: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(field, known.iter().copied()) {
        Some(meant) => format!("{UNKNOWN}, did you mean `{meant}`?"),
        None => fields_here(known),
    }
}

/// The message for a field without a suggestion. If the object has few fields, the message lists them.
pub(crate) fn fields_here<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    const FEW: usize = 6;
    let known: Vec<&str> = known.into_iter().take(FEW + 1).collect();
    if (1..=FEW).contains(&known.len()) {
        format!("{UNKNOWN}, expected one of {}", list(known))
    } else {
        UNKNOWN.to_owned()
    }
}

/// Returns the candidate that `word` is probably a misspelling of: at most a third of its letters differ, or only the case
/// differs.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    with_distance(word, candidates).map(|(_, candidate)| candidate)
}

/// Like [`nearest`], but also returns the number of letters that differ.
pub(crate) fn with_distance<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<(usize, &'a str)> {
    // The time to compare two words is the product of their lengths, and no field is longer than this.
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let length = word.chars().count();
    let is_near = |candidate: &&str| {
        let other = candidate.chars().count();
        length.abs_diff(other) <= other.div_ceil(3)
    };
    candidates
        .into_iter()
        .filter(is_near)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_the_field_that_was_meant() {
        let fields = ["replicas", "resources", "priorityClassName", "name"];
        assert_eq!(nearest("replica", fields), Some("replicas"));
        assert_eq!(nearest("Replicas", fields), Some("replicas"));
        assert_eq!(nearest("reosurces", fields), Some("resources"));
        assert_eq!(nearest("priorityClass", fields), Some("priorityClassName"));
        assert_eq!(nearest("storage", fields), None);
    }

    #[test]
    fn few_fields_are_all_named() {
        assert_eq!(unknown_field("zzz", ["a", "b"]), "unknown field, expected one of `a`, `b`");
        assert_eq!(unknown_field("zzz", []), "unknown field");
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(quote("ä"), "`ä`");
        assert_eq!(quote(&"ä".repeat(61)), format!("`{}…`", "ä".repeat(60)));
    }
}
