//! The names of the settings of `[pgbouncer]`, in versions up to 1.25 (pgbouncer.org/config.html). pgBouncer does not start with
//! one that it does not know.

/// A name in each line.
const LIST: &str = include_str!("settings.txt");

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIST.lines()
}

/// Whether some version has a setting of this name.
pub fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}
