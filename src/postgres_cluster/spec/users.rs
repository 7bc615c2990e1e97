//! `spec.users`: the roles that get a Secret of their own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;

/// One role of Postgres.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserSpec {
    /// Databases that are created and that the role can use. The first one is `dbname` in its Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1, max = 63)))]
    pub databases: Vec<String>,
    /// Name of the role.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::DNS_LABEL))]
    pub name: String,
    /// Options of `ALTER ROLE`, other than the password.
    #[schemars(length(max = 200), regex(pattern = "^[^;]*$"))]
    pub options: Option<String>,
    /// How the password is generated.
    pub password: Option<PasswordSpec>,
}

/// How a password is generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordSpec {
    /// The characters of the password.
    #[serde(default, rename = "type")]
    pub type_: PasswordType,
}

/// The characters of a generated password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(extend("type" = "string"))]
pub enum PasswordType {
    /// Printable ASCII.
    #[default]
    #[serde(rename = "ASCII")]
    Ascii,
    /// Letters and digits.
    AlphaNumeric,
}
