//! The rules for users and data sources, and for fields that v1 no longer has.

use serde_json::Value;

use super::Rule;

/// CEL's `matches` ignores case as Go does, so the long s (U+017F) matches s.
fn mentions_password(options: &str) -> bool {
    options.replace('\u{17f}', "s").to_ascii_uppercase().contains("PASSWORD")
}

fn has_comment(options: &str) -> bool {
    ["--", "/*", "*/"].iter().any(|mark| options.contains(mark))
}

fn is_text_without(value: &Value, fault: fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(|text| !fault(text))
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        text: "!has(self.repo.volume)",
        holds: |pgbackrest| pgbackrest.get("repo").is_some_and(|repo| repo.get("volume").is_none()),
        message: "a pgBackRest data source must be in cloud storage: write `s3`, `gcs` or `azure`, not `volume`",
    },
    Rule {
        text: "type(self) == null_type",
        // Nulls are dropped before the rules run, so this value is never null.
        holds: Value::is_null,
        message: "pgAdmin is not part of a cluster in v1: remove `userInterface`, or use v1beta1",
    },
    Rule {
        text: r#"!self.matches("(?i:PASSWORD)")"#,
        holds: |options| is_text_without(options, mentions_password),
        message: "cannot set a password: remove it, because the password comes from the Secret of the user",
    },
    Rule {
        text: r#"!self.matches("(?:--|/[*]|[*]/)")"#,
        holds: |options| is_text_without(options, has_comment),
        message: "must not contain a comment: remove `--`, `/*` and `*/`",
    },
];
