//! Returns derived values by name.

use std::collections::BTreeMap;

use pgrender::identity::certificate::Certificate;
use pgrender::postgres_cluster::secrets::certificates::CertificateRole;
use pgrender::postgres_cluster::secrets::identity::{Credential, Identity};

/// The CAs that every member of the trust domain trusts, in PEM.
pub(crate) fn trust(identity: &Identity) -> &str {
    &identity.trust.as_ref().unwrap().domain
}

/// The CAs that the members of the cluster trust, in PEM.
pub(crate) fn members_trust(identity: &Identity) -> &str {
    &identity.trust.as_ref().unwrap().members
}

pub(crate) fn credential<'a>(identity: &'a Identity, role: &str) -> &'a Credential {
    &identity.credentials[role]
}

/// The verifier that Postgres stores.
pub(crate) fn verifier(credential: &Credential) -> &str {
    credential.verifier.as_ref().unwrap()
}

/// A certificate of which the cluster has only one.
pub(crate) fn leaf(identity: &Identity, role: CertificateRole) -> &Certificate {
    identity.certificate(role, "").unwrap()
}

/// The certificate of the members of `instance1`.
pub(crate) fn member(identity: &Identity) -> &Certificate {
    identity.certificate(CertificateRole::Member, "instance1").unwrap()
}

/// The name of a certificate in these tests.
fn called(role: CertificateRole, instance_set: &str) -> String {
    let word = match role {
        // A standby cluster has another certificate at the same place.
        CertificateRole::Replica => "replication",
        role => role.word(),
    };
    format!("{word} {instance_set}").trim_end().to_owned()
}

/// Every certificate of the trust domain by name.
pub(crate) fn certificates(identity: &Identity) -> BTreeMap<String, &Certificate> {
    let of_domain = identity.certificates.iter().filter(|((role, _), _)| *role != CertificateRole::Member);
    of_domain.map(|((role, set), certificate)| (called(*role, set), certificate)).collect()
}

/// Every value by name.
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
