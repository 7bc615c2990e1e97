//! Secrets with passwords that the user provides (`pgrender.dev/credentials.<user>: reference`). If such a Secret is in the input,
//! this module checks that it has what the program that uses it needs. The password of the exporter may also be one that the
//! rendered Secret reuses.

use super::credentials::{CredentialHolder, PlannedCredential, ServiceRole};
use super::existing::{Brought, Secret, Sources};
use crate::diagnostic::Diagnostic;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::patroni::configuration::AUTHENTICATION_KEY;
use crate::postgres_cluster::pgbouncer::configuration::USERS_KEY;

/// Returns warnings about these Secrets, and the total length of those that were read, in bytes. The cluster runs without the
/// values, and another tool may add them, so there is no error.
pub(crate) fn check(cluster: &Cluster, sources: &Sources) -> (Vec<Diagnostic>, usize) {
    let (mut diagnostics, mut size) = (Vec::new(), 0);
    for credential in cluster.credentials() {
        let is_of_exporter = matches!(credential.holder, CredentialHolder::Service(ServiceRole::Monitoring));
        if !credential.is_brought && !is_of_exporter {
            continue;
        }
        // A value that cannot be read is for the API server to refuse.
        if let Ok(Brought::Readable(secret)) = sources.brought(&cluster.namespace, &credential.secret) {
            size += secret.size();
            diagnostics.extend(missing(&credential, &secret).filter(|_| credential.is_brought));
            diagnostics.extend(white_space(&credential, &secret).filter(|_| is_of_exporter));
        }
    }
    (diagnostics, size)
}

/// What a Secret lacks.
fn missing(credential: &PlannedCredential, secret: &Secret) -> Option<Diagnostic> {
    let is_missing = |key: &str| matches!(secret.bytes(key), Ok(None));
    let missing = |key: &str, consequence: &str| {
        is_missing(key).then(|| secret.warning(key, &format!("is missing, so {consequence}: add it")))
    };
    let (password, verifier) = (credential.keys.password, credential.keys.verifier);
    let of_program = match credential.holder {
        CredentialHolder::Service(ServiceRole::Monitoring) => {
            missing(password, "the exporter cannot log in, and there are no metrics; a verifier alone is not enough")
        }
        CredentialHolder::Service(ServiceRole::PgBouncer) => missing(USERS_KEY, "pods of pgBouncer do not start"),
        CredentialHolder::Patroni => missing(AUTHENTICATION_KEY, "pods of instances do not start"),
        CredentialHolder::User(_) => None,
    };
    of_program.or_else(|| {
        let verifier = verifier.filter(|verifier| is_missing(verifier))?;
        missing(password, &format!("the role cannot log in, because `{verifier}` is missing too"))
    })
}

/// White space in a password, with which `postgres_exporter` cannot log in (`scripts/exporter.sh`).
fn white_space(credential: &PlannedCredential, secret: &Secret) -> Option<Diagnostic> {
    let text = secret.text(credential.keys.password).ok()??;
    let message = "contains a space, or begins or ends with white space, so the exporter cannot log in: choose a password \
                   without white space, and write it without a line break at the end";
    (text.contains(' ') || text.trim() != text.as_str()).then(|| secret.warning(credential.keys.password, message))
}
