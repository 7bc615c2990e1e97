//! Which lines may be shown of a file that is not YAML, so that nothing is known about its fields: those of a document about
//! a resource that pgrender renders, if no key in the line and in those that enclose it can be a secret.

use std::sync::LazyLock;

use regex::Regex;

use crate::diagnostic::words;
use crate::render;

/// A key.
static KEY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:^|[\s\[{,"'-])([\w./-]+)["']?\s*:"#).expect("constant"));

/// The kind of an object with secrets, `Secret`, `SecretList` or `SealedSecret`, or one of its fields.
static SECRET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?i)kind["']?\s*:\s*["']?\w*secret|stringData"#).expect("constant"));

/// How many lines are searched for those that enclose a line. If there are more, the line is not shown.
const FAR: usize = 10_000;

/// A file that is not YAML.
pub(super) struct Broken<'a> {
    text: &'a str,
    /// The byte offset at which each line begins.
    lines: &'a [usize],
    /// The first line of each document, and whether its lines may be shown.
    documents: Vec<(usize, bool)>,
}

impl<'a> Broken<'a> {
    /// Finds the documents of a text. `lines` are the byte offsets at which its lines begin.
    pub(super) fn new(text: &'a str, lines: &'a [usize]) -> Self {
        let begins = |number: &usize| text[lines[*number]..].starts_with("---");
        let first: Vec<usize> = [0].into_iter().chain((1..lines.len()).filter(begins)).collect();
        let end = |position: usize| first.get(position + 1).map_or(text.len(), |next| lines[*next]);
        let documents = first.iter().enumerate().map(|(position, number)| {
            let document = &text[lines[*number]..end(position)];
            (*number, render::mentions_kind(document) && !SECRET.is_match(document))
        });
        Self { text, lines, documents: documents.collect() }
    }

    /// Whether a line may contain a secret. Lines are counted from 0.
    pub(super) fn may_be_secret(&self, number: usize) -> bool {
        let document = self.documents.partition_point(|(first, _)| *first <= number).checked_sub(1);
        let Some((first, true)) = document.map(|position| self.documents[position]) else { return true };
        let has_secret_key = |line: &str| {
            KEY.captures_iter(line).any(|key| words::is_secret_key(&key[1]) || words::is_of_programs(&key[1]))
        };
        let line = self.line(number);
        if has_secret_key(line) {
            return true;
        }
        let mut indentation = indentation(line);
        for (distance, above) in (first..number).rev().enumerate() {
            let above = self.line(above);
            if indentation == 0 {
                return false;
            }
            if distance > FAR {
                return true;
            }
            if !above.trim().is_empty() && self::indentation(above) < indentation {
                indentation = self::indentation(above);
                if has_secret_key(above) {
                    return true;
                }
            }
        }
        false
    }

    fn line(&self, number: usize) -> &'a str {
        &self.text[self.lines[number]..self.lines.get(number + 1).copied().unwrap_or(self.text.len())]
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
