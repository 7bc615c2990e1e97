//! Explains syntax errors in words that someone who edits manifests understands.

use granit_parser::ErrorKind;

use crate::read::limits::MAX_DEPTH;

/// Returns the message for an error of the parser: what is wrong and what to write instead. Of the input, it repeats only
/// single punctuation marks, because any value may be a secret.
pub(super) fn explain(error: &ErrorKind) -> String {
    match error {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed => {
            "YAML does not allow tabs for indentation; use spaces".to_owned()
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "this quoted text has no closing quote; add it".to_owned()
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            "there is text after the closing quote; write `''` for a quote inside single quotes".to_owned()
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "there is text after the closing quote; write `\\\"` for a quote inside double quotes".to_owned()
        }
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => {
            "unknown escape in double quotes; write `\\\\` for a backslash, or use single quotes".to_owned()
        }
        ErrorKind::InvalidQuotedScalarIndent => {
            "a quoted text continues in a line that is not indented; indent the line, or close the quote".to_owned()
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            let close = if *open == '[' { ']' } else { '}' };
            format!("this `{open}` is not closed; add the missing `{close}`")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            format!("this `{open}` is closed by `{close}`; use the same kind of bracket")
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            "this closing bracket has no opening bracket; remove it, or quote a text that begins with it".to_owned()
        }
        ErrorKind::ExpectedFlowMappingSeparator => "expected `,` or `}` here".to_owned(),
        ErrorKind::ExpectedFlowSequenceSeparator => "expected `,` or `]` here".to_owned(),
        ErrorKind::MappingValueNotAllowed => {
            "`key: value` is not allowed here; check the indentation, and quote a value that contains a colon"
                .to_owned()
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "expected `key: value` here; a colon is missing or the indentation is wrong".to_owned()
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
            "the indentation of this line does not match any line above; align it with the keys that it belongs to"
                .to_owned()
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            "a list cannot begin here; write `-` on a separate line, or quote a text that begins with it".to_owned()
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            "expected another `- ` here; check the indentation of this line".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character: '\t' } => "a tab is not allowed here; use spaces".to_owned(),
        ErrorKind::UnexpectedCharacter { character } => {
            format!("a value cannot begin with `{character}`; write the text in quotes")
        }
        ErrorKind::ExpectedDocumentStart => {
            "this line is after the end of the document; indent the line, or begin another document with `---`"
                .to_owned()
        }
        ErrorKind::RecursionLimitExceeded => too_deep(),
        ErrorKind::UndeclaredTagHandle => {
            "no `%TAG` directive declares the prefix of this tag; quote a text that begins with `!`".to_owned()
        }
        // The parser's own messages are clear enough for the rest.
        other => other.to_string(),
    }
}

/// The message for nested collections that exceed the limit.
pub(super) fn too_deep() -> String {
    format!("more than {MAX_DEPTH} nested lists and mappings")
}

#[cfg(test)]
mod tests {
    use crate::read::documents;

    fn refused(text: &str) -> String {
        let errors = documents("c.yaml", text).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].to_string()
    }

    #[test]
    fn broken_texts_are_explained_at_their_place() {
        for (text, place, words) in [
            ("a:\n\t- b\n", "2:2", "does not allow tabs for indentation"),
            ("a: b: c\n", "1:5", "`key: value` is not allowed here"),
            ("a: 1\n b: 2\n", "2:3", "check the indentation"),
            ("a: 1\nb\nc: 2\n", "2:1", "a colon is missing"),
            ("a:\n    b: 1\n  c: 2\n", "3:3", "the indentation of this line does not match"),
            ("é: \"x\n", "1:4", "this quoted text has no closing quote"),
            ("a: {b: 1\n", "1:4", "add the missing `}`"),
            ("a: [b}\n", "1:4", "this `[` is closed by `}`"),
            ("a: ]\n", "1:4", "has no opening bracket"),
            ("a: @b\n", "1:4", "a value cannot begin with `@`"),
            ("a: 'it's'\n", "1:8", "write `''`"),
            ("a: \"C:\\Users\"\n", "1:4", "write `\\\\` for a backslash"),
            ("a: - b\n", "1:4", "a list cannot begin here"),
            ("- a\nb: c\n", "2:1", "expected another `- `"),
            ("[a]\nb\n", "2:1", "begin another document with `---`"),
            ("a: !x!y z\n", "1:4", "no `%TAG` directive declares"),
        ] {
            let message = refused(text);
            assert!(message.starts_with(&format!("c.yaml:{place}: error: ")), "{text:?}: {message}");
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }
}
