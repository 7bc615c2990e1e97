//! Findings for people, in the form that rustc made known: the message, the place, and the line with a mark below the place.

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Message, Origin, Renderer, Snippet};

use super::findings::Findings;
use super::sources::Lines;
use crate::diagnostic::line::{closing, is_control, shown};
use crate::diagnostic::{Diagnostic, Position, Severity, shorten};

/// How wide a line is shown. The renderer cuts longer ones around the place.
const WIDTH: usize = 120;

/// Returns the findings, each followed by an empty line, and the summary.
pub(super) fn write(found: &Findings, lines: &Lines, coloured: bool) -> String {
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let findings: Vec<String> = shorten(found.list.clone())
        .iter()
        .map(|diagnostic| {
            let title = level(diagnostic.severity).primary_title(diagnostic.line());
            format!("{}\n\n", renderer.render(&[title.elements(elements(diagnostic, lines))]))
        })
        .collect();
    findings.concat() + &found.line() + "\n"
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    }
}

/// What is below the message: the place, the line, the field and the object.
fn elements<'a>(diagnostic: &'a Diagnostic, lines: &Lines<'a>) -> Vec<Element<'a>> {
    let mut elements: Vec<Element> = Vec::new();
    if let Some(location) = &diagnostic.location {
        let position = location.position;
        let file = shown(&location.file);
        let line = lines.line(location, diagnostic.field.as_ref());
        elements.push(match line.and_then(|line| snippet(line, position)) {
            Some(snippet) => snippet.path(file).into(),
            None => Origin::path(file).line(position.line).char_column(position.column).into(),
        });
    }
    let named = |name: &'static str, value: String| -> Option<Message<'a>> {
        (!value.is_empty()).then(|| Level::NOTE.with_name(name).message(value))
    };
    let field = diagnostic.field.as_ref().and_then(|field| named("field", field.to_string()));
    let object = diagnostic.resource.as_ref().and_then(|object| named("object", shown(&object.to_string())));
    elements.extend([field, object].into_iter().flatten().map(Element::from));
    elements
}

/// Returns a line with a mark below the word that begins at the position.
fn snippet(line: &str, position: Position) -> Option<Snippet<'static, Annotation<'static>>> {
    // One character for each, so that the columns stay what they are.
    let line: String = line
        .chars()
        .map(|character| if is_control(character) && character != '\t' { '�' } else { character })
        .collect();
    let places = line.char_indices().map(|(offset, _)| offset).chain([line.len()]);
    let start = places.clone().nth(position.column.checked_sub(1)?)?;
    let rest = &line[start..];
    let is_of_word = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '/');
    let length = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => closing(&rest[1..], quote).map_or(1, |end| end + 2),
        // Something is marked even if no word begins there.
        Some(first) => rest.find(|character| !is_of_word(character)).unwrap_or(rest.len()).max(first.len_utf8()),
        None => 0,
    };
    let annotation = AnnotationKind::Primary.span(start..start + length);
    Some(Snippet::source(line).line_start(position.line).annotation(annotation))
}
