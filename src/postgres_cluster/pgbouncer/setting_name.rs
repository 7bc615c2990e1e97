//! The names of the settings of `[pgbouncer]`, in versions up to 1.25 (pgbouncer.org/config.html). pgBouncer does not start if
//! it does not know a name.

use crate::postgres_cluster::known_names::KnownNames;

/// [`super::setting_value`] reads the kinds.
const LIST: KnownNames = KnownNames(include_str!("settings.txt"));

/// Returns all names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIST.names()
}

/// Returns the kind of the value of a setting, or `None` if any text is valid.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    LIST.kind(name)
}

/// Whether any version has a setting of this name.
pub fn is_known(name: &str) -> bool {
    LIST.contain(name)
}
