//! What pgrender reports to its user: diagnostics that say where the problem is, what is wrong and what to write instead.
//!
//! A [`Diagnostic`] never contains a secret: messages quote field names and the user's words from a `PostgresCluster`, never a
//! value of a Secret.

mod collector;
pub mod line;
mod shorten;
pub mod words;

use std::fmt;

pub(crate) use collector::Collector;
pub use shorten::shorten;

/// The severity of a diagnostic. The names are those of a KRM function result (KRM Functions Specification v1,
/// `Result.severity`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Severity {
    /// Nothing is rendered.
    Error,
    /// pgrender renders, but something may not behave as the user expects.
    Warning,
    /// Useful to know; nothing is wrong.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// A position in a sequence, from 0.
    Index(usize),
}

/// The path of a field inside an object, written as Kubernetes writes it: `spec.instances[0].name`,
/// `metadata.annotations["example.com/a"]`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub struct FieldPath(pub Vec<Segment>);

impl FieldPath {
    /// Parses the dotted form of a path, for paths that are constants of the program: `spec.backups.pgbackrest.repos[1].name`.
    /// A key that contains a dot cannot be written this way; add it with [`FieldPath::key`].
    pub fn of(text: &str) -> Self {
        let mut segments = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (name, indexes) = part.split_once('[').map_or((part, ""), |(name, rest)| (name, rest));
            if !name.is_empty() {
                segments.push(Segment::Key(name.to_owned()));
            }
            let indexes = indexes.trim_end_matches(']').split("][");
            segments.extend(indexes.filter_map(|index| index.parse().ok()).map(Segment::Index));
        }
        Self(segments)
    }

    /// Returns this path with one more key.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.into()));
        path
    }

    /// Returns this path with one more index.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }

    /// Returns this path followed by another.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }
}

/// The length, in bytes, of the longest key that is shown in full. No key of Kubernetes is longer: the longest is a domain of
/// 253 characters, `/`, and a name of 63.
const LONGEST_KEY: usize = 320;

/// How many characters of a longer key are shown.
const SHOWN_OF_KEY: usize = 60;

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if key.len() > LONGEST_KEY => {
                    write!(f, "[{:?}…]", key.chars().take(SHOWN_OF_KEY).collect::<String>())?;
                }
                Segment::Key(key) if !is_plain(key) => {
                    write!(f, "[{key:?}]")?;
                }
                Segment::Key(key) if position == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// Whether a key can be shown without quotes.
pub(crate) fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|character| character.is_alphanumeric() || matches!(character, '-' | '_'))
}

/// A position in a text. Lines and columns are counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A position in a file of the input.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Location {
    /// The name of the file as the user gave it, or `<stdin>`.
    pub file: String,
    /// The position in the file.
    pub position: Position,
}

/// The object that a diagnostic is about.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub struct ResourceRef {
    /// `apiVersion`; empty if unknown.
    pub api_version: String,
    /// `kind`; empty if unknown.
    pub kind: String,
    /// `metadata.name`; empty if unknown.
    pub name: String,
    /// `metadata.namespace`; empty if unknown.
    pub namespace: String,
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        match (self.namespace.as_str(), self.name.as_str()) {
            (_, "") => Ok(()),
            ("", name) => write!(f, " {name}"),
            (namespace, name) => write!(f, " {namespace}/{name}"),
        }
    }
}

/// One message to the user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// What is wrong and what to write instead: lower case, no final period, backticks around the user's words.
    pub message: String,
    /// The field that the message is about, if there is one.
    pub field: Option<FieldPath>,
    /// The object that the message is about, if there is one.
    pub resource: Option<ResourceRef>,
    /// The position in the input, if it is known.
    pub location: Option<Location>,
    /// The number of further diagnostics that this one summarizes because they were only counted. 0 for an ordinary diagnostic.
    pub(crate) more: usize,
    /// Whether it compares something with what the seed gives, so that it is true only for the seed of the user.
    pub(crate) compares_seed: bool,
}

impl Diagnostic {
    fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            field: None,
            resource: None,
            location: None,
            more: 0,
            compares_seed: false,
        }
    }

    /// Creates an error: nothing will be rendered.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message)
    }

    /// Creates a warning.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message)
    }

    /// Creates an information.
    pub fn info(message: impl Into<String>) -> Self {
        Self::new(Severity::Info, message)
    }

    /// Sets the field.
    #[must_use]
    pub fn at(mut self, field: FieldPath) -> Self {
        self.field = Some(field);
        self
    }

    /// Sets the object.
    #[must_use]
    pub fn of(mut self, resource: ResourceRef) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Marks it as a comparison with what the seed gives.
    #[must_use]
    pub(crate) fn comparing_seed(mut self) -> Self {
        self.compares_seed = true;
        self
    }

    /// Returns the message on one line, even if it quotes a text with line breaks or other control characters.
    pub fn line(&self) -> String {
        line::shown(&self.message.replace('\n', " "))
    }

    /// Sets the position in the input.
    #[must_use]
    pub fn located(mut self, file: impl Into<String>, position: Position) -> Self {
        self.location = Some(Location { file: file.into(), position });
        self
    }
}

/// Writes one line in the format of compilers: `cluster.yaml:13:9: error: spec.instances[0].replicaz: unknown field`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { file, position }) = &self.location {
            write!(f, "{}:{}:{}: ", line::shown(file), position.line, position.column)?;
        }
        write!(f, "{}: ", self.severity)?;
        if let (Some(resource), None) = (&self.resource, &self.location) {
            write!(f, "{}: ", line::shown(&resource.to_string()))?;
        }
        if let Some(field) = &self.field {
            write!(f, "{}: ", line::shown(&field.to_string()))?;
        }
        f.write_str(&self.line())
    }
}

/// Whether any of these is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_kubernetes_writes_them() {
        let path = FieldPath::of("spec.instances[0].volumes.additional[12].name");
        assert_eq!(path.to_string(), "spec.instances[0].volumes.additional[12].name");
        assert_eq!(path.0.len(), 7);
        let path = FieldPath::of("metadata.annotations").key("example.com/a");
        assert_eq!(path.to_string(), "metadata.annotations[\"example.com/a\"]");
    }

    #[test]
    fn a_key_is_shown_in_one_line_whatever_it_holds() {
        for (key, shown) in [
            ("a\nb", "spec[\"a\\nb\"]"),
            ("a\u{2028}b", "spec[\"a\\u{2028}b\"]"),
            ("a\u{85}b", "spec[\"a\\u{85}b\"]"),
            ("\0", "spec[\"\\0\"]"),
            ("a\tb", "spec[\"a\\tb\"]"),
        ] {
            assert_eq!(FieldPath::of("spec").key(key).to_string(), shown);
        }
        assert_eq!(Diagnostic::error("`a\u{2028}\x1b[2Jb`").to_string(), "error: `a\\u{2028}\\u{1b}[2Jb`");
    }

    #[test]
    fn a_diagnostic_is_one_line() {
        let diagnostic = Diagnostic::error("bad\nword")
            .at(FieldPath::of("spec.port"))
            .located("c.yaml", Position { line: 3, column: 7 });
        assert_eq!(diagnostic.to_string(), "c.yaml:3:7: error: spec.port: bad word");
    }
}
