//! Passwords and verifiers of a Secret.

use zeroize::Zeroizing;

use super::secret::Secret;
use crate::cluster::PasswordGeneration;
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

/// Reads the Secret of a user or of the exporter (`pgo-inventory` 2.6, 2.9).
pub(super) fn user(secret: Secret) -> Result<Credential, Vec<Diagnostic>> {
    read(secret, "password", "verifier")
}

/// Reads the Secret of pgBouncer (`pgo-inventory` 2.8).
pub(super) fn pgbouncer(secret: Secret) -> Result<Credential, Vec<Diagnostic>> {
    let credential = read(secret, "pgbouncer-password", "pgbouncer-verifier")?;
    // pgBouncer's list of users has a line for each.
    if credential.password.as_ref().is_some_and(|password| password.contains(['\n', '\r'])) {
        let what = "has a line break, which pgBouncer's list of users cannot hold: write it without";
        return Err(vec![credential.secret.error("pgbouncer-password", what)]);
    }
    Ok(credential)
}

/// Reads the Secret of Patroni's API, whose password Postgres does not know.
pub(super) fn patroni(secret: Secret) -> Result<Credential, Vec<Diagnostic>> {
    let credential = read(secret, "password", "password")?;
    // Patroni's clients put it into a header, each in an encoding of its own.
    let printable = |password: &Zeroizing<String>| password.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !credential.password.as_ref().is_none_or(printable) {
        let what = "has more than printable ASCII, which Patroni's clients do not agree on: write it without";
        return Err(vec![credential.secret.error("password", what)]);
    }
    Ok(Credential { verifier: None, ..credential })
}

fn read<'a>(
    secret: Secret<'a>,
    password: &'static str,
    verifier_key: &'static str,
) -> Result<Credential<'a>, Vec<Diagnostic>> {
    let generation = |key| secret.generation(key);
    match (
        secret.text(password),
        secret.text(verifier_key),
        generation(annotation::GENERATION_PASSWORD),
        generation(annotation::GENERATION_PASSWORDS),
    ) {
        (Ok(password), Ok(verifier), Ok(own), Ok(all)) => {
            Ok(Credential { secret, password, verifier, verifier_key, generation: PasswordGeneration { own, all } })
        }
        (password, verifier, own, all) => {
            Err([password.err(), verifier.err(), own.err(), all.err()].into_iter().flatten().collect())
        }
    }
}
