//! `spec.service`, `spec.replicaService` and the Services of pgBouncer and pgAdmin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MetadataSpec;

/// Settings of a Service.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// `Local` to send traffic from outside only to pods on the node that it came to.
    #[schemars(extend("enum" = ["Cluster", "Local"]))]
    pub external_traffic_policy: Option<String>,
    /// `Local` to send traffic from inside only to pods on the node that it comes from.
    #[schemars(extend("enum" = ["Cluster", "Local"]))]
    pub internal_traffic_policy: Option<String>,
    /// IP families, in order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "enum": ["IPv4", "IPv6"] }))]
    pub ip_families: Vec<String>,
    /// Whether the Service has addresses of one IP family or of both.
    #[schemars(extend("enum" = ["SingleStack", "PreferDualStack", "RequireDualStack"]))]
    pub ip_family_policy: Option<String>,
    /// Labels and annotations of the Service.
    pub metadata: Option<MetadataSpec>,
    /// The port on every node, for the types `NodePort` and `LoadBalancer`.
    pub node_port: Option<i32>,
    /// The type of the Service.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["ClusterIP", "NodePort", "LoadBalancer"]))]
    pub type_: String,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        Self {
            external_traffic_policy: None,
            internal_traffic_policy: None,
            ip_families: Vec::new(),
            ip_family_policy: None,
            metadata: None,
            node_port: None,
            type_: "ClusterIP".to_owned(),
        }
    }
}
