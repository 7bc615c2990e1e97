//! Helpers that several integration tests use.

pub(crate) mod authority;
pub(crate) mod custom_resources;
pub(crate) mod fixtures;
pub(crate) mod json_schema;
pub(crate) mod processes;
pub(crate) mod rendering;
pub(crate) mod tools;
