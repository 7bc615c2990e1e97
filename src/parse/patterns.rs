//! The regular expressions of the CRD, with an explanation of each.

use std::collections::BTreeMap;

use regex::Regex;

use crate::diagnostic::words;

/// What to write instead if a pattern refuses a text, by the pattern. `{}` stands for the refused text; it is missing where the
/// text could contain a password.
const EXPLAINED: [(&str, &str); 13] = [
    (
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        "{} is not a valid quantity: write a number with or without a unit, as in `500m`, `1Gi` or `1.5`",
    ),
    (r"^repo[1-4]", "{} is not a valid name of a repository: write `repo1`, `repo2`, `repo3` or `repo4`"),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "{} is not a valid name: write lower-case letters, digits and `-`, and begin and end with a letter or digit",
    ),
    (
        r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
        "{} is not a valid name: write lower-case letters, digits and `-`, and begin and end with a letter or digit",
    ),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "{} is not a valid name: write lower-case letters, digits, `-` and `.`, and begin and end each part with a \
         letter or digit",
    ),
    (
        r"^[a-z][a-z0-9]*$",
        "{} is not a valid name of a tablespace: write lower-case letters and digits, and begin with a letter",
    ),
    (r"^[-a-z0-9]+$", "{} is not a valid word of pg_hba.conf: write lower-case letters, digits and `-`"),
    (r"^[[:print:]]+$", "must be one line of printable ASCII"),
    (r"^[-._a-zA-Z0-9]+$", "{} is not a valid key: write letters, digits, `-`, `_` and `.`"),
    (r"^[^\pZ\pC\pS]+$", "{} has a space, a symbol or a control character: write letters, digits and punctuation"),
    (r"^[^;]*$", "must not contain `;`: write only the options"),
    (
        r"^((PT)?( *[0-9]+ *(?i:(ms|s|m)|(milli|sec|min)s?))+|0)$",
        "{} is not a valid duration: write whole numbers with the unit `ms`, `s` or `m`, as in `30s`, or `0`",
    ),
    (
        r"^(PT)?( *[0-9]+ *(?i:(h|hr|d|w|wk)|(hour|day|week)s?))+$",
        "{} is not a valid duration: write whole numbers with the unit `h`, `d` or `w`, as in `36h`",
    ),
];

/// The patterns that were used so far. Each is compiled once.
#[derive(Default)]
pub(crate) struct Patterns {
    compiled: BTreeMap<&'static str, Regex>,
}

impl Patterns {
    /// Returns why the text does not match the pattern, or `None` if it does.
    pub(crate) fn refusal(&mut self, pattern: &'static str, text: &str) -> Option<String> {
        let compiled = self
            .compiled
            .entry(pattern)
            .or_insert_with(|| Regex::new(pattern).expect("a pattern of the schema should be a regex"));
        (!compiled.is_match(text)).then(|| explanation(pattern).replace("{}", &words::quote(text)))
    }
}

/// What a text must be to match a pattern of the schema, in words.
pub(crate) fn advice(pattern: &str) -> &'static str {
    let words = explanation(pattern);
    if words.starts_with("must") {
        return words.split_once(": ").map_or(words, |(demand, _)| demand);
    }
    words.split_once(": write ").or_else(|| words.split_once(": ")).map_or(words, |(_, advice)| advice)
}

fn explanation(pattern: &str) -> &'static str {
    let found = EXPLAINED.iter().find(|(explained, _)| *explained == pattern);
    found.map_or("{} does not have the required format", |(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::parse::schema;

    #[test]
    fn every_pattern_of_the_schema_is_explained_and_no_other() {
        let used: BTreeSet<&str> = schema::all().iter().filter_map(|node| node.pattern.as_deref()).collect();
        let explained: BTreeSet<&str> = EXPLAINED.iter().map(|(pattern, _)| *pattern).collect();
        assert_eq!(used, explained);
    }

    #[test]
    fn every_pattern_of_the_schema_compiles_and_tells_right_from_wrong() {
        let mut patterns = Patterns::default();
        for (index, right, wrong) in [
            (0, "1.5Gi", "1,5Gi"),
            (1, "repo12", "repo5"),
            (2, "a-1", "A"),
            (3, "", "-"),
            (4, "a.b-c", "a..b"),
            (5, "a1", "1a"),
            (6, "scram-sha-256", "SCRAM"),
            (7, "host all", "tab\there"),
            (8, "A_b.c-1", "a b"),
            (9, "größe_1", "a b"),
            (10, "SUPERUSER", "A; B"),
            (11, "PT5M", "1.5m"),
            (12, "1w 2d", "5m"),
        ] {
            let (pattern, _) = EXPLAINED[index];
            assert_eq!(patterns.refusal(pattern, right), None, "{pattern} {right}");
            assert!(patterns.refusal(pattern, wrong).is_some(), "{pattern} {wrong}");
        }
        assert_eq!(patterns.compiled.len(), EXPLAINED.len());
    }

    #[test]
    fn a_text_with_a_password_is_not_repeated() {
        let mut patterns = Patterns::default();
        let options = patterns.refusal(r"^[^;]*$", "PASSWORD 'hunter2';");
        assert_eq!(options.as_deref(), Some("must not contain `;`: write only the options"));
        let hba = patterns.refusal(r"^[[:print:]]+$", "host all all all ldap ldapbindpasswd=hunter2\t");
        assert_eq!(hba.as_deref(), Some("must be one line of printable ASCII"));
    }

    #[test]
    fn letters_fold_as_in_go() {
        // U+017F is the long s, which `(?i:s)` also matches in Go.
        assert_eq!(Patterns::default().refusal(EXPLAINED[11].0, "5 \u{17f}"), None);
    }
}
