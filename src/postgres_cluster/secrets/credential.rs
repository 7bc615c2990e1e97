//! One credential: the existing one, or else a derived one.

use zeroize::Zeroizing;

use super::credentials::PlannedCredential;
use super::existing;
use super::identity::Credential;
use super::reuse;
use crate::diagnostic::Diagnostic;
use crate::identity::context::Context;
use crate::identity::seed::Seed;
use crate::identity::{password, scram};
use crate::postgres_cluster::cluster::{Cluster, PasswordType};

/// Derives the credential `planned`, or reuses the existing credential `held`. Adds its messages to `diagnostics`.
pub(crate) fn derive(
    cluster: &Cluster,
    planned: &PlannedCredential,
    seed: &Seed,
    held: Option<&existing::Credential>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Credential {
    let (Cluster { namespace, name, .. }, role) = (cluster, planned.role);
    let asked = cluster.generations.password(role);
    let generation = held.map_or(asked, |held| asked.later(held.generation));
    let kept = held.and_then(|held| reuse::credential(held, generation));
    let (password, verifier) = kept.unwrap_or_else(|| {
        let alphabet = match planned.alphabet {
            PasswordType::Ascii => &password::ASCII,
            PasswordType::AlphaNumeric => &password::ALPHANUMERIC,
        };
        let context = Context::password(namespace, name, role, alphabet.name, generation);
        (password::derive(&context, seed, alphabet, planned.length), None)
    });
    let verifier =
        planned.keys.verifier.map(|_| verifier.unwrap_or_else(|| verifier_of(cluster, role, &password, seed)));
    let credential = Credential { password, verifier, generation };
    diagnostics.extend(held.and_then(|held| reuse::credential_notes(held, role, asked, &credential)));
    credential
}

fn verifier_of(cluster: &Cluster, role: &str, password: &Zeroizing<String>, seed: &Seed) -> Zeroizing<String> {
    let salt = Context::scram_salt(&cluster.namespace, &cluster.name, role, password).draw(seed, 0);
    scram::verifier(password, &salt)
}
