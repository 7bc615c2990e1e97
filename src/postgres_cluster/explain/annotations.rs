//! What the annotations of a `PostgresCluster` mean that are pgrender's or PGO's.

use super::{effects, examples};
use crate::diagnostic::words;
use crate::explain::{Explanation, FieldLine, path};
use crate::naming::annotation;
use crate::postgres_cluster::resolve::annotations::known;

/// The part of a key that the user chooses.
const USER: &str = "<user>";

/// The description of each annotation, by key. `<user>` stands for the name of a role.
fn descriptions() -> [(String, &'static str); 19] {
    [
        (
            annotation::ACCEPT_STANDBY.to_owned(),
            "`true` allows standby clusters of the same trust domain to stream from this cluster.",
        ),
        (
            format!("{}{USER}", annotation::CREDENTIALS),
            "Where the password of one role comes from: `seed`, or `reference` for a Secret that you provide. A role is a name \
             in `spec.users`, `_crunchypgbouncer`, `ccp_monitoring` or `_crunchypatroni`.",
        ),
        (
            annotation::DISCARD_TIMELINE.to_owned(),
            "The timeline of a former primary whose transactions its source lacks, and that may be discarded, for example `3`. \
             The log of the cluster names it.",
        ),
        (
            annotation::RESTORE_DRILL.to_owned(),
            "When to restore the newest backup into a scratch volume and to check it: a cron schedule, as in \
             `spec.backups.pgbackrest.repos[].schedules`.",
        ),
        (
            annotation::RESTORE_DRILL_REPOSITORY.to_owned(),
            "The repository whose newest backup the restore drill uses, for example `repo2`. Without it: the first one, or the \
             one that a standby cluster follows.",
        ),
        (annotation::RESTORE_DRILL_SQL.to_owned(), "The SQL that the restore drill runs, as `<configmap>/<key>`."),
        (
            annotation::ROTATE_CA.to_owned(),
            "The generation of the CA, a number that starts at 1. Increase it by one to replace the CA and all certificates; \
             wait until everything is applied before you increase it again.",
        ),
        (
            annotation::ROTATE_CERTIFICATES.to_owned(),
            "The generation of all certificates and their keys, a number that starts at 1. Increase it to replace them.",
        ),
        (
            format!("{}{USER}", annotation::ROTATE_PASSWORD),
            "The generation of the password of one role, a number that starts at 1. Increase it to replace the password.",
        ),
        (
            annotation::ROTATE_PASSWORDS.to_owned(),
            "The generation of all passwords, a number that starts at 1. Increase it to replace them.",
        ),
        (
            annotation::ALLOW_UPGRADE.to_owned(),
            "The `PGUpgrade` that may upgrade the cluster. It needs PGO's operator.",
        ),
        (
            annotation::AUTHORIZE_BACKUP_REMOVAL.to_owned(),
            "`true` allows PGO's operator to remove backups that are no longer in the spec.",
        ),
        (
            annotation::AUTO_CREATE_USER_SCHEMA.to_owned(),
            "`true` gives each user a schema of its name in each of its databases.",
        ),
        (
            annotation::EXPORTER_COLLECTORS.to_owned(),
            "`None` turns off the collectors that the exporter has itself; their metrics begin with `pg_`.",
        ),
        (
            annotation::PGBACKREST_BACKUP.to_owned(),
            "Requests a backup with `spec.backups.pgbackrest.manual`. Each new value requests one.",
        ),
        (
            annotation::PGBACKREST_CLOUD_LOG_VOLUME.to_owned(),
            "The PersistentVolumeClaim for the log files of backups to object storage.",
        ),
        (
            annotation::PGBACKREST_IP_VERSION.to_owned(),
            "`IPv6` makes pgBackRest's server listen on IPv6 addresses; `IPv4` is the default.",
        ),
        (
            annotation::PGBACKREST_RESTORE.to_owned(),
            "Requests a restore in place with `spec.backups.pgbackrest.restore`. Each new value requests one.",
        ),
        (
            annotation::TRIGGER_SWITCHOVER.to_owned(),
            "Requests a change of leader with `spec.patroni.switchover`. Each new value requests one.",
        ),
    ]
}

/// The paths of all annotations.
pub fn paths() -> Vec<String> {
    descriptions().iter().map(|(key, _)| path::join("metadata.annotations", key)).collect()
}

/// The annotations, as fields of `metadata.annotations`.
pub(super) fn lines() -> Vec<FieldLine> {
    let line = |(key, description): (String, &str)| FieldLine {
        name: key,
        type_name: "string".to_owned(),
        description: description.to_owned(),
        ..FieldLine::default()
    };
    descriptions().into_iter().map(line).collect()
}

/// Explains an annotation of pgrender or PGO.
pub(super) fn explain(key: &str) -> Option<Explanation> {
    let (general, description) = descriptions().into_iter().find(|(known, _)| is(known, key))?;
    let path = path::join("metadata.annotations", &general);
    let example = examples::of_annotation(&general, USER);
    Some(Explanation {
        effect: effects::of_exactly(&path),
        path,
        type_name: "string".to_owned(),
        description: description.to_owned(),
        rules: values(&general).into_iter().collect(),
        example,
        ..Explanation::default()
    })
}

/// Whether `key` is the annotation `known`, with any user.
fn is(known: &str, key: &str) -> bool {
    match known.strip_suffix(USER) {
        Some(prefix) => key.strip_prefix(prefix).is_some_and(|user| !user.is_empty()),
        None => known == key,
    }
}

/// Which values an annotation accepts, if they are few.
fn values(key: &str) -> Option<String> {
    let values = known::values(key)?;
    Some(format!("in any case one of {}", words::list(values.iter().copied().filter(|value| !value.is_empty()))))
}

/// The annotation with this name after the domain.
pub(super) fn called(name: &str) -> Option<String> {
    let all = descriptions();
    let (key, _) = all.iter().find(|(key, _)| key.split_once('/').is_some_and(|(_, own)| own == name))?;
    Some(path::join("metadata.annotations", key))
}

/// The annotation that is most similar to `key`. Only the part after the domain is compared.
pub(super) fn nearest(key: &str) -> Option<String> {
    let name = |key: &str| key.split_once('/').map_or_else(|| key.to_owned(), |(_, name)| name.to_owned());
    let all = descriptions();
    let names: Vec<String> = all.iter().map(|(key, _)| name(key)).collect();
    let meant = words::nearest(&name(key), names.iter().map(String::as_str))?;
    let position = names.iter().position(|name| name == meant)?;
    Some(path::join("metadata.annotations", &all[position].0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_annotation_that_is_accepted_is_described_and_no_other() {
        let described: BTreeSet<String> = descriptions().into_iter().map(|(key, _)| key.replace(USER, "")).collect();
        let prefixes = [annotation::CREDENTIALS, annotation::ROTATE_PASSWORD];
        let rotated = [annotation::ROTATE_CA, annotation::ROTATE_CERTIFICATES, annotation::ROTATE_PASSWORDS];
        let known = known::all().chain(prefixes).chain(rotated).map(str::to_owned).collect();
        assert_eq!(described, known);
    }

    #[test]
    fn a_misspelled_annotation_finds_the_one_that_was_meant() {
        for (key, expected) in [
            ("pgrender.dev/restoredrill", "metadata.annotations[\"pgrender.dev/restore-drill\"]"),
            (
                "pgrender.dev/trigger-switchover",
                "metadata.annotations[\"postgres-operator.crunchydata.com/trigger-switchover\"]",
            ),
        ] {
            assert_eq!(nearest(key).as_deref(), Some(expected));
        }
        assert_eq!(nearest("example.com/a"), None);
    }
}
