//! The names of the settings of `[pgbouncer]`, in versions up to 1.25 (pgbouncer.org/config.html). pgBouncer does not start with
//! one that it does not know.

/// A name in each line, and behind it what its value is, as [`super::setting_value`] reads it; nothing where any text is good.
const LIST: &str = include_str!("settings.txt");

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    entries().map(|(name, _)| name)
}

/// What the value of a setting is, where it has a kind.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    entries().find(|(known, kind)| *known == name && !kind.is_empty()).map(|(_, kind)| kind)
}

fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
}

/// Whether some version has a setting of this name.
pub fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}
