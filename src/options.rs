//! What the caller may choose besides the cluster itself: flags of the command line, or fields of the `PgRender`
//! function configuration. The same for every entry point.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::window::Schedule;

/// Who makes certificates.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum CertificateSource {
    /// They are derived from the seed.
    #[default]
    Seed,
    /// cert-manager, in the Kubernetes cluster.
    CertManager {
        /// Who signs them; a CA for each cluster, which cert-manager makes too, unless there is one.
        issuer: Option<IssuerReference>,
    },
}

/// Where passwords and verifiers come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CredentialSource {
    /// They are derived from the seed.
    #[default]
    Seed,
    /// From Secrets with PGO's names, which the user brings and this program does not know.
    Reference,
}

/// The reference to an issuer of cert-manager (`issuerRef`).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct IssuerReference {
    /// `cert-manager.io`, or that of an external issuer.
    pub group: String,
    /// `Issuer`, `ClusterIssuer`, or that of an external issuer.
    pub kind: String,
    /// The name.
    pub name: String,
}

impl IssuerReference {
    /// An `Issuer` in the cluster's own namespace.
    pub fn issuer(name: String) -> Self {
        Self { group: "cert-manager.io".to_owned(), kind: "Issuer".to_owned(), name }
    }
}

/// The settings of one run. [`Options::default`] is what a caller who says nothing gets, but for the time: whoever
/// renders must set it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of a cluster that names none.
    pub namespace: Option<String>,
    /// The domain of the Kubernetes cluster, without a final dot: `cluster.local` in nearly all.
    pub cluster_domain: String,
    /// Images by PGO's names of the environment variables (`RELATED_IMAGE_POSTGRES_17`, `RELATED_IMAGE_PGBACKREST`, …);
    /// a field of the `PostgresCluster` wins over these, and these over the built-in table.
    pub images: BTreeMap<String, String>,
    /// The moment to render for, in seconds since 1970-01-01 00:00:00 UTC.
    pub time: i64,
    /// How often leaf certificates are replaced and how long they live.
    pub certificates: Schedule,
    /// Who makes certificates.
    pub certificate_source: CertificateSource,
    /// Where passwords come from, but for users of which the cluster says otherwise.
    pub credentials: CredentialSource,
    /// Who shares a CA, for clusters of several namespaces that trust each other; each namespace is one of its own unless
    /// it is given.
    pub trust_domain: Option<String>,
    /// Other trust domains of the same seed whose CA is trusted too, for the time in which clusters move from one domain to
    /// another.
    pub trust_also: Vec<String>,
    /// Whether NetworkPolicies are rendered, which needs a network plugin that enforces them.
    pub network_policies: bool,
    /// Whether the caretaker may write EndpointSlices, for a Kubernetes that makes none of Endpoints.
    pub endpoint_slices: bool,
    /// Whether the Kubernetes cluster is OpenShift, for a `PostgresCluster` that does not say.
    pub openshift: bool,
    /// How many clusters are rendered in one run, or what is as much work.
    pub max_clusters: usize,
    /// Whether the input may have gone through kustomize, which puts quotes around the booleans of YAML 1.1.
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
            endpoint_slices: false,
            openshift: false,
            max_clusters: 100,
            through_kustomize: false,
        }
    }
}
