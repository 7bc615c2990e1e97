//! Certificates: those in rendered Secrets, and those that cert-manager makes.

use super::backups::text;
use super::model::Certificate;
use super::view::View;
use crate::identity::x509;

/// The certificates, without those of CAs.
pub(super) fn describe(view: &View) -> Vec<Certificate> {
    let mut found = Vec::new();
    for secret in view.secrets() {
        for (key, value) in secret.data.iter().flatten() {
            let text_of =
                std::str::from_utf8(&value.0).ok().filter(|text| text.contains("-----BEGIN CERTIFICATE-----"));
            let leaf = text_of.and_then(x509::certificates).and_then(|all| all.into_iter().find(|it| !it.is_authority));
            found.extend(leaf.map(|leaf| Certificate {
                secret: secret.metadata.name.clone().unwrap_or_default(),
                key: key.clone(),
                common_name: leaf.common_name.unwrap_or_default(),
                names: leaf.names,
                not_before: text(leaf.not_before),
                not_after: text(leaf.not_after),
                duration: None,
            }));
        }
    }
    found.extend(view.cert_manager().filter(|(_, spec)| !spec.is_ca).map(|(_, spec)| Certificate {
        secret: spec.secret_name.clone(),
        key: "tls.crt".to_owned(),
        common_name: spec.common_name.clone(),
        names: spec.dns_names.clone(),
        not_before: None,
        not_after: None,
        duration: Some(spec.duration.clone()),
    }));
    found
}
