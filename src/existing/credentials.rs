//! Passwords and verifiers of a Secret.

use zeroize::Zeroizing;

use super::secret::Secret;
use crate::cluster::{CredentialHolder, CredentialKeys, PasswordGeneration, PlannedCredential};
use crate::naming::annotation;
use crate::report::Diagnostic;

/// The password of a role in a Secret. It has no `Debug`, so that it cannot be printed.
pub struct Credential<'a> {
    /// Where it is.
    pub secret: Secret<'a>,
    /// The password, unless it is missing or empty.
    pub password: Option<Zeroizing<String>>,
    /// What Postgres stores of it, in any form, unless it is missing or empty.
    pub verifier: Option<Zeroizing<String>>,
    /// The key of the verifier, or of what stands for it.
    pub verifier_key: &'static str,
    /// How often the password was replaced.
    pub generation: PasswordGeneration,
}

/// Reads the Secret of a role. An error too for a password that the role's program could not use.
pub(super) fn read<'a>(secret: Secret<'a>, planned: &PlannedCredential) -> Result<Credential<'a>, Vec<Diagnostic>> {
    let key = planned.keys.password;
    let credential = decoded(secret, planned.keys)?;
    let Some(password) = &credential.password else { return Ok(credential) };
    let fault = match planned.holder {
        CredentialHolder::PgBouncer if password.contains(['\n', '\r']) => {
            "has a line break, which pgBouncer's list of users cannot hold: write it without"
        }
        // Patroni's clients put it into a header, each in an encoding of its own.
        CredentialHolder::Patroni if !password.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
            "has more than printable ASCII, which Patroni's clients do not agree on: write it without"
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
            // Where there is no verifier, its notes are about the password.
            let verifier_key = keys.verifier.unwrap_or(keys.password);
            Ok(Credential { secret, password, verifier, verifier_key, generation: PasswordGeneration { own, all } })
        }
        (password, verifier, own, all) => {
            Err([password.err(), verifier.err(), own.err(), all.err()].into_iter().flatten().collect())
        }
    }
}
