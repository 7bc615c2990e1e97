//! The places of differences.

use std::fmt;

use crate::observed::compare::{Change, Difference};

/// A place: kind, name, field (empty for the whole object), side and values. `*` stands for any text.
pub(crate) struct Place(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) Change,
    pub(crate) &'static str,
);

impl Place {
    /// Whether `difference` is at this place.
    pub(crate) fn is_of(&self, difference: &Difference) -> bool {
        let (kind, name) = &difference.object;
        let pairs = [(self.0, kind), (self.1, name), (self.2, &difference.path), (self.4, &difference.values)];
        self.3 == difference.change && pairs.into_iter().all(|(pattern, text)| matches(pattern, text))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {:?}: {}", self.0, self.1, self.2, self.3, self.4)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text) in [("", ""), ("*", ""), ("*", "a"), ("a*", "a"), ("a*c*", "abcd"), ("*b*b", "abcb")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "ab"), ("a.c", "abc"), ("ab*b", "ab"), ("*a", "ab"), ("a*", "ba")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
