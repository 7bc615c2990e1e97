//! Detects templates that were not rendered: `{{ … }}` of Helm, or of a tool with the same syntax. To YAML they are nested
//! mappings, so one template causes a dozen misleading errors, or a value with another meaning.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, FieldPath, Position, Segment};
use crate::read::node::{Node, NodeValue};

/// The message for a template.
pub(crate) const NOT_RENDERED: &str = "`{{ … }}` is a template, for example of Helm, that has not been rendered: \
                                       render it first, for example with `helm template CHART | pgrender render -`";

const OPEN: &str = "{{";

/// Returns the errors of a text with broken syntax. If a template stands above the first error of a document, it is the cause,
/// and the result is one error for the template instead.
pub(super) fn explained(file: &str, text: &str, errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let broken: BTreeSet<usize> =
        errors.iter().filter_map(|error| Some(error.location.as_ref()?.position.line)).collect();
    match before(text, &broken) {
        Some(position) => vec![Diagnostic::error(NOT_RENDERED).located(file, position)],
        None => errors,
    }
}

/// Finds the first template that YAML would read as syntax, in the first document that has one in or above a line of `broken`.
fn before(text: &str, broken: &BTreeSet<usize>) -> Option<Position> {
    let mut first = None;
    // While the lines are inside a block scalar: the indentation of the scalar's key.
    let mut block: Option<usize> = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if line.starts_with("---") {
            (first, block) = (None, None);
        }
        let content = line.trim_start();
        let indentation = line.len() - content.len();
        if !content.is_empty() && block.is_none_or(|block| indentation <= block) {
            block = begins_block(content).then_some(indentation);
            let offset = structural(line).filter(|_| first.is_none() && !content.starts_with('#'));
            let column = offset.map(|offset| line[..offset].chars().count() + 1);
            first = first.or_else(|| Some(Position { line: number, column: column? }));
        }
        if first.is_some() && broken.contains(&number) {
            return first;
        }
    }
    None
}

/// Whether a block scalar follows: the line ends with `|` or `>` and optional indicators (YAML 1.2, section 8.1).
fn begins_block(content: &str) -> bool {
    let last = content.rsplit(' ').next().unwrap_or_default();
    last.starts_with(['|', '>']) && last[1..].bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-'))
}

/// Finds a template in a line that is not inside quotes and not inside a plain text, and returns its byte offset.
fn structural(line: &str) -> Option<usize> {
    let mut places = line.match_indices(OPEN).map(|(offset, _)| offset);
    places.find(|offset| {
        let (head, action) = line.split_at(*offset);
        let begins = matches!(head.trim_end().chars().last(), None | Some(':' | '-' | ',' | '[' | '{'));
        begins && is_action(action)
    })
}

/// Whether a text that begins with `{{` continues as an action of Go's `text/template`: with a field, a variable, a comment, a
/// string or a word. A YAML mapping or a Postgres array continues with something else.
fn is_action(text: &str) -> bool {
    let inner = text.strip_prefix(OPEN).unwrap_or(text);
    let inner = inner.strip_prefix('-').unwrap_or(inner).trim_start();
    let word = inner.trim_start_matches(|character: char| character.is_ascii_alphanumeric() || character == '_');
    let after_word = word.starts_with([' ', '.', '|', '(']) || word.starts_with("}}") || word.starts_with("-}}");
    inner.starts_with(['.', '$', '(', '"', '`']) || inner.starts_with("/*") || {
        inner.starts_with(|first: char| first.is_ascii_alphabetic()) && after_word
    }
}

/// Whether a text contains `{{` that continues as an action.
pub(crate) fn is_in(text: &str) -> bool {
    text.match_indices(OPEN).any(|(offset, _)| is_action(&text[offset..]))
}

/// What the actions of a Helm chart contain (Helm, "Built-in Objects" and "Named Templates"). In a quoted text, `{{` without
/// one of these may have another meaning.
const OF_HELM: [&str; 8] =
    [".Values", ".Release", ".Chart", ".Capabilities", ".Files", ".Template", "include \"", "template \""];

/// Whether a text contains an action of Helm.
fn has_action(text: &str) -> bool {
    let mut actions = text.split(OPEN).skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0));
    actions.any(|action| OF_HELM.iter().any(|word| action.contains(word)))
}

/// Fields whose templates other programs fill in: annotations for Vault's injector, arguments of a sidecar.
const FOR_OTHERS: [&str; 3] = ["annotations", "containers", "instrumentation"];

