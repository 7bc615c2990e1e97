//! The parts of the model that several components have.

use std::collections::BTreeMap;

use crate::kubernetes::{Affinity, Toleration, TopologySpreadConstraint};

/// Labels and annotations that the user asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Labels, without those that PGO sets itself.
    pub labels: BTreeMap<String, String>,
    /// Annotations that the user asks for.
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// This metadata, overlaid with `more`. If both have a key, the value of `more` wins. PGO merges in the same order:
    /// `spec.metadata`, then the metadata of the section, then its own labels.
    #[must_use]
    pub fn merged(&self, more: Option<&Self>) -> Self {
        let mut merged = self.clone();
        if let Some(more) = more {
            merged.labels.extend(more.labels.clone());
            merged.annotations.extend(more.annotations.clone());
        }
        merged
    }
}

/// A key of a ConfigMap that the user provides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigMapKey {
    /// The name of the ConfigMap.
    pub name: String,
    /// The key in the ConfigMap.
    pub key: String,
}

/// The scheduling of pods.
#[derive(Clone, Debug, Default)]
pub struct Scheduling {
    /// `affinity`.
    pub affinity: Option<Affinity>,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
    /// The user's constraints, which come before PGO's two defaults.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// `priorityClassName`.
    pub priority_class_name: Option<String>,
}

/// The user's settings of a Service (PGO's `ServiceSpec`).
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// The metadata of the Service, without `spec.metadata`.
    pub metadata: Metadata,
    /// `ClusterIP`, `NodePort` or `LoadBalancer`.
    pub kind: ServiceKind,
    /// The fixed node port, if any.
    pub node_port: Option<i32>,
    /// `externalTrafficPolicy`.
    pub external_traffic_policy: Option<String>,
    /// `internalTrafficPolicy`.
    pub internal_traffic_policy: Option<String>,
    /// `ipFamilyPolicy`.
    pub ip_family_policy: Option<String>,
    /// `ipFamilies`.
    pub ip_families: Vec<String>,
}

/// The type of a Service (Kubernetes, "Service type").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceKind {
    /// From inside the Kubernetes cluster.
    ClusterIp,
    /// Also from outside, at a port of each node.
    NodePort,
    /// Also from outside, at a load balancer.
    LoadBalancer,
}

impl ServiceKind {
    /// All types.
    pub const ALL: [Self; 3] = [Self::ClusterIp, Self::NodePort, Self::LoadBalancer];

    /// The word for it in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            metadata: Metadata::default(),
            kind: ServiceKind::ClusterIp,
            node_port: None,
            external_traffic_policy: None,
            internal_traffic_policy: None,
            ip_family_policy: None,
            ip_families: Vec::new(),
        }
    }
}
