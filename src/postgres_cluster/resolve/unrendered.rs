//! Fields and annotations that are valid but have no effect yet. The user must not believe that something is backed up,
//! restored or monitored because it is in the spec. A field whose absence could cost data is an error; the others are warnings.

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::naming::annotation;
use crate::postgres_cluster::spec::{PgBackRestSpec, PostgresCluster, PostgresClusterSpec, SchedulesSpec};

/// Reports each of these fields and annotations.
pub(crate) fn check(resource: &PostgresCluster, context: &mut Context) {
    let spec = &resource.spec;
    refuse(spec, context);
    let mut found: Vec<(FieldPath, &str)> = Vec::new();
    let mut note = |there: bool, path: &str, what: &'static str| {
        if there {
            found.push((FieldPath::of(path), what));
        }
    };
    note(spec.user_interface.is_some(), "spec.userInterface", "pgAdmin is not rendered yet");
    if let Some(backups) = &spec.backups {
        let beside = backups.snapshots.is_some() && backups.pgbackrest.is_some();
        note(beside, "spec.backups.snapshots", SNAPSHOTS);
        if let Some(pgbackrest) = &backups.pgbackrest {
            pgbackrest_fields(pgbackrest, has_drill(resource), &mut note);
        }
    }
    instances(spec, &mut found);
    annotations(resource, &mut found);
    for (path, what) in found {
        context.warning(path, what);
    }
}

/// PGO restores each new backup into a volume, and takes a snapshot of that volume, so that a clone starts sooner. Without an
/// operator, a pod would need the right to create and delete VolumeSnapshots and claims.
const SNAPSHOTS: &str = "no volume snapshots are taken, because nothing that pgrender renders may create a VolumeSnapshot: they \
                         would only contain what is in the newest backup, so start clones from it with `spec.dataSource`, \
                         and remove this field";

/// Refuses specs whose rendered cluster would look restored or backed up but would be empty or unprotected. An empty cluster
/// that uses the repository of the old cluster is the worst case: it takes over the stanza, and its backups expire those of the
/// old cluster (pgBackRest, `stanza-upgrade` and `repo-retention-full`).
fn refuse(spec: &PostgresClusterSpec, context: &mut Context) {
    if spec.data_source.as_ref().is_some_and(|source| source.volumes.is_some()) {
        let message = "a StatefulSet finds its claims by their names, so the cluster would start empty: give the volumes to \
                       the claims of the cluster with `pgrender adopt`, which writes the steps, and remove this field \
                       (docs/leaving-pgo.md)";
        context.error(FieldPath::of("spec.dataSource.volumes"), message);
    }
    let Some(backups) = &spec.backups else { return };
    if backups.snapshots.is_some() && backups.pgbackrest.is_none() {
        let message = "there would be no backups, because nothing that pgrender renders may create a VolumeSnapshot: add \
                       `spec.backups.pgbackrest`, or remove this field";
        context.error(FieldPath::of("spec.backups.snapshots"), message);
    }
}

/// Whether there is a restore drill, whose pods have settings of backup jobs.
fn has_drill(resource: &PostgresCluster) -> bool {
    let annotations = resource.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(annotation::RESTORE_DRILL))
}

fn pgbackrest_fields(pgbackrest: &PgBackRestSpec, has_drill: bool, note: &mut impl FnMut(bool, &str, &'static str)) {
    let base = "spec.backups.pgbackrest";
    let ssh =
        pgbackrest.repo_host.as_ref().is_some_and(|host| host.ssh_config_map.is_some() || host.ssh_secret.is_some());
    note(
        ssh,
        &format!("{base}.repoHost"),
        "SSH is no longer used, in PGO as well: remove `sshConfigMap` and `sshSecret`",
    );
    let mut schedules = pgbackrest.repos.iter().filter_map(|repository| repository.schedules.as_ref());
    let any_job = schedules.any(|schedules| *schedules != SchedulesSpec::default());
    let unused = "has no effect: no repository has `schedules`, so there are no backup jobs";
    note(pgbackrest.jobs.is_some() && !any_job && !has_drill, &format!("{base}.jobs"), unused);
    let volume = pgbackrest.repos.iter().any(|repository| repository.volume.is_some());
    let unused = "has no effect: no repository is on a volume, so there is no repo host";
    note(pgbackrest.repo_host.is_some() && !volume, &format!("{base}.repoHost"), unused);
    for (index, repository) in pgbackrest.repos.iter().enumerate() {
        let auto_grow = repository.volume.as_ref().is_some_and(|volume| volume.volume_claim_spec.auto_grow.is_some());
        note(auto_grow, &format!("{base}.repos[{index}].volume.volumeClaimSpec.autoGrow"), AUTO_GROW);
    }
}

const AUTO_GROW: &str = "volumes do not grow automatically yet: request more storage";

fn instances(spec: &PostgresClusterSpec, found: &mut Vec<(FieldPath, &str)>) {
    for (index, set) in spec.instances.iter().enumerate() {
        let path = FieldPath::of("spec.instances").index(index);
        if !set.tablespace_volumes.is_empty() {
            found.push((path.key("tablespaceVolumes"), "tablespaces are not rendered yet"));
        }
        let claims = [
            ("dataVolumeClaimSpec", Some(&set.data_volume_claim_spec)),
            ("walVolumeClaimSpec", set.wal_volume_claim_spec.as_ref()),
        ];
        for (field, claim) in claims {
            if claim.is_some_and(|claim| claim.auto_grow.is_some()) {
                found.push((path.key(field).key("autoGrow"), AUTO_GROW));
            }
        }
    }
}

/// Annotations of a `PostgresCluster` that start an action in PGO (`internal/naming/annotations.go`), and what happens here
/// instead.
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        annotation::PGBACKREST_CLOUD_LOG_VOLUME,
        "is not mounted: use `spec.backups.pgbackrest.jobs.volumes` and `jobs.log`",
    ),
    (
        annotation::AUTHORIZE_BACKUP_REMOVAL,
        "is not needed: the user or tool that applies the manifests removes backups",
    ),
    (annotation::ALLOW_UPGRADE, "does not start an upgrade: `PGUpgrade` needs the operator"),
];

fn annotations(resource: &PostgresCluster, found: &mut Vec<(FieldPath, &str)>) {
    let Some(annotations) = &resource.metadata.annotations else { return };
    let path = FieldPath::of("metadata.annotations");
    for (key, what) in ANNOTATIONS {
        if annotations.contains_key(key) {
            found.push((path.key(key), what));
        }
    }
    let switchover = resource.spec.patroni.as_ref().and_then(|patroni| patroni.switchover.as_ref());
    if annotations.contains_key(annotation::TRIGGER_SWITCHOVER)
        && !switchover.is_some_and(|switchover| switchover.enabled)
    {
        let what = "has no effect: also write `spec.patroni.switchover.enabled: true`";
        found.push((path.key(annotation::TRIGGER_SWITCHOVER), what));
    }
}
