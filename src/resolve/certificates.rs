//! Who makes the certificates.

use crate::cluster::CertManager;
use crate::options::{CertificateSource, Options};

/// What cert-manager is told, where it makes them.
pub(super) fn cert_manager(options: &Options) -> Option<CertManager> {
    match &options.certificate_source {
        CertificateSource::Seed => None,
        CertificateSource::CertManager { issuer } => {
            Some(CertManager { issuer: issuer.clone(), schedule: options.certificates })
        }
    }
}

/// Whether the author chose who signs.
pub(super) fn has_issuer(options: &Options) -> bool {
    matches!(options.certificate_source, CertificateSource::CertManager { issuer: Some(_) })
}
