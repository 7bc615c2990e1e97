//! The findings of a check, whatever the format.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnostic::{Diagnostic, Severity, has_errors};

/// What was found.
pub(super) struct Findings {
    /// The findings.
    pub(super) list: Vec<Diagnostic>,
    /// How many there are.
    pub(super) summary: Summary,
    /// The number of files with a finding.
    pub(super) affected_files: usize,
}

/// How many findings there are, and in how much.
#[derive(Clone, Copy, JsonSchema, Serialize)]
pub(super) struct Summary {
    /// The number of errors.
    pub(super) errors: usize,
    /// The number of warnings.
    pub(super) warnings: usize,
    /// The number of informations.
    pub(super) infos: usize,
    /// The number of clusters that were found. It is 0 if a file could not be read.
    pub(super) clusters: usize,
    /// The number of files that were read.
    pub(super) files: usize,
}

impl Findings {
    /// Counts `diagnostics`. Informations are kept only together with an error, as in every other command.
    pub(super) fn new(mut list: Vec<Diagnostic>, clusters: usize, files: usize) -> Self {
        let failed = has_errors(&list);
        list.retain(|diagnostic| failed || diagnostic.severity != Severity::Info);
        let count = |severity| {
            let of_severity = list.iter().filter(|diagnostic| diagnostic.severity == severity);
            // A diagnostic that only counts others stands for them.
            of_severity.map(|diagnostic| diagnostic.more.max(1)).sum()
        };
        let with_findings: BTreeSet<&str> =
            list.iter().filter_map(|diagnostic| Some(diagnostic.location.as_ref()?.file.as_str())).collect();
        let affected_files = with_findings.len();
        let summary = Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
            clusters,
            files,
        };
        Self { list, summary, affected_files }
    }

    /// Returns the summary in one line: `3 errors, 1 warning in 2 files`.
    pub(super) fn line(&self) -> String {
        let Summary { errors, warnings, infos, clusters, .. } = self.summary;
        let counts: Vec<String> = [(errors, "error"), (warnings, "warning"), (infos, "info message")]
            .into_iter()
            .filter_map(counted)
            .collect();
        if counts.is_empty() {
            return format!("no problems in {}", counted((clusters, "cluster")).unwrap_or_default());
        }
        let files = counted((self.affected_files, "file")).map(|files| format!(" in {files}"));
        format!("{}{}", counts.join(", "), files.unwrap_or_default())
    }
}

/// Returns a number with its noun, unless it is 0.
fn counted((count, noun): (usize, &str)) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Position;

    #[test]
    fn a_summary_counts_what_is_there() {
        let at = |diagnostic: Diagnostic, file: &str| diagnostic.located(file, Position { line: 1, column: 1 });
        let list = vec![
            at(Diagnostic::error("a"), "a.yaml"),
            at(Diagnostic::error("b"), "a.yaml"),
            at(Diagnostic::warning("c"), "b.yaml"),
            Diagnostic::info("d"),
        ];
        assert_eq!(Findings::new(list, 2, 2).line(), "2 errors, 1 warning, 1 info message in 2 files");
        assert_eq!(Findings::new(vec![Diagnostic::error("a")], 0, 0).line(), "1 error");
        assert_eq!(Findings::new(vec![Diagnostic::info("a")], 3, 1).line(), "no problems in 3 clusters");
        assert_eq!(Findings::new(Vec::new(), 1, 1).line(), "no problems in 1 cluster");
    }

    #[test]
    fn what_is_only_counted_counts() {
        let rest = Diagnostic { more: 250, ..Diagnostic::error("… and 250 more errors") };
        assert_eq!(Findings::new(vec![Diagnostic::error("a"), rest], 1, 1).summary.errors, 251);
    }
}
