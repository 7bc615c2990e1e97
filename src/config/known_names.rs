//! Lists of the names that another program knows.

/// A name in each line, and behind it what its value is; nothing where any text is good.
pub(super) struct KnownNames(pub(super) &'static str);

impl KnownNames {
    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.entries().map(|(name, _)| name)
    }

    /// Whether `name` is one of them.
    pub(super) fn contain(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// What the value of `name` is, where it has a kind.
    pub(super) fn kind(&self, name: &str) -> Option<&'static str> {
        self.entries().find(|(known, kind)| *known == name && !kind.is_empty()).map(|(_, kind)| kind)
    }

    fn entries(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.0.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}
