//! Findings while they are collected. Two bytes of an input can make a finding of some hundred, so only the first are kept,
//! and the rest is counted.

use super::{Diagnostic, Severity, shorten};

/// How many of each severity are kept: more than are told at once.
const MOST: usize = 300;

/// The first findings of each severity, and how many there were. No error gives way to anything else, so that what is wrong
/// is never hidden by what is merely told.
pub(crate) struct Collector<T> {
    kept: Vec<T>,
    counts: [usize; 3],
}

impl<T> Default for Collector<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), counts: [0; 3] }
    }
}

impl<T> Collector<T> {
    /// Keeps `finding`, or only counts it.
    pub(crate) fn push(&mut self, severity: Severity, finding: T) {
        let count = &mut self.counts[severity as usize];
        *count += 1;
        if *count <= MOST {
            self.kept.push(finding);
        }
    }

    /// Whether one of them is an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.counts[Severity::Error as usize] > 0
    }

    /// What was kept, in its order, and the diagnostics that count the rest.
    pub(crate) fn finish(self) -> (Vec<T>, impl Iterator<Item = Diagnostic>) {
        let severities = [Severity::Error, Severity::Warning, Severity::Info];
        let rest = severities.map(|severity| (severity, self.counts[severity as usize].saturating_sub(MOST)));
        let rest = rest.into_iter().filter(|(_, count)| *count > 0);
        (self.kept, rest.map(|(severity, count)| shorten::more(severity, count)))
    }
}

impl Collector<Diagnostic> {
    /// Keeps `diagnostic`, or only counts it.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.push(diagnostic.severity, diagnostic);
    }

    /// All that was kept, and what counts the rest.
    pub(crate) fn diagnostics(self) -> Vec<Diagnostic> {
        let (mut kept, rest) = self.finish();
        kept.extend(rest);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_severity_are_kept_and_the_rest_is_counted() {
        let mut collector = Collector::default();
        for number in 0..1000 {
            collector.add(Diagnostic::warning(number.to_string()));
        }
        for number in 0..450 {
            collector.add(Diagnostic::error(number.to_string()));
        }
        let kept = collector.diagnostics();
        assert_eq!(kept.len(), 2 * MOST + 2);
        let told = shorten(kept);
        assert_eq!(told.len(), 101);
        assert_eq!(told[100].to_string(), "error: … and 350 more errors, 1000 more warnings");
        assert_eq!((told[0].message.as_str(), told[99].message.as_str()), ("0", "99"));
        assert_eq!(shorten(told.clone()), told);
    }

    #[test]
    fn a_few_are_kept_as_they_are() {
        let mut collector = Collector::default();
        collector.add(Diagnostic::error("a"));
        assert_eq!(collector.diagnostics(), [Diagnostic::error("a")]);
    }
}
