//! `spec.authentication`: who can connect, and how clients authenticate.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;
use crate::kubernetes::IntOrString;

/// Authentication of clients.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationSpec {
    /// Rules of `pg_hba.conf`. They come after the rules that the cluster itself needs. If there is any rule, it replaces the
    /// default rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub rules: Vec<HbaRule>,
}

/// One rule of `pg_hba.conf`: either `hba` alone, or `connection` and `method` with the databases, roles and options.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HbaRule {
    /// The connection type, such as `hostssl`. It is the first column.
    #[schemars(length(min = 1, max = 20), regex(pattern = pattern::HBA_WORD))]
    pub connection: Option<String>,
    /// Databases that the rule matches; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 63)))]
    pub databases: Vec<String>,
    /// A complete line.
    #[schemars(length(min = 1, max = 100), regex(pattern = pattern::PRINTABLE))]
    pub hba: Option<String>,
    /// The authentication method, such as `scram-sha-256`.
    #[schemars(length(min = 1, max = 20), regex(pattern = pattern::HBA_WORD))]
    pub method: Option<String>,
    /// Options of the method.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub options: BTreeMap<String, IntOrString>,
    /// Roles that the rule matches; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 63)))]
    pub users: Vec<String>,
}
