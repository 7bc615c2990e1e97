//! Resolves the annotations of a `PostgresCluster` that request a new CA, new certificates or new passwords.

use std::collections::{BTreeMap, BTreeSet};

use super::credentials::ServiceRole;
use super::generations::{Generations, generation};
use crate::diagnostic::FieldPath;
use crate::naming::annotation;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::resolve::context::Context;

/// Reads these annotations. `roles` are the roles of `cluster` with a password. For the `referenced` roles, the user provides
/// the Secrets.
///
/// Each annotation that is not a positive number, or that names an unknown role or something that does not rotate, is an error,
/// because a misspelt annotation would silently rotate nothing. A request that pgrender cannot fulfil is an error too.
pub(crate) fn resolve(
    annotations: &BTreeMap<String, String>,
    cluster: &Cluster,
    roles: &BTreeSet<&str>,
    referenced: &BTreeSet<&str>,
    context: &mut Context,
) -> Generations {
    let mut generations = Generations::default();
    for (key, value) in annotations.iter().filter(|(key, _)| key.starts_with(annotation::ROTATE)) {
        let path = FieldPath::of("metadata.annotations").key(key.as_str());
        match (key.as_str(), key.strip_prefix(annotation::ROTATE_PASSWORD)) {
            (annotation::ROTATE_CA | annotation::ROTATE_CERTIFICATES, _) if cluster.cert_manager.is_some() => {
                let message =
                    "has no effect, because cert-manager issues the certificates: remove it, and use `cmctl renew`";
                context.error(path, message);
                continue;
            }
            (annotation::ROTATE_PASSWORDS, _) if roles == referenced => context.error(path.clone(), BROUGHT),
            (_, Some(role)) if referenced.contains(role) => context.error(path.clone(), BROUGHT),
            _ => {}
        }
        if let Err(message) = set(&mut generations, roles, key, value) {
            context.error(path, message);
        }
    }
    generations
}

const BROUGHT: &str = "has no effect, because you provide the Secret: remove it, and change the password in the Secret";

/// Applies one annotation, or returns what is wrong with it.
fn set(generations: &mut Generations, roles: &BTreeSet<&str>, key: &str, value: &str) -> Result<(), String> {
    let number = generation(value).ok_or_else(|| {
        format!(
            "invalid value `{value}` of annotation `{key}`: write a whole number, at least \"1\", and increase it by \
             one for each rotation"
        )
    });
    match (key, key.strip_prefix(annotation::ROTATE_PASSWORD)) {
        (annotation::ROTATE_CA, _) => generations.authority = number?,
        (annotation::ROTATE_CERTIFICATES, _) => generations.certificates = number?,
        (annotation::ROTATE_PASSWORDS, _) => generations.all_passwords = number?,
        (_, Some(role)) => {
            let number = number?;
            // If pgBouncer or the exporter is removed for a while, the annotation may stay.
            if !roles.contains(role) && !ServiceRole::ALL.iter().any(|service| service.role() == role) {
                return Err(format!(
                    "annotation `{key}` is not for a user of the cluster: write a name from `spec.users`, or remove it"
                ));
            }
            generations.passwords.insert(role.to_owned(), number);
        }
        _ => {
            return Err(format!(
                "annotation `{key}` does not rotate anything: write `{}`, `{}`, `{}` or `{}<user>`",
                annotation::ROTATE_CA,
                annotation::ROTATE_CERTIFICATES,
                annotation::ROTATE_PASSWORDS,
                annotation::ROTATE_PASSWORD
            ));
        }
    }
    Ok(())
}
