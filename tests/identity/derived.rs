//! What was derived, by name.

use std::collections::BTreeMap;

use pgrender::cluster::CertificateRole;
use pgrender::identity::{Certificate, Credential, Identity};

/// Whom everyone of the trust domain trusts, PEM.
pub(crate) fn trust(identity: &Identity) -> &str {
    &identity.trust.as_ref().unwrap().domain
}

/// Whom the members of the cluster trust, PEM.
pub(crate) fn members_trust(identity: &Identity) -> &str {
    &identity.trust.as_ref().unwrap().members
}

pub(crate) fn credential<'a>(identity: &'a Identity, role: &str) -> &'a Credential {
    &identity.credentials[role]
}

/// What Postgres stores.
pub(crate) fn verifier(credential: &Credential) -> &str {
    credential.verifier.as_ref().unwrap()
}

/// A certificate that a cluster has once.
pub(crate) fn leaf(identity: &Identity, role: CertificateRole) -> &Certificate {
    identity.certificate(role, "").unwrap()
}

/// The certificate of the members of `instance1`.
pub(crate) fn member(identity: &Identity) -> &Certificate {
    identity.certificate(CertificateRole::Member, "instance1").unwrap()
}

/// What a certificate is called here.
fn called(role: CertificateRole, instance_set: &str) -> String {
    let word = match role {
        // A standby cluster has another in the same place.
        CertificateRole::Replica => "replication",
        role => role.word(),
    };
    format!("{word} {instance_set}").trim_end().to_owned()
}

/// Every certificate of the trust domain by a name of its own.
pub(crate) fn certificates(identity: &Identity) -> BTreeMap<String, &Certificate> {
    let of_domain = identity.certificates.iter().filter(|((role, _), _)| *role != CertificateRole::Member);
    of_domain.map(|((role, set), certificate)| (called(*role, set), certificate)).collect()
}

/// Every value by a name of its own.
pub(crate) fn values(identity: &Identity) -> BTreeMap<String, String> {
    let mut values = BTreeMap::from([
        ("trust bundle".to_owned(), trust(identity).to_owned()),
        ("members' bundle".to_owned(), members_trust(identity).to_owned()),
        ("fingerprint key".to_owned(), format!("{:?}", *identity.fingerprint_key)),
    ]);
    for (role, credential) in &identity.credentials {
        values.insert(format!("password {role}"), credential.password.to_string());
        values.extend(credential.verifier.as_ref().map(|verifier| (format!("verifier {role}"), verifier.to_string())));
    }
    for ((role, set), certificate) in &identity.certificates {
        values.insert(format!("certificate {}", called(*role, set)), certificate.certificate.clone());
        values.insert(format!("key {}", called(*role, set)), certificate.key.to_string());
    }
    values
}
