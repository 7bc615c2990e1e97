//! The names of the settings of `[pgbouncer]`, in versions up to 1.25 (pgbouncer.org/config.html). pgBouncer does not start with
//! one that it does not know.

use super::super::known_names::KnownNames;

/// The kinds are those that [`super::setting_value`] reads.
const LIST: KnownNames = KnownNames(include_str!("settings.txt"));

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIST.names()
}

/// What the value of a setting is, where it has a kind.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    LIST.kind(name)
}

/// Whether some version has a setting of this name.
pub fn is_known(name: &str) -> bool {
    LIST.contain(name)
}
