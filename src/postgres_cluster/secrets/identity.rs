//! The values of all secrets of a cluster.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::certificates::{CertificateAuthority, CertificateRole};
use crate::identity::certificate::Certificate;
use crate::identity::context::PasswordGeneration;
use crate::identity::window::Renewal;

/// All secrets of one cluster. It does not implement `Debug`, so that it cannot be printed.
pub struct Identity {
    /// The CA certificates that the cluster trusts; `None` if pgrender makes no certificate.
    pub trust: Option<Trust>,
    /// When to render again.
    pub renewal: Renewal,
    /// Credentials by role, without those whose Secret the user provides.
    pub credentials: BTreeMap<String, Credential>,
    /// Certificates by role and instance set, without those that pgrender does not make.
    pub certificates: BTreeMap<(CertificateRole, String), Certificate>,
    /// The key of the fingerprints of Secrets and ConfigMaps. Without it, nobody can use a fingerprint to test a guessed value.
    pub fingerprint_key: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// A certificate of the plan; `None` if pgrender does not make it.
    pub fn certificate(&self, role: CertificateRole, instance_set: &str) -> Option<&Certificate> {
        self.certificates.get(&(role, instance_set.to_owned()))
    }
}

/// The CA certificates that a cluster trusts, in PEM.
pub struct Trust {
    /// The CA certificates that everyone in the trust domain trusts.
    pub domain: String,
    /// The CA certificates that the members of the cluster trust to identify each other.
    pub members: String,
    /// The generation of the CA, from 1.
    pub generation: u32,
}

impl Trust {
    /// The trust bundle of those who verify certificates that this CA has signed.
    pub fn bundle(&self, authority: CertificateAuthority) -> &str {
        match authority {
            CertificateAuthority::TrustDomain => &self.domain,
            CertificateAuthority::Members => &self.members,
        }
    }
}

/// A password, and what Postgres stores of it.
pub struct Credential {
    /// The password. It is printable ASCII, unless a person has chosen it.
    pub password: Zeroizing<String>,
    /// The verifier, `SCRAM-SHA-256$4096:…`, unless an existing one has another form. `None` if the user is not a role of
    /// Postgres.
    pub verifier: Option<Zeroizing<String>>,
    /// The generation of the password.
    pub generation: PasswordGeneration,
}
