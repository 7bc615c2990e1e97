//! Checks that the collector can read the logs where the user wants them.

use std::collections::BTreeMap;

use crate::diagnostic::FieldPath;
use crate::naming::{CONTAINER_COLLECTOR, CONTAINER_DATABASE, CONTAINER_PGBACKREST, CONTAINER_PGBOUNCER_CONFIG};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::pgbouncer::configuration::LOG_DIRECTORY;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::AdditionalVolume;
use crate::postgres_cluster::{pgbouncer, postgres};

/// The volumes of instances with logs, by the directory at which they are mounted.
const OF_INSTANCES: [&str; 3] = ["/pgdata/", "/pgwal/", "/pgtmp/"];

/// Reports each log that the collector, or what rotates the log, does not find.
pub(crate) fn check(cluster: &Cluster, context: &mut Context) {
    if cluster.collector.is_none() {
        return;
    }
    let directory = postgres::configuration::parameters(cluster).remove("log_directory").unwrap_or_default();
    let at_directory = if cluster.postgres.parameters.contains_key("log_directory") {
        "spec.config.parameters.log_directory"
    } else {
        "spec.patroni.dynamicConfiguration.postgresql.parameters.log_directory"
    };
    for set in &cluster.instance_sets {
        let volumes = &set.additional_volumes;
        if !OF_INSTANCES.iter().any(|volume| directory.starts_with(volume)) {
            note(at_directory, &directory, volumes, [CONTAINER_DATABASE, CONTAINER_COLLECTOR], context);
        }
        if let Some(path) = cluster.backups.as_ref().and_then(|backups| backups.log_path.as_ref()) {
            let field = "spec.backups.pgbackrest.log.path";
            note(field, path, volumes, [CONTAINER_PGBACKREST, CONTAINER_COLLECTOR], context);
        }
    }
    if let Some(backups) = &cluster.backups {
        note_pgbackrest(&backups.global, context);
    }
    if let Some(host) = cluster.backups.as_ref().map(|backups| &backups.repo_host)
        && let Some(path) = &host.log_path
    {
        let field = "spec.backups.pgbackrest.repoHost.log.path";
        let containers = [CONTAINER_PGBACKREST, CONTAINER_COLLECTOR];
        note(field, path, &host.additional_volumes, containers, context);
    }
    if let Some(settings) = &cluster.pgbouncer {
        let file = pgbouncer::configuration::log_file(settings);
        if !file.starts_with(&format!("{LOG_DIRECTORY}/")) {
            let field = "spec.proxy.pgBouncer.config.global.logfile";
            let containers = [CONTAINER_PGBOUNCER_CONFIG, CONTAINER_COLLECTOR];
            note(field, file, &settings.additional_volumes, containers, context);
        }
    }
}

/// Reports options of pgBackRest with which the collector finds no lines, or no times in them (pgBackRest, "Log Options").
fn note_pgbackrest(global: &BTreeMap<String, String>, context: &mut Context) {
    let options = [
        (
            "log-level-file",
            "off",
            "the OpenTelemetry collector finds no log of pgBackRest: remove it, or write `detail`",
        ),
        ("log-timestamp", "n", "the OpenTelemetry collector finds no times in the log of pgBackRest: remove it"),
    ];
    for (option, value, message) in options {
        if global.get(option).is_some_and(|set| set == value) {
            context.warning(FieldPath::of("spec.backups.pgbackrest.global").key(option), message);
        }
    }
}

/// Reports `path` unless it is on one of `volumes` that is mounted in all of `containers`.
fn note(field: &str, path: &str, volumes: &[AdditionalVolume], containers: [&str; 2], context: &mut Context) {
    let is_there = |volume: &AdditionalVolume| {
        let mounted = |name: &&str| volume.containers.as_ref().is_none_or(|all| all.iter().any(|one| one == *name));
        path.starts_with(&format!("/volumes/{}/", volume.name)) && containers.iter().all(mounted)
    };
    if !volumes.iter().any(is_there) {
        let [writer, collector] = containers;
        let message = format!(
            "the OpenTelemetry collector does not find this log: write a path on an additional volume that the containers \
             `{writer}` and `{collector}` mount, or remove it"
        );
        context.warning(FieldPath::of(field), message);
    }
}
