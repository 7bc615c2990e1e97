//! Splits `spec.backups.pgbackrest.manual.options` into options. No shell reads them.

use super::option_name;
use crate::diagnostic::{FieldPath, line};
use crate::postgres_cluster::resolve::context::Context;

/// One option as the user wrote it.
pub(super) struct Given<'a> {
    /// The position of its text in the list.
    pub(super) index: usize,
    /// The name without `--` and `no-`.
    pub(super) name: &'a str,
    /// Whether it is `--no-…`.
    pub(super) negated: bool,
    pub(super) value: Option<&'a str>,
}

impl Given<'_> {
    /// The word for pgBackRest.
    pub(super) fn word(&self) -> String {
        let name = self.name;
        match self.value {
            Some(value) => format!("--{name}={value}"),
            None if self.negated => format!("--no-{name}"),
            None => format!("--{name}"),
        }
    }

    /// The value as in a configuration file.
    pub(super) fn setting(&self) -> &str {
        self.value.unwrap_or(if self.negated { "n" } else { "y" })
    }
}

/// Splits the texts into options. As in PGO, a text may have several options, and two texts may be the name and the value of
/// one option.
pub(super) fn split<'a>(texts: &'a [String], path: &FieldPath, context: &mut Context) -> Vec<Given<'a>> {
    let mut all = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if context.check(&path.index(index), line::check(text)) {
            all.extend(text.split_whitespace().map(|word| (index, word)));
        }
    }
    let (mut given, mut wrong) = (Vec::new(), None);
    let mut all = all.into_iter().peekable();
    while let Some((index, word)) = all.next() {
        let Some(text) = word.strip_prefix("--").filter(|text| !text.is_empty()) else {
            let message = "has a word that is not an option and not the value of one: write options as \
                           `--type=full`, and values without spaces";
            if wrong.replace(index) != Some(index) {
                context.error(path.index(index), message);
            }
            continue;
        };
        let (name, mut value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let (name, negated) = name.strip_prefix("no-").map_or((name, false), |rest| (rest, true));
        if value.is_none() && !negated && !is_switch(name) {
            value = all.next_if(|(_, next)| !next.starts_with("--")).map(|(_, next)| next);
        }
        given.push(Given { index, name, negated, value });
    }
    given
}

/// Whether an option needs no value.
pub(super) fn is_switch(name: &str) -> bool {
    name == "backup-standby" || option_name::kind(name) == Some("switch")
}
