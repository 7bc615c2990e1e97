//! The annotations of a `PostgresCluster` that are pgrender's own.

use super::Context;
use crate::cluster::Cluster;
use crate::naming::annotation;
use crate::report::FieldPath;

/// What all of them begin with.
const DOMAIN: &str = "pgrender.dev/";

/// Refuses one that does not exist: it would do nothing, and its author counts on it. What follows a prefix is checked where
/// it is read, and an annotation that says where the seed is, where the seed is looked for.
pub(super) fn check(cluster: &Cluster, context: &mut Context) {
    let prefixes = [annotation::ROTATE, annotation::CREDENTIALS, annotation::SEED];
    for key in cluster.annotations.keys().filter(|key| key.starts_with(DOMAIN)) {
        if *key != annotation::ACCEPT_STANDBY && !prefixes.iter().any(|prefix| key.starts_with(prefix)) {
            let message = format!(
                "there is no such annotation: write `{}`, `{}<user>` or one that begins with `{}`, or remove it",
                annotation::ACCEPT_STANDBY,
                annotation::CREDENTIALS,
                annotation::ROTATE,
            );
            context.error(FieldPath::of("metadata.annotations").key(key.as_str()), message);
        }
    }
}
