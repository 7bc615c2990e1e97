//! Which roles have a Secret that the user brings.

use std::collections::BTreeSet;

use super::Context;
use crate::cluster::Cluster;
use crate::naming::{MONITORING_USER, PATRONI_USER, PGBOUNCER_USER, annotation};
use crate::options::CredentialSource;
use crate::report::FieldPath;

/// The roles of `cluster` whose Secret is not rendered: all that the options ask for, but for the annotation of a role.
pub(super) fn referenced(cluster: &Cluster, context: &mut Context) -> BTreeSet<String> {
    let users = cluster.users.iter().map(|user| user.name.as_str());
    let pgbouncer = cluster.pgbouncer.is_some().then_some(PGBOUNCER_USER);
    let monitoring = cluster.exporter.then_some(MONITORING_USER);
    let roles: BTreeSet<&str> = users.chain([PATRONI_USER]).chain(pgbouncer).chain(monitoring).collect();
    let mut referenced = match context.options.credentials {
        CredentialSource::Seed => BTreeSet::new(),
        CredentialSource::Reference => roles.clone(),
    };
    for (key, value) in &cluster.annotations {
        let Some(role) = key.strip_prefix(annotation::CREDENTIALS) else { continue };
        let refused = match (value.as_str(), roles.contains(role)) {
            ("reference", true) => {
                referenced.insert(role);
                continue;
            }
            ("seed", true) => {
                referenced.remove(role);
                continue;
            }
            (_, false) => "names no user of the cluster; write a name of `spec.users`, or remove it".to_owned(),
            (other, true) => format!("`{other}` is no source, write `reference` or `seed`"),
        };
        context.error(FieldPath::of("metadata.annotations").key(key.as_str()), refused);
    }
    check_rotation(cluster, &roles, &referenced, context);
    referenced.into_iter().map(str::to_owned).collect()
}

/// Refuses to rotate a password that this program does not know.
fn check_rotation(cluster: &Cluster, roles: &BTreeSet<&str>, referenced: &BTreeSet<&str>, context: &mut Context) {
    for key in cluster.annotations.keys() {
        let own = key.strip_prefix(annotation::ROTATE_PASSWORD).is_some_and(|role| referenced.contains(role));
        let all = key == annotation::ROTATE_PASSWORDS && roles == referenced;
        if own || all {
            let message = "rotates nothing, because you bring the Secret: remove it, and change the password there";
            context.error(FieldPath::of("metadata.annotations").key(key.as_str()), message);
        }
    }
}
