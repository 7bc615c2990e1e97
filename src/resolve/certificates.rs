//! Who makes the certificates.

use super::Context;
use crate::cluster::{CertManager, Cluster};
use crate::naming::annotation;
use crate::options::{CertificateSource, Options};
use crate::report::FieldPath;

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

/// Refuses to rotate what only cert-manager can rotate.
pub(super) fn check_rotation(cluster: &Cluster, context: &mut Context) {
    for key in [annotation::ROTATE_CA, annotation::ROTATE_CERTIFICATES] {
        if cluster.cert_manager.is_some() && cluster.annotations.contains_key(key) {
            let message =
                "rotates nothing, because cert-manager makes the certificates: remove it, and use `cmctl renew`";
            context.error(FieldPath::of("metadata.annotations").key(key), message);
        }
    }
}
