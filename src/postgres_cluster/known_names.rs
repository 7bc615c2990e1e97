//! Lists of the names that another program has for its settings.

/// The text has one name per line, followed by the kind of its value. A name without a kind accepts any text.
pub(crate) struct KnownNames(pub(crate) &'static str);

impl KnownNames {
    /// Returns all names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.entries().map(|(name, _)| name)
    }

    /// Whether `name` is one of them.
    pub(crate) fn contain(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Returns the kind of the value of `name`, or `None` if any text is valid.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static str> {
        self.entries().find(|(known, kind)| *known == name && !kind.is_empty()).map(|(_, kind)| kind)
    }

    fn entries(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.0.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}
