//! The settings of a run besides the cluster itself: flags of the command line, or fields of the `PgRender` function
//! configuration. They are the same for every entry point.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::identity::window::Schedule;

/// Who makes certificates.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum CertificateSource {
    /// pgrender derives them from the seed.
    #[default]
    Seed,
    /// cert-manager makes them in the Kubernetes cluster.
    CertManager {
        /// The issuer that signs them. If it is absent, cert-manager makes a CA for each cluster.
        issuer: Option<IssuerReference>,
    },
}

impl CertificateSource {
    /// Whether an issuer signs that the user provides. It may also sign certificates of other clusters.
    pub fn has_issuer(&self) -> bool {
        matches!(self, Self::CertManager { issuer: Some(_) })
    }
}

/// Where passwords and verifiers come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CredentialSource {
    /// pgrender derives them from the seed.
    #[default]
    Seed,
    /// The user provides Secrets with PGO's names. pgrender does not read them.
    Reference,
}

/// The reference to an issuer of cert-manager (`issuerRef`).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct IssuerReference {
    /// `cert-manager.io`, or the API group of an external issuer.
    pub group: String,
    /// `Issuer`, `ClusterIssuer`, or the kind of an external issuer.
    pub kind: String,
    /// The name of the issuer.
    pub name: String,
}

impl IssuerReference {
    /// An `Issuer` in the cluster's own namespace.
    pub fn issuer(name: String) -> Self {
        Self { group: "cert-manager.io".to_owned(), kind: "Issuer".to_owned(), name }
    }
}

/// The settings of one run. [`Options::default`] contains the default of every setting. It sets `time` to 0, so every caller
/// must set `time` to render.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of a cluster without `metadata.namespace`.
    pub namespace: Option<String>,
    /// The DNS domain of the Kubernetes cluster, without a final dot. It is nearly always `cluster.local`.
    pub cluster_domain: String,
    /// Images, by PGO's names of the environment variables (`RELATED_IMAGE_POSTGRES_17`, `RELATED_IMAGE_PGBACKREST`, …). A
    /// field of the `PostgresCluster` overrides these images, and these override the built-in table.
    pub images: BTreeMap<String, String>,
    /// The time to render for, in seconds since 1970-01-01 00:00:00 UTC.
    pub time: i64,
    /// How often leaf certificates are replaced and how long they live.
    pub certificates: Schedule,
    /// Who makes certificates.
    pub certificate_source: CertificateSource,
    /// Where passwords come from. An annotation of the cluster can override this for single users.
    pub credentials: CredentialSource,
    /// The trust domain. Clusters with the same trust domain share a CA, so clusters of several namespaces can trust each
    /// other. If it is absent, each namespace is a trust domain.
    pub trust_domain: Option<String>,
    /// Other trust domains of the same seed whose CA is trusted too. They are needed while clusters move from one domain to
    /// another.
    pub trust_also: Vec<String>,
    /// Whether NetworkPolicies are rendered. They need a network plugin that enforces them.
    pub network_policies: bool,
    /// Whether objects of Prometheus Operator are rendered for clusters with an exporter: a PodMonitor and a PrometheusRule.
    pub prometheus_operator: bool,
    /// Whether a ConfigMap with a dashboard for Grafana is rendered for clusters with an exporter.
    pub grafana_dashboard: bool,
    /// Whether the Role allows the caretaker to write EndpointSlices, for a Kubernetes that does not create EndpointSlices from
    /// Endpoints.
    pub endpoint_slices: bool,
    /// Whether the Kubernetes cluster is OpenShift, for a `PostgresCluster` without `spec.openshift`.
    pub openshift: bool,
    /// How many clusters, or how much work in units of an ordinary cluster, one run may render.
    pub max_clusters: usize,
    /// Whether the input may come from kustomize, which writes the booleans of YAML 1.1 as quoted strings.
    pub through_kustomize: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            cluster_domain: "cluster.local".to_owned(),
            images: BTreeMap::new(),
            time: 0,
            certificates: Schedule::default(),
            certificate_source: CertificateSource::default(),
            credentials: CredentialSource::default(),
            trust_domain: None,
            trust_also: Vec::new(),
            network_policies: false,
            prometheus_operator: false,
            grafana_dashboard: false,
            endpoint_slices: false,
            openshift: false,
            max_clusters: 100,
            through_kustomize: false,
        }
    }
}
