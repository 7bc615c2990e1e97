//! Resolves the source of the certificates.

use crate::options::{CertificateSource, Options};
use crate::postgres_cluster::cluster::CertManager;

/// Returns the settings for cert-manager if it creates the certificates.
pub(crate) fn cert_manager(options: &Options) -> Option<CertManager> {
    match &options.certificate_source {
        CertificateSource::Seed => None,
        CertificateSource::CertManager { issuer } => {
            Some(CertManager { issuer: issuer.clone(), schedule: options.certificates })
        }
    }
}
