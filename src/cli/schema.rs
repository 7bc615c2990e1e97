//! The command `schema`.

use serde_json::Value;

use crate::cli::arguments::Schema;
use crate::cli::check;
use crate::postgres_cluster::{describe, spec};
use crate::{diff, explain};

/// Returns a schema.
pub(super) fn json(of: Schema) -> Value {
    match of {
        Schema::Postgrescluster => spec::json_schema(),
        Schema::Check => check::json_schema(),
        Schema::Describe => describe::report::json_schema(),
        Schema::Diff => diff::report::json_schema(),
        Schema::Explain => explain::json_schema(),
    }
}
