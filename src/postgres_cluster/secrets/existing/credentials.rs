//! Passwords and verifiers in a Secret.

use zeroize::Zeroizing;

use super::secret::Secret;
use crate::diagnostic::Diagnostic;
use crate::identity::context::PasswordGeneration;
use crate::naming::annotation;
use crate::postgres_cluster::secrets::credentials::{CredentialHolder, CredentialKeys, PlannedCredential, ServiceRole};

/// The password of a role in a Secret. It does not implement `Debug`, so that it cannot be printed.
pub struct Credential<'a> {
    /// The Secret that contains it.
    pub secret: Secret<'a>,
    /// The password; `None` if it is missing or empty.
    pub password: Option<Zeroizing<String>>,
    /// What Postgres stores of the password, in any format; `None` if it is missing or empty.
    pub verifier: Option<Zeroizing<String>>,
    /// The key of the verifier; for a role without a verifier, the key of the password.
    pub verifier_key: &'static str,
    /// The generation of the password.
    pub generation: PasswordGeneration,
}

/// Reads the Secret of a role. Also an error if the role's program could not use the password.
pub(crate) fn read<'a>(secret: Secret<'a>, planned: &PlannedCredential) -> Result<Credential<'a>, Vec<Diagnostic>> {
    let key = planned.keys.password;
    let credential = decoded(secret, planned.keys)?;
    let Some(password) = &credential.password else { return Ok(credential) };
    let fault = match planned.holder {
        CredentialHolder::Service(ServiceRole::PgBouncer) if password.contains(['\n', '\r']) => {
            "has a line break, which pgBouncer's file of users cannot contain: remove the line break"
        }
        // Clients of Patroni put the password into a header, and do not agree on the encoding of other characters.
        CredentialHolder::Patroni if !password.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
            "has characters other than printable ASCII, which the clients of Patroni encode differently: use only \
             printable ASCII"
        }
        _ => return Ok(credential),
    };
    Err(vec![credential.secret.error(key, fault)])
}

fn decoded(secret: Secret, keys: CredentialKeys) -> Result<Credential, Vec<Diagnostic>> {
    let generation = |key| secret.generation(key);
    match (
        secret.text(keys.password),
        keys.verifier.map_or(Ok(None), |key| secret.text(key)),
        generation(annotation::GENERATION_PASSWORD),
        generation(annotation::GENERATION_PASSWORDS),
    ) {
        (Ok(password), Ok(verifier), Ok(own), Ok(all)) => {
            // A role without a verifier has messages about its password only.
            let verifier_key = keys.verifier.unwrap_or(keys.password);
            Ok(Credential { secret, password, verifier, verifier_key, generation: PasswordGeneration { own, all } })
        }
        (password, verifier, own, all) => {
            Err([password.err(), verifier.err(), own.err(), all.err()].into_iter().flatten().collect())
        }
    }
}
