//! The passwords of a cluster: the roles that have one, and the Secret and the keys that contain it.

use crate::naming::{MONITORING_USER, PATRONI_USER, PGBOUNCER_USER};
use crate::postgres_cluster::cluster::{Cluster, PasswordType, User};

/// The length of the passwords of users and of the exporter (PGO's `internal/util/secrets.go`).
const USER_LENGTH: usize = 24;
/// The length of the passwords that people do not type.
const SERVICE_LENGTH: usize = 32;

/// The role or program that a password belongs to.
#[derive(Clone, Copy, Debug)]
pub enum CredentialHolder<'a> {
    /// A user of `spec.users`.
    User(&'a User),
    /// A program that connects to Postgres.
    Service(ServiceRole),
    /// Patroni's REST API. Its user is not a role of Postgres.
    Patroni,
}

/// A program that connects to Postgres with a role of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceRole {
    /// pgBouncer, which queries the verifiers of users.
    PgBouncer,
    /// The exporter.
    Monitoring,
}

impl ServiceRole {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::PgBouncer, Self::Monitoring];

    /// The name of the role in Postgres.
    pub fn role(self) -> &'static str {
        match self {
            Self::PgBouncer => PGBOUNCER_USER,
            Self::Monitoring => MONITORING_USER,
        }
    }

    /// The key of the role in the caretaker's `roles.json`.
    pub fn key(self) -> &'static str {
        match self {
            Self::PgBouncer => "pgbouncer",
            Self::Monitoring => "monitoring",
        }
    }
}

/// The keys of a Secret that contain a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CredentialKeys {
    /// The key of the password.
    pub password: &'static str,
    /// The key of what Postgres stores of the password. It is absent if the user is not a role of Postgres.
    pub verifier: Option<&'static str>,
}

/// One password of a cluster.
#[derive(Clone, Debug)]
pub struct PlannedCredential<'a> {
    /// The name to log in with.
    pub role: &'a str,
    /// What the password belongs to.
    pub holder: CredentialHolder<'a>,
    /// The name of its Secret.
    pub secret: String,
    /// The keys in the Secret.
    pub keys: CredentialKeys,
    /// The characters of a password that pgrender makes.
    pub alphabet: PasswordType,
    /// The length of a password that pgrender makes, in characters.
    pub length: usize,
    /// Whether the user provides the Secret. If so, pgrender does not know its content.
    pub is_brought: bool,
}

impl Cluster {
    /// Every password of the cluster. Those of users are in the order of the spec.
    pub fn credentials(&self) -> Vec<PlannedCredential<'_>> {
        let mut holders = vec![CredentialHolder::Patroni];
        holders.extend(self.users.iter().map(CredentialHolder::User));
        holders.extend(self.exporter.as_ref().map(|_| CredentialHolder::Service(ServiceRole::Monitoring)));
        holders.extend(self.pgbouncer.as_ref().map(|_| CredentialHolder::Service(ServiceRole::PgBouncer)));
        holders.into_iter().map(|holder| self.credential(holder)).collect()
    }

    /// The password of one holder.
    pub fn credential<'a>(&'a self, holder: CredentialHolder<'a>) -> PlannedCredential<'a> {
        let keys = CredentialKeys { password: "password", verifier: Some("verifier") };
        let (role, secret, keys, alphabet, length) = match holder {
            CredentialHolder::User(user) => {
                (user.name.as_str(), self.user_secret(&user.name), keys, user.password, USER_LENGTH)
            }
            CredentialHolder::Service(ServiceRole::Monitoring) => {
                (MONITORING_USER, self.monitoring_secret(), keys, PasswordType::Ascii, USER_LENGTH)
            }
            CredentialHolder::Service(ServiceRole::PgBouncer) => {
                let keys = CredentialKeys { password: "pgbouncer-password", verifier: Some("pgbouncer-verifier") };
                (PGBOUNCER_USER, self.pgbouncer_name(), keys, PasswordType::Ascii, SERVICE_LENGTH)
            }
            // HTTP clients put it into a header, and people put it into a command.
            CredentialHolder::Patroni => {
                let keys = CredentialKeys { verifier: None, ..keys };
                (PATRONI_USER, self.patroni_secret(), keys, PasswordType::AlphaNumeric, SERVICE_LENGTH)
            }
        };
        PlannedCredential { role, holder, secret, keys, alphabet, length, is_brought: self.brings_credential(role) }
    }

    /// Whether the user provides the Secret of a role.
    pub fn brings_credential(&self, role: &str) -> bool {
        self.referenced_credentials.contains(role)
    }
}
