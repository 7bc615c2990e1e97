//! Who makes the certificates.

use super::Context;
use crate::cluster::{CertManager, Cluster};
use crate::config::patroni::setting;
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

/// Warns of the failsafe mode, which tells a password to whoever is taken for a member.
pub(super) fn check_failsafe_mode(cluster: &Cluster, context: &mut Context) {
    if setting::is_on(cluster.patroni.dynamic_configuration.get("failsafe_mode")) {
        let message = "sends the password of Patroni's API to each pod that has the labels of this cluster, wherever it wants to be \
                       asked: use it where nobody else may label pods of this namespace";
        let path = FieldPath::of("spec.patroni.dynamicConfiguration").key("failsafe_mode");
        context.warning(path, message);
    }
}
