//! Converts a validated object into Rust types.

use serde_json::Value;

use crate::diagnostic::{Diagnostic, FieldPath};
use crate::parse::{self, Definition, Settings};
use crate::postgres_cluster::spec::PostgresCluster;
use crate::postgres_cluster::{KIND, places, rules};
use crate::read::Document;

/// The definition of the kind, as in PGO's CRD.
pub static DEFINITION: Definition = Definition {
    kind: KIND,
    group: "postgres-operator.crunchydata.com",
    api_versions: &["postgres-operator.crunchydata.com/v1", "postgres-operator.crunchydata.com/v1beta1"],
    rules: rules::check,
    unknown_field: places::unknown_field,
    unknown_at_the_top: places::unknown_at_the_top,
};

/// Validates a document as [`crate::parse::validate`] does.
pub fn validate(document: &Document, settings: Settings) -> (Option<Value>, Vec<Diagnostic>) {
    parse::validate(&DEFINITION, document, settings)
}

/// Validates a document and returns its `PostgresCluster`, or `None` if an error is among the diagnostics.
pub fn parse(document: &Document, settings: Settings) -> (Option<PostgresCluster>, Vec<Diagnostic>) {
    let (object, mut diagnostics) = validate(document, settings);
    let cluster = object.and_then(|object| match typed(object) {
        Ok(cluster) => Some(cluster),
        Err(error) => {
            diagnostics.push(document.locate(error));
            None
        }
    });
    (cluster, diagnostics)
}

/// Deserializes an object. The only value that the schema accepts and the types do not is a number too large for its field: the
/// server does not enforce `int32`, and PGO could not read the value either.
fn typed(object: Value) -> Result<PostgresCluster, Diagnostic> {
    serde_path_to_error::deserialize(object).map_err(|error| {
        let field = FieldPath::of(&error.path().to_string());
        let words = error.into_inner().to_string();
        let too_large = words.ends_with("expected i32");
        let message = if too_large { format!("must be between {} and {}", i32::MIN, i32::MAX) } else { words };
        Diagnostic::error(message).at(field)
    })
}

#[cfg(test)]
mod tests;
