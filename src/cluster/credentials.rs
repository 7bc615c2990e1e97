//! The passwords of a cluster: which roles have one, and under which keys of which Secret it is.

use super::{Cluster, PasswordType, User};
use crate::naming::{MONITORING_USER, PATRONI_USER, PGBOUNCER_USER};

/// The length of a user's password, and of the exporter's (PGO, `internal/util/secrets.go`).
const USER_LENGTH: usize = 24;
/// The length of the passwords that people do not type.
const SERVICE_LENGTH: usize = 32;

/// Who has a password.
#[derive(Clone, Copy, Debug)]
pub enum CredentialHolder<'a> {
    /// A user of `spec.users`.
    User(&'a User),
    /// pgBouncer, which asks Postgres for the verifiers of users.
    PgBouncer,
    /// The exporter.
    Monitoring,
    /// Patroni's REST API, of which Postgres knows nothing.
    Patroni,
}

/// The keys of a Secret under which a credential is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CredentialKeys {
    /// The password.
    pub password: &'static str,
    /// What Postgres stores of it; absent where Postgres does not know the role.
    pub verifier: Option<&'static str>,
}

/// One password of a cluster.
#[derive(Clone, Debug)]
pub struct PlannedCredential<'a> {
    /// The name that logs in.
    pub role: &'a str,
    /// Who it is.
    pub holder: CredentialHolder<'a>,
    /// The name of its Secret.
    pub secret: String,
    /// Where in the Secret it is.
    pub keys: CredentialKeys,
    /// The characters of a password that pgrender makes.
    pub alphabet: PasswordType,
    /// The length of a password that pgrender makes, in characters.
    pub length: usize,
    /// Whether the user brings the Secret, so that pgrender knows nothing of what is in it.
    pub is_brought: bool,
}

impl Cluster {
    /// Every password of the cluster, those of users in the order of the spec.
    pub fn credentials(&self) -> Vec<PlannedCredential<'_>> {
        let mut holders = vec![CredentialHolder::Patroni];
        holders.extend(self.users.iter().map(CredentialHolder::User));
        holders.extend(self.exporter.then_some(CredentialHolder::Monitoring));
        holders.extend(self.pgbouncer.as_ref().map(|_| CredentialHolder::PgBouncer));
        holders.into_iter().map(|holder| self.credential(holder)).collect()
    }

    /// The password of one holder.
    pub fn credential<'a>(&'a self, holder: CredentialHolder<'a>) -> PlannedCredential<'a> {
        let keys = CredentialKeys { password: "password", verifier: Some("verifier") };
        let (role, secret, keys, alphabet, length) = match holder {
            CredentialHolder::User(user) => {
                (user.name.as_str(), self.user_secret(&user.name), keys, user.password, USER_LENGTH)
            }
            CredentialHolder::Monitoring => {
                (MONITORING_USER, self.monitoring_secret(), keys, PasswordType::Ascii, USER_LENGTH)
            }
            CredentialHolder::PgBouncer => {
                let keys = CredentialKeys { password: "pgbouncer-password", verifier: Some("pgbouncer-verifier") };
                (PGBOUNCER_USER, self.pgbouncer_name(), keys, PasswordType::Ascii, SERVICE_LENGTH)
            }
            // Clients put it into a header, and people into a command.
            CredentialHolder::Patroni => {
                let keys = CredentialKeys { verifier: None, ..keys };
                (PATRONI_USER, self.patroni_secret(), keys, PasswordType::AlphaNumeric, SERVICE_LENGTH)
            }
        };
        PlannedCredential { role, holder, secret, keys, alphabet, length, is_brought: self.brings_credential(role) }
    }

    /// Whether the user brings the Secret of a role.
    pub fn brings_credential(&self, role: &str) -> bool {
        self.referenced_credentials.contains(role)
    }
}
