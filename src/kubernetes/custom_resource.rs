//! Objects of kinds that a CRD defines.

use serde::Serialize;

use super::ObjectMeta;

/// An object of such a kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomResource<Spec> {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: Spec,
}
