//! Collects findings. Two bytes of an input can cause a finding of several hundred bytes, so only the first findings are kept,
//! and the rest are counted.

use crate::diagnostic::{Diagnostic, Severity, shorten};

/// How many findings of each severity are kept. This is more than are shown at once.
const MOST: usize = 300;

/// The first findings of each severity, and how many there were. Each severity has its own limit, so warnings never displace
/// errors.
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
    /// Keeps `finding`, or only counts it if the limit for its severity is reached.
    pub(crate) fn push(&mut self, severity: Severity, finding: T) {
        let count = &mut self.counts[severity as usize];
        *count += 1;
        if *count <= MOST {
            self.kept.push(finding);
        }
    }

    /// Whether an error was pushed.
    pub(crate) fn has_errors(&self) -> bool {
        self.counts[Severity::Error as usize] > 0
    }

    /// Returns the findings that were kept, in their order, and one diagnostic per severity that counts the rest.
    pub(crate) fn finish(self) -> (Vec<T>, impl Iterator<Item = Diagnostic>) {
        let severities = [Severity::Error, Severity::Warning, Severity::Info];
        let rest = severities.map(|severity| (severity, self.counts[severity as usize].saturating_sub(MOST)));
        let rest = rest.into_iter().filter(|(_, count)| *count > 0);
        (self.kept, rest.map(|(severity, count)| shorten::more(severity, count)))
    }
}

impl Collector<Diagnostic> {
    /// Keeps `diagnostic`, or only counts it if the limit for its severity is reached.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.push(diagnostic.severity, diagnostic);
    }

    /// Returns the diagnostics that were kept, followed by those that count the rest.
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
