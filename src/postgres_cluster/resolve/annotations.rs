//! Checks annotations of a `PostgresCluster` that belong to pgrender or to PGO. They have an effect only in the cluster's own
//! metadata, not in the metadata of the objects that the spec describes.

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::naming::{PREFIX, annotation};
use crate::postgres_cluster::cluster::Metadata;
use crate::postgres_cluster::spec::PostgresCluster;

/// PGO's annotations of a `PostgresCluster` that users write.
const OF_PGO: [&str; 9] = [
    annotation::ALLOW_UPGRADE,
    annotation::AUTHORIZE_BACKUP_REMOVAL,
    annotation::AUTO_CREATE_USER_SCHEMA,
    annotation::EXPORTER_COLLECTORS,
    annotation::PGBACKREST_BACKUP,
    annotation::PGBACKREST_CLOUD_LOG_VOLUME,
    annotation::PGBACKREST_IP_VERSION,
    annotation::PGBACKREST_RESTORE,
    annotation::TRIGGER_SWITCHOVER,
];

/// Annotations of pgrender without a part that the user chooses.
const OWN: [&str; 5] = [
    annotation::ACCEPT_STANDBY,
    annotation::DISCARD_TIMELINE,
    annotation::RESTORE_DRILL,
    annotation::RESTORE_DRILL_REPOSITORY,
    annotation::RESTORE_DRILL_SQL,
];

/// Annotations that accept only certain values, in lower case: those values, and what any other value does.
const VALUES: [(&str, &[&str], &str); 2] = [
    (annotation::AUTO_CREATE_USER_SCHEMA, &["", "false", "true"], "has no effect: write `\"true\"` or `\"false\"`"),
    (annotation::PGBACKREST_IP_VERSION, &["ipv4", "ipv6"], "is not valid, so `IPv4` is used: write `IPv4` or `IPv6`"),
];

/// What other modules may know of these lists.
pub(crate) mod known {
    use super::VALUES;
    #[cfg(test)]
    use super::{OF_PGO, OWN};

    /// All annotations without a part that the user chooses, except those of [`crate::naming::annotation::ROTATE`].
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = &'static str> {
        OF_PGO.into_iter().chain(OWN)
    }

    /// The values that an annotation accepts, in lower case, if it does not accept every value.
    pub(crate) fn values(key: &str) -> Option<&'static [&'static str]> {
        VALUES.iter().find(|(with_values, ..)| *with_values == key).map(|(_, values, _)| *values)
    }
}

/// Reports annotations in the cluster's own metadata that do not exist, and values that have no effect.
pub(crate) fn check(resource: &PostgresCluster, context: &mut Context) {
    let path = FieldPath::of("metadata.annotations");
    for (key, value) in resource.metadata.annotations.iter().flatten() {
        let path = path.key(key);
        if key.starts_with(annotation::OWN) {
            own(key, path, context);
        } else if key.starts_with(PREFIX) {
            of_pgo(key, value, path, context);
        }
    }
    let path = FieldPath::of("metadata.labels");
    for key in resource.metadata.labels.iter().flatten().map(|(key, _)| key) {
        if key.starts_with(annotation::OWN) || OF_PGO.contains(&key.as_str()) {
            context.error(path.key(key), "has no effect as a label: write it below `metadata.annotations`");
        }
    }
}

/// Reports an error if an annotation of pgrender does not exist, because the user expects an effect that it would not have. The
/// part after a prefix is checked by the code that reads it. The same is true of the annotations that say where the seed is.
fn own(key: &str, path: FieldPath, context: &mut Context) {
    let prefixes = [annotation::ROTATE, annotation::CREDENTIALS, annotation::SEED];
    if !OWN.contains(&key) && !prefixes.iter().any(|prefix| key.starts_with(prefix)) {
        let message = format!(
            "unknown annotation: write `{}`, `{}<user>` or one that begins with `{}`, or remove it",
            OWN.join("`, `"),
            annotation::CREDENTIALS,
            annotation::ROTATE,
        );
        context.error(path, message);
    }
}

/// Reports a warning if an annotation of PGO does not exist. PGO itself ignores unknown annotations.
fn of_pgo(key: &str, value: &str, path: FieldPath, context: &mut Context) {
    if !OF_PGO.contains(&key) {
        let message = match nearest(key) {
            Some(meant) => format!("has no effect, because PGO does not have this annotation: did you mean `{meant}`?"),
            None => {
                "has no effect, because PGO does not have this annotation for a PostgresCluster: remove it".to_owned()
            }
        };
        return context.warning(path, message);
    }
    let known = VALUES.iter().find(|(with_values, ..)| *with_values == key);
    if let Some((.., what)) = known.filter(|(_, values, _)| !values.contains(&value.to_lowercase().as_str())) {
        context.warning(path, format!("{} {what}", words::quote(value)));
    }
}

/// Reports annotations of pgrender and PGO in the metadata that the spec has at `path`, where they have no effect.
pub(crate) fn misplaced(metadata: &Metadata, path: &FieldPath, context: &mut Context) {
    for (field, entries) in [("annotations", &metadata.annotations), ("labels", &metadata.labels)] {
        for key in entries.keys() {
            let path = path.key(field).key(key);
            if key.starts_with(annotation::OWN) {
                let message = "has no effect here, because pgrender would only copy it to the objects: write it below \
                               `metadata.annotations` of the PostgresCluster";
                context.error(path, message);
            } else if field == "annotations" && key.starts_with(PREFIX) {
                let key = if OF_PGO.contains(&key.as_str()) { Some(key.as_str()) } else { nearest(key) };
                let message = match key {
                    Some(key) => {
                        format!("has no effect here: write `{key}` below `metadata.annotations` of the PostgresCluster")
                    }
                    None => "has no effect: remove it".to_owned(),
                };
                context.warning(path, message);
            }
        }
    }
}

/// Returns the known annotation that is most similar to `key`. Only the part after the domain is compared, because all of them
/// have the same domain.
fn nearest(key: &str) -> Option<&'static str> {
    let names = OF_PGO.iter().filter_map(|known| known.strip_prefix(PREFIX));
    let meant = words::nearest(key.strip_prefix(PREFIX)?, names)?;
    OF_PGO.iter().copied().find(|known| known.strip_prefix(PREFIX) == Some(meant))
}
