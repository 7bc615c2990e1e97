//! The names of types, as `kubectl explain` writes them.

use crate::parse::schema::{Schema, Type};

/// The name of the type of a value.
pub(crate) fn name(schema: &Schema) -> String {
    match schema.kind {
        Type::Array => format!("[]{}", schema.item().map_or_else(|| "Object".to_owned(), name)),
        Type::Boolean => "boolean".to_owned(),
        Type::IntOrString if schema.pattern.is_some() => "Quantity".to_owned(),
        Type::IntOrString => "IntOrString".to_owned(),
        Type::Integer => "integer".to_owned(),
        Type::Object => match schema.value() {
            Some(value) if schema.fields().next().is_none() => format!("map[string]{}", name(value)),
            _ => "Object".to_owned(),
        },
        Type::String => "string".to_owned(),
    }
}
