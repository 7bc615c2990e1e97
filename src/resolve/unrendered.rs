//! Fields and annotations that are understood but do nothing yet. Nobody shall believe that something is backed up, restored or watched
//! because it stands in the spec.

use super::Context;
use crate::naming::annotation;
use crate::report::FieldPath;
use crate::spec::{PgBackRestSpec, PostgresCluster, PostgresClusterSpec, SchedulesSpec};

/// Warns of each of them.
pub(super) fn warn(resource: &PostgresCluster, context: &mut Context) {
    let spec = &resource.spec;
    let mut found: Vec<(FieldPath, &str)> = Vec::new();
    let mut note = |there: bool, path: &str, what: &'static str| {
        if there {
            found.push((FieldPath::of(path), what));
        }
    };
    note(spec.data_source.is_some(), "spec.dataSource", "the cluster starts empty: restoring is not rendered yet");
    note(spec.instrumentation.is_some(), "spec.instrumentation", "the OpenTelemetry collector is not rendered yet");
    note(spec.user_interface.is_some(), "spec.userInterface", "pgAdmin is not rendered yet");
    let exporter = spec.monitoring.as_ref().and_then(|m| m.pgmonitor.as_ref()).is_some_and(|m| m.exporter.is_some());
    note(exporter, "spec.monitoring.pgmonitor.exporter", "its Secret and rules are rendered, the exporter not yet");
    if let Some(patroni) = &spec.patroni {
        note(patroni.logging.is_some(), "spec.patroni.logging", "Patroni logs to its container's output only");
    }
    if let Some(backups) = &spec.backups {
        note(backups.snapshots.is_some(), "spec.backups.snapshots", "volume snapshots are not rendered yet");
        if let Some(pgbackrest) = &backups.pgbackrest {
            pgbackrest_fields(pgbackrest, &mut note);
        }
    }
    instances(spec, &mut found);
    annotations(resource, &mut found);
    for (path, what) in found {
        context.warning(path, what);
    }
}

fn pgbackrest_fields(pgbackrest: &PgBackRestSpec, note: &mut impl FnMut(bool, &str, &'static str)) {
    let base = "spec.backups.pgbackrest";
    let manual = "is not started by an annotation; run `kubectl create job --from=cronjob/…`";
    note(pgbackrest.manual.is_some(), &format!("{base}.manual"), manual);
    let restore = pgbackrest.restore.as_ref().is_some_and(|restore| restore.enabled);
    note(restore, &format!("{base}.restore"), "restoring in place is not rendered yet");
    let ssh =
        pgbackrest.repo_host.as_ref().is_some_and(|host| host.ssh_config_map.is_some() || host.ssh_secret.is_some());
    note(ssh, &format!("{base}.repoHost"), "SSH is not used any more, by PGO neither");
    let mut schedules = pgbackrest.repos.iter().filter_map(|repository| repository.schedules.as_ref());
    let any_job = schedules.any(|schedules| *schedules != SchedulesSpec::default());
    let unused = "no pod has this: no repository has `schedules`";
    note(pgbackrest.jobs.is_some() && !any_job, &format!("{base}.jobs"), unused);
    let volume = pgbackrest.repos.iter().any(|repository| repository.volume.is_some());
    let unused = "there is no repo host: no repository is on a volume";
    note(pgbackrest.repo_host.is_some() && !volume, &format!("{base}.repoHost"), unused);
    for (index, repository) in pgbackrest.repos.iter().enumerate() {
        let auto_grow = repository.volume.as_ref().is_some_and(|volume| volume.volume_claim_spec.auto_grow.is_some());
        note(auto_grow, &format!("{base}.repos[{index}].volume.volumeClaimSpec.autoGrow"), AUTO_GROW);
    }
}

const AUTO_GROW: &str = "volumes do not grow by themselves yet: request more storage";

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

/// PGO's annotations of a `PostgresCluster` (inventory 0.5) that set something off there.
const ANNOTATIONS: [(&str, &str); 6] = [
    (annotation::PGBACKREST_BACKUP, "starts no backup; run `kubectl create job --from=cronjob/…`"),
    (annotation::PGBACKREST_RESTORE, "starts no restore: restoring in place is not rendered yet"),
    (
        annotation::PGBACKREST_CLOUD_LOG_VOLUME,
        "is not mounted: use `spec.backups.pgbackrest.jobs.volumes` and `jobs.log`",
    ),
    (annotation::EXPORTER_COLLECTORS, "does nothing: the exporter is not rendered yet"),
    (annotation::AUTHORIZE_BACKUP_REMOVAL, "is not asked for: backups are removed by whoever applies the manifests"),
    (annotation::ALLOW_UPGRADE, "starts no upgrade: there is no `PGUpgrade` without the operator"),
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
        let what = "is not heeded: write `spec.patroni.switchover.enabled: true`";
        found.push((path.key(annotation::TRIGGER_SWITCHOVER), what));
    }
}
