//! Limits how many diagnostics are shown at once. Nobody reads ten thousand lines, and an input that is crafted to cause them
//! would only fill logs.

use crate::diagnostic::{Diagnostic, Severity};

/// The largest number of diagnostics that are shown at once.
const MOST: usize = 100;

/// Returns the first of `diagnostics`, in their order, and one that counts the rest. Warnings never displace errors, and
/// informations never displace warnings.
pub fn shorten(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    // With one diagnostic over the limit, the line that counts it would take the same space.
    if diagnostics.len() <= MOST + 1 {
        return diagnostics;
    }
    let mut by_weight: Vec<usize> = (0..diagnostics.len()).collect();
    // Diagnostics that only count others sort last, and the final count includes theirs.
    by_weight.sort_by_key(|position| (diagnostics[*position].more > 0, diagnostics[*position].severity));
    let hidden = by_weight.split_off(MOST);
    let mut counts = [0; 3];
    for position in &hidden {
        let diagnostic = &diagnostics[*position];
        counts[diagnostic.severity as usize] += diagnostic.more.max(1);
    }
    let message = rest(counts);
    let severity = hidden.iter().map(|position| diagnostics[*position].severity).min().unwrap_or(Severity::Info);
    let mut shown = vec![false; diagnostics.len()];
    for position in by_weight {
        shown[position] = true;
    }
    let mut shown = shown.into_iter();
    diagnostics.retain(|_| shown.next().unwrap_or_default());
    diagnostics.push(Diagnostic::new(severity, message));
    diagnostics
}

/// Creates the diagnostic that stands for `count` diagnostics that were not kept.
pub(super) fn more(severity: Severity, count: usize) -> Diagnostic {
    let mut counts = [0; 3];
    counts[severity as usize] = count;
    Diagnostic { more: count, ..Diagnostic::new(severity, rest(counts)) }
}

/// The text of the diagnostic that counts the rest.
fn rest(counts: [usize; 3]) -> String {
    let count = |severity: Severity, one: &str, many: &str| {
        let count = counts[severity as usize];
        (count > 0).then(|| format!("{count} more {}", if count == 1 { one } else { many }))
    };
    let counts = [
        count(Severity::Error, "error", "errors"),
        count(Severity::Warning, "warning", "warnings"),
        count(Severity::Info, "info message", "info messages"),
    ];
    format!("… and {}", counts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(diagnostics: Vec<Diagnostic>) -> Vec<String> {
        shorten(diagnostics).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_hundred_are_told_in_their_order_and_the_rest_is_counted() {
        let errors: Vec<_> = (0..250).map(|number| Diagnostic::error(number.to_string())).collect();
        let lines = told(errors.clone());
        assert_eq!(lines.len(), 101);
        assert_eq!((lines[0].as_str(), lines[99].as_str()), ("error: 0", "error: 99"));
        assert_eq!(lines[100], "error: … and 150 more errors");
        assert_eq!(shorten(shorten(errors.clone())), shorten(errors.clone()));
        assert_eq!(told(errors[..101].to_vec()).last().unwrap(), "error: 100");
    }

    #[test]
    fn no_error_gives_way_to_a_warning() {
        let mut diagnostics: Vec<_> = (0..150).map(|number| Diagnostic::warning(number.to_string())).collect();
        diagnostics.push(Diagnostic::info("i"));
        diagnostics.extend((0..2).map(|number| Diagnostic::error(number.to_string())));
        let lines = told(diagnostics);
        assert_eq!(
            lines[97..],
            ["warning: 97", "error: 0", "error: 1", "warning: … and 52 more warnings, 1 more info message"]
        );
    }
}
