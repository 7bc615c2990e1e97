//! Determines the roles that have a password, and those whose Secret the user provides.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::FieldPath;
use crate::naming::annotation;
use crate::options::CredentialSource;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::resolve::context::Context;

/// Returns the roles of `cluster` that have a password.
pub(crate) fn roles(cluster: &Cluster) -> BTreeSet<&str> {
    cluster.credentials().into_iter().map(|credential| credential.role).collect()
}

/// Returns those of `roles` whose Secret is not rendered. The options set the default for all roles, and the annotation of a
/// role overrides it.
pub(crate) fn referenced<'a>(
    annotations: &BTreeMap<String, String>,
    roles: &BTreeSet<&'a str>,
    context: &mut Context,
) -> BTreeSet<&'a str> {
    let mut referenced = match context.options.credentials {
        CredentialSource::Seed => BTreeSet::new(),
        CredentialSource::Reference => roles.clone(),
    };
    for (key, value) in annotations {
        let Some(role) = key.strip_prefix(annotation::CREDENTIALS) else { continue };
        let refused = match (value.as_str(), roles.get(role)) {
            ("reference", Some(role)) => {
                referenced.insert(role);
                continue;
            }
            ("seed", Some(role)) => {
                referenced.remove(role);
                continue;
            }
            (_, None) => "is not for a user of the cluster: write a name from `spec.users`, or remove it".to_owned(),
            (other, Some(_)) => format!("invalid source of passwords `{other}`: write `reference` or `seed`"),
        };
        context.error(FieldPath::of("metadata.annotations").key(key.as_str()), refused);
    }
    referenced
}
