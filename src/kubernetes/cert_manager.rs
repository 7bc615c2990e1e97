//! The types of cert-manager (`cert-manager.io/v1`) that this program uses.

use serde::Serialize;

use crate::naming::Labels;
use crate::options::IssuerReference;

/// The `spec` of an Issuer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub enum IssuerSpec {
    /// Signs each certificate with the key of the certificate itself.
    SelfSigned {},
    /// Signs with the CA's key in a Secret.
    #[serde(rename_all = "camelCase")]
    Ca {
        /// The Secret.
        secret_name: String,
    },
}

/// The `spec` of a Certificate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpec {
    pub(crate) secret_name: String,
    pub(crate) secret_template: SecretTemplate,
    pub(crate) common_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dns_names: Vec<String>,
    #[serde(rename = "isCA", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_ca: bool,
    pub(crate) usages: Vec<&'static str>,
    pub(crate) duration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) renew_before: Option<String>,
    pub(crate) private_key: PrivateKey,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) additional_output_formats: Vec<OutputFormat>,
    pub(crate) issuer_ref: IssuerReference,
    pub(crate) revision_history_limit: u32,
}

/// The labels and annotations that cert-manager adds to the Secret.
#[derive(Serialize)]
pub(crate) struct SecretTemplate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<Labels>,
    pub(crate) labels: Option<Labels>,
}

/// A P-256 key in the format `EC PRIVATE KEY` (SEC 1), which PGO uses too. cert-manager calls this encoding `PKCS1` for every
/// algorithm.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrivateKey {
    pub(crate) algorithm: &'static str,
    pub(crate) size: u32,
    pub(crate) encoding: &'static str,
    /// It is always set, because the default has changed (to `Always` in cert-manager 1.18).
    pub(crate) rotation_policy: &'static str,
}

#[derive(Serialize)]
pub(crate) struct OutputFormat {
    #[serde(rename = "type")]
    pub(crate) type_: &'static str,
}
