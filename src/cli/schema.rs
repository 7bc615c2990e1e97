//! The command `schema`.

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::check;
use crate::postgres_cluster::spec;

/// What a schema describes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Schema {
    /// A PostgresCluster.
    #[default]
    Postgrescluster,
    /// The output of `pgrender check --format json`.
    Check,
}

impl Schema {
    /// Returns the schema.
    pub(super) fn json(self) -> Value {
        match self {
            Self::Postgrescluster => spec::json_schema(),
            Self::Check => check::json_schema(),
        }
    }
}
