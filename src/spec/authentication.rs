//! `spec.authentication`: who may connect, and how they prove who they are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;
use crate::kubernetes::IntOrString;

/// How clients authenticate.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationSpec {
    /// Rules of `pg_hba.conf`, after the ones that the cluster itself needs; any rule takes the place of the default
    /// one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub rules: Vec<HbaRule>,
}

/// One rule of `pg_hba.conf`: either `hba` alone, or `connection` and `method` with what they apply to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HbaRule {
    /// The kind of connection, such as `hostssl`: the first column.
    #[schemars(length(min = 1, max = 20), regex(pattern = pattern::HBA_WORD))]
    pub connection: Option<String>,
    /// Databases that the rule is for; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 63)))]
    pub databases: Vec<String>,
    /// A whole line, as written.
    #[schemars(length(min = 1, max = 100), regex(pattern = pattern::PRINTABLE))]
    pub hba: Option<String>,
    /// The method of authentication, such as `scram-sha-256`.
    #[schemars(length(min = 1, max = 20), regex(pattern = pattern::HBA_WORD))]
    pub method: Option<String>,
    /// Options of the method.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub options: BTreeMap<String, IntOrString>,
    /// Roles that the rule is for; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 63)))]
    pub users: Vec<String>,
}