/// Returns the path of the first of `fields` that is or contains a template. Fields for other programs are skipped.
pub(crate) fn field(object: &Node, fields: &[&str]) -> Option<FieldPath> {
    fields.iter().find_map(|field| {
        let mut path = in_node(object.get(field)?)?;
        path.push(Segment::Key((*field).to_owned()));
        path.reverse();
        Some(FieldPath(path))
    })
}

/// Returns the path to the first template below `node`, in reverse order.
fn in_node(node: &Node) -> Option<Vec<Segment>> {
    match &node.value {
        NodeValue::String { value, .. } => has_action(value).then(Vec::new),
        NodeValue::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| {
            let mut path = in_node(item)?;
            path.push(Segment::Index(index));
            Some(path)
        }),
        NodeValue::Mapping(entries) => entries.iter().find_map(|entry| {
            let mut path = match entry.key.as_str() {
                key if FOR_OTHERS.contains(&key) => None,
                key if has_action(key) => Some(Vec::new()),
                _ => in_node(&entry.value),
            }?;
            path.push(Segment::Key(entry.key.clone()));
            Some(path)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::documents;

    /// Returns the position of each error, and whether its message is that of a template.
    fn refused(text: &str) -> Vec<(String, bool)> {
        let errors = documents("c", text).unwrap_err();
        let place = |error: &Diagnostic| {
            let Position { line, column } = error.location.as_ref().unwrap().position;
            (format!("{line}:{column}"), error.message == NOT_RENDERED)
        };
        errors.iter().map(place).collect()
    }

    #[test]
    fn a_template_that_breaks_a_text_is_named_once() {
        for (text, place) in [
            ("{{- if .Values.enabled }}\na: 1\n{{- end }}\n", "1:1"),
            ("a:\n  b: {{ .Values.b }}\nc: {{ .Values.c | default 17 }}\n", "2:6"),
            ("a:\n  {{- toYaml .Values.a | nindent 2 }}\n", "2:3"),
            ("a:\n- {{ include \"x\" . }}\nb: [\n", "2:3"),
            ("a: {b: {{ $x }}, c: {{ $y }}}\n", "1:8"),
            ("# {{ .a }}\na: \"{{ .b }}\"\n{{ range .c }}\n- d: {{ . }}\n{{ end }}\n", "3:1"),
            ("a: |\n  {{ .b }}\nc:\n    {{ template \"d\" }}\n    e: 1\n", "4:5"),
            ("{{/* a\nb: c: d */}}\n", "1:1"),
            ("a: 1\n---\n{{ .Values.b }}: 1\n", "3:1"),
        ] {
            assert_eq!(refused(text), [(place.to_owned(), true)], "{text}");
        }
    }

    #[test]
    fn what_is_broken_otherwise_is_said_as_it_is() {
        for text in [
            "a:\n\tb: 1\nc: {{ .d }}\n",
            "a: |\n  {{ .b }}\n  c\nd: [\n",
            "a: '{{ .b }}'\nd: [\n",
            "a: {{ .b }\n---\n",
            "a: {{1,2},{3,4}}\n",
            "a: {{b: c}: d}\n",
        ] {
            let told = refused(text);
            let template = text.contains("{{ .b }\n");
            assert!(told.iter().all(|(_, is_template)| *is_template == template), "{text}: {told:?}");
        }
    }

    #[test]
    fn a_long_line_is_looked_at_once() {
        for part in ["{{", "{{ ", "{{a", "{{-", "[{{"] {
            let text = part.repeat(200_000);
            let broken = [1].into();
            assert_eq!(before(&text, &broken), None, "{part}");
            assert!(!has_action(&text), "{part}");
        }
    }

    #[test]
    fn a_template_in_quotes_is_found() {
        let found = |text: &str| {
            let object = documents("c", text).unwrap().remove(0).node;
            field(&object, &["a", "b"]).map(|field| field.to_string())
        };
        let named = |field: &str| Some(field.to_owned());
        assert_eq!(found("a: 1\nb: ['x', 'x-{{ .Values.y }}-z']\n"), named("b[1]"));
        assert_eq!(found("a: {c: 1, '{{ $.Release.Name }}': 1}\n"), named("a[\"{{ $.Release.Name }}\"]"));
        assert_eq!(found("a: x{{- include \"y\" . -}}\n"), named("a"));
        for text in [
            "a: '{{1,2},{3,4}}'\nb: '{{a,b},{c,d}}'\n",
            "a: '{{ .Values'\nb: '.Values }}'\n",
            "a: '{{ x }}'\nb: .Values\n",
            "a: {annotations: {b: '{{ .Values }}'}, containers: ['{{ .Values }}']}\n",
            "c: '{{ .Values }}'\n",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
