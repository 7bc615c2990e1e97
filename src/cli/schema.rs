//! The command `schema`.

use serde_json::Value;

use crate::cli::arguments::Schema;
use crate::cli::check;
use crate::diff::report;
use crate::postgres_cluster::spec;

/// Returns a schema.
pub(super) fn json(of: Schema) -> Value {
    match of {
        Schema::Postgrescluster => spec::json_schema(),
        Schema::Check => check::json_schema(),
        Schema::Diff => report::json_schema(),
    }
}
