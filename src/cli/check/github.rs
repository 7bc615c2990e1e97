//! Findings as workflow commands of GitHub Actions: "Setting an error message" and its neighbours in GitHub's "Workflow commands
//! for GitHub Actions". GitHub shows them beside the lines of a pull request.

use std::fmt::Write;
use std::path::Path;

use super::findings::Findings;
use super::place;
use crate::diagnostic::line::shown;
use crate::diagnostic::{Diagnostic, Severity};

/// Returns one command for each finding, and the summary.
pub(super) fn write(found: &Findings, directory: &Path) -> String {
    let mut text = String::new();
    for diagnostic in &found.list {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", command(diagnostic, directory));
    }
    text + &found.line() + "\n"
}

fn command(diagnostic: &Diagnostic, directory: &Path) -> String {
    let name = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = Vec::new();
    if let Some(location) = &diagnostic.location {
        // Without a file, GitHub would take the position for one in a file of its own.
        if let Some(file) = place::relative(&location.file, directory) {
            properties.push(("file", file));
            properties.push(("line", location.position.line.to_string()));
            properties.push(("col", location.position.column.to_string()));
        }
    }
    let object = diagnostic.resource.as_ref().map(ToString::to_string).filter(|object| !object.is_empty());
    let title = diagnostic.field.as_ref().map(ToString::to_string).filter(|field| !field.is_empty());
    properties.extend(title.or_else(|| object.clone()).map(|title| ("title", title)));
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", escaped_property(value))).collect();
    let about = object.map(|object| format!(" ({object})")).unwrap_or_default();
    let space = if properties.is_empty() { "" } else { " " };
    format!("::{name}{space}{}::{}", properties.join(","), escaped(&format!("{}{about}", diagnostic.line())))
}

/// Escapes a message, as `@actions/core` does (`escapeData`).
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property (`escapeProperty`). The name of a file may contain control characters.
fn escaped_property(text: &str) -> String {
    escaped(&shown(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{FieldPath, Position, ResourceRef};

    fn written(diagnostic: Diagnostic) -> String {
        write(&Findings::new(vec![diagnostic], 1, 1), Path::new("/repository"))
    }

    #[test]
    fn a_finding_is_a_command() {
        let object = ResourceRef { kind: "PostgresCluster".to_owned(), name: "a".to_owned(), ..ResourceRef::default() };
        let diagnostic = Diagnostic::warning("100% `a`\nb: c, d")
            .at(FieldPath::of("spec").key("a:b,c%"))
            .of(object)
            .located("/repository/d,e.yaml", Position { line: 3, column: 7 });
        assert_eq!(
            written(diagnostic),
            "::warning file=d%2Ce.yaml,line=3,col=7,title=spec[\"a%3Ab%2Cc%25\"]::100%25 `a` b: c, d (PostgresCluster a)\n\
             1 warning in 1 file\n"
        );
    }

    #[test]
    fn a_finding_without_a_place_has_no_properties() {
        assert_eq!(written(Diagnostic::error("a")), "::error::a\n1 error\n");
        let diagnostic = Diagnostic::error("a").located("<stdin>", Position { line: 1, column: 1 });
        assert_eq!(written(diagnostic), "::error::a\n1 error in 1 file\n");
    }
}
