//! The `PostgresCluster` as its author writes it.

/// An additional volume.
#[derive(Clone, Debug, PartialEq)]
pub struct AdditionalVolume {
    /// Name.
    pub name: String,
}
