//! Reads bytes into documents: YAML and JSON as Go's readers understand them.
//!
//! Users test their manifests with kubectl, so a text must have the same meaning here as there. [`documents`] takes the events
//! of a YAML 1.2 parser and gives scalars the meaning that `sigs.k8s.io/yaml` gives them. A text that kubectl refuses, or that
//! Go's readers read differently, is refused here too. The error has the position and says what to write instead.

mod compose;
pub(crate) mod limits;
mod mapping;
pub mod node;
pub mod object;
pub(crate) mod places;
mod scalar;
mod syntax;
pub(crate) mod template;
pub mod unreplaced;

use limits::MAX_BYTES;
use node::Node;
use places::Places;

use crate::diagnostic::{Diagnostic, Location, Position};

/// One document of an input.
#[derive(Clone, Debug)]
pub struct Document {
    /// The name of the file as the user gave it, or `<stdin>`.
    pub file: String,
    /// Its content.
    pub node: Node,
}

impl Document {
    /// Returns `diagnostic` with the position of its field in this document. A diagnostic that already has a position keeps it.
    pub fn locate(&self, diagnostic: Diagnostic) -> Diagnostic {
        self.locate_with(&mut Places::new(&self.node), diagnostic)
    }

    /// Applies [`Self::locate`] to each of `diagnostics`.
    pub fn locate_all(&self, diagnostics: Vec<Diagnostic>) -> impl Iterator<Item = Diagnostic> {
        let mut places = Places::new(&self.node);
        diagnostics.into_iter().map(move |diagnostic| self.locate_with(&mut places, diagnostic))
    }

    fn locate_with(&self, places: &mut Places, mut diagnostic: Diagnostic) -> Diagnostic {
        if diagnostic.location.is_none() {
            let field = diagnostic.field.as_ref();
            let position = field.map_or(self.node.position, |field| places.locate(field));
            diagnostic.location = Some(Location { file: self.file.clone(), position });
        }
        diagnostic
    }
}

/// Returns the bytes as text.
///
/// # Errors
/// If the bytes are not UTF-8, the error names the byte and the line of the first one that is not.
pub fn text(bytes: Vec<u8>, file: &str) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let valid = String::from_utf8_lossy(&error.as_bytes()[..offset]);
        Diagnostic::error(format!("byte {offset} is not UTF-8; save the file as UTF-8"))
            .located(file, position_after(&valid))
    })
}

/// Reads the documents of a YAML or JSON text, in its order, without the empty ones. `file` is the name of the text in
/// diagnostics.
///
/// # Errors
/// Everything that is wrong with the text, in its order.
pub fn documents(file: &str, text: &str) -> Result<Vec<Document>, Vec<Diagnostic>> {
    check_size(text.len(), file).map_err(|error| vec![error])?;
    if let Some(diagnostic) = forbidden_character(file, text) {
        return Err(vec![diagnostic]);
    }
    let nodes = compose::compose(file, text).map_err(|errors| template::explained(file, text, errors))?;
    Ok(nodes.into_iter().map(|node| Document { file: file.to_owned(), node }).collect())
}

/// Refuses a text of more bytes than are read. Whoever knows the size before can ask before the text is in the memory.
pub(crate) fn check_size(bytes: usize, file: &str) -> Result<(), Diagnostic> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("the text has {bytes} bytes; at most {MAX_BYTES} are read");
    Err(Diagnostic::error(message).located(file, Position { line: 1, column: 1 }))
}

/// Reports the first character that go-yaml does not allow in a text (`readerc.go`), or that it takes for a line break although
/// YAML 1.2 does not. With the latter, the same bytes would be two different documents.
fn forbidden_character(file: &str, text: &str) -> Option<Diagnostic> {
    let (offset, character) = text.char_indices().find(|(_, character)| match character {
        '\t' | '\n' | '\r' => false,
        '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    })?;
    let code = u32::from(character);
    let what = match character {
        '\u{85}' | '\u{2028}' | '\u{2029}' => "a line break to some YAML readers and text to others",
        _ => "a character that YAML does not allow",
    };
    let message = format!("U+{code:04X} is {what}; write `\\u{code:04x}` in double quotes");
    Some(Diagnostic::error(message).located(file, position_after(&text[..offset])))
}

/// The position after `text`.
fn position_after(text: &str) -> Position {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    Position { line: text.matches('\n').count() + 1, column: last_line.chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Vec<Value> {
        documents("c.yaml", text).unwrap().iter().map(|document| document.node.to_json()).collect()
    }

    fn refused(text: &str) -> Vec<String> {
        documents("c.yaml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bytes_that_are_not_utf8_are_placed() {
        assert_eq!(text(b"a: \xc3\xa9\n".to_vec(), "c.yaml").unwrap(), "a: é\n");
        let diagnostic = text(b"a: \xc3\xa9\nb: \xff\n".to_vec(), "c.yaml").unwrap_err();
        assert_eq!(diagnostic.to_string(), "c.yaml:2:4: error: byte 9 is not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn empty_documents_are_skipped() {
        assert_eq!(read(""), [] as [Value; 0]);
        assert_eq!(read("---\n---\n# only a comment\n--- ~\n...\n---\na: 1\n---\n"), [json!({"a": 1})]);
    }

    #[test]
    fn a_text_holds_several_documents() {
        let text = "\u{feff}%YAML 1.2\r\n---\r\na: 1 # one\r\n...\r\n--- {b: 2}\r\n---\r\n- c\r\n";
        assert_eq!(read(text), [json!({"a": 1}), json!({"b": 2}), json!(["c"])]);
    }

    #[test]
    fn json_is_read_whatever_its_layout() {
        let text = "{\n\t\"a\": [1, 2.5, true, null],\n\t\"b\": \"\\/\\ud83d\\ude00\\u00e9\"\n}\n";
        assert_eq!(read(text), [json!({"a": [1, 2.5, true, null], "b": "/😀é"})]);
    }

    #[test]
    fn characters_that_go_does_not_let_in_are_refused() {
        assert_eq!(
            refused("a: 1\n# é\u{7}\n"),
            ["c.yaml:2:4: error: U+0007 is a character that YAML does not allow; write `\\u0007` in double quotes"]
        );
        assert!(refused("a: x\u{2028}b: y\n")[0].contains("U+2028 is a line break to some YAML readers"));
        assert_eq!(read("a: \"x\\u2028\\u0007\"\n"), [json!({"a": "x\u{2028}\u{7}"})]);
    }

    #[test]
    fn a_text_over_the_limit_is_refused() {
        let text = "#".repeat(MAX_BYTES + 1);
        assert_eq!(refused(&text), ["c.yaml:1:1: error: the text has 67108865 bytes; at most 67108864 are read"]);
    }

    #[test]
    fn every_broken_document_is_reported() {
        let errors = refused("a: [1\n---\nb: 2\n---\nc: 'x\n---\nd: 1\nd: 2\n");
        assert_eq!(
            errors,
            [
                "c.yaml:1:4: error: this `[` is not closed; add the missing `]`",
                "c.yaml:5:4: error: this quoted text has no closing quote; add it",
                "c.yaml:8:1: error: the key `d` is here and on line 7, column 1; keep only one",
            ]
        );
    }
}
