//! Resolves `spec.backups`.

use std::collections::BTreeMap;

use super::model::{BackupJobs, BackupType, Backups, RepoHost, Repository, Schedule, Storage};
use super::{configuration, credentials, option, option_value, place};
use super::{global_options, manual_backup, schedule};
use crate::diagnostic::FieldPath;
use crate::naming::{CONTAINER_COLLECTOR, CONTAINER_PGBACKREST, CONTAINER_PGBACKREST_CONFIG, annotation};
use crate::postgres_cluster::cluster::{Metadata, Scheduling};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{claims, containers, files, metadata};
use crate::postgres_cluster::spec::{
    BackupJobsSpec, LogSpec, PgBackRestSpec, PostgresClusterSpec, RepoHostSpec, RepositorySpec, SchedulesSpec,
};

const REPO_HOST_CONTAINERS: [&str; 4] =
    [CONTAINER_PGBACKREST, CONTAINER_PGBACKREST_CONFIG, "pgbackrest-log-dir", "nss-wrapper-init"];

/// Resolves pgBackRest; `None` if the spec has no backups.
pub(crate) fn resolve(
    spec: &PostgresClusterSpec,
    annotations: &BTreeMap<String, String>,
    metadata: &Metadata,
    context: &mut Context,
) -> Option<Backups> {
    let Some(pgbackrest) = spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref()) else {
        manual_backup::warn_without_backups(annotations, context);
        return None;
    };
    let path = FieldPath::of("spec.backups.pgbackrest");
    let own = metadata::resolve(pgbackrest.metadata.as_ref(), &path.key("metadata"), context);
    let sidecars = pgbackrest.sidecars.as_ref();
    let mut sidecar_resources = |sidecar: Option<&crate::postgres_cluster::spec::SidecarSpec>, name: &str| {
        let path = path.key("sidecars").key(name).key("resources");
        containers::resources(sidecar.and_then(|sidecar| sidecar.resources.as_ref()), &path, context)
    };
    let server_resources = sidecar_resources(sidecars.and_then(|s| s.pgbackrest.as_ref()), "pgbackrest");
    let config_resources = sidecar_resources(sidecars.and_then(|s| s.pgbackrest_config.as_ref()), "pgbackrestConfig");
    let log_path = log_path(pgbackrest.log.as_ref(), &path, context);
    let ip_version = annotations.get(annotation::PGBACKREST_IP_VERSION);
    let image = "spec.backups.pgbackrest.image";
    let repositories = repositories(pgbackrest, &path, context);
    global_options::check(&pgbackrest.global, &repositories, &path.key("global"), context);
    // A repository with an error is not in the list, and then the positions are not those of the spec.
    if repositories.len() == pgbackrest.repos.len() {
        // All files are of one namespace, whatever it is.
        let settings =
            place::Settings { global: &pgbackrest.global, configuration: &pgbackrest.configuration, namespace: "" };
        place::check_own(&repositories, settings, &path.key("repos"), context);
    }
    let given = credentials::Given {
        global: &pgbackrest.global,
        global_path: path.key("global"),
        files: !pgbackrest.configuration.is_empty(),
    };
    for (index, name) in pgbackrest.repos.iter().map(|repository| &repository.name).enumerate() {
        if let Some(repository) = repositories.iter().find(|repository| repository.name() == *name) {
            credentials::check(repository, &path.key("repos").index(index), &given, spec, context);
        }
    }
    Some(Backups {
        image: context.image(pgbackrest.image.as_deref(), "RELATED_IMAGE_PGBACKREST", image),
        metadata: metadata.merged(Some(&own)),
        manual: manual_backup::resolve(spec, pgbackrest, &repositories, annotations, context),
        repositories,
        global: pgbackrest.global.clone(),
        configuration: files::checked(
            pgbackrest.configuration.clone(),
            &path.key("configuration"),
            &[
                "pgbackrest_instance.conf",
                "pgbackrest_repo.conf",
                "pgbackrest_cloud.conf",
                "config-hash",
                configuration::MANUAL_BACKUP,
            ],
            context,
        ),
        log_path,
        listen_ipv6: ip_version.is_some_and(|version| version.eq_ignore_ascii_case("IPv6")),
        server_resources,
        config_resources,
        repo_host: repo_host(
            pgbackrest.repo_host.as_ref(),
            spec.instrumentation.is_some(),
            &path.key("repoHost"),
            context,
        ),
        jobs: jobs(pgbackrest.jobs.as_ref(), &path.key("jobs"), context),
    })
}

fn repositories(pgbackrest: &PgBackRestSpec, path: &FieldPath, context: &mut Context) -> Vec<Repository> {
    let specs = pgbackrest.repos.iter().enumerate();
    let repositories: Vec<_> =
        specs.filter_map(|(index, spec)| repository(spec, &path.key("repos").index(index), context)).collect();
    let named = [
        ("manual", pgbackrest.manual.as_ref().map(|manual| &manual.repo_name)),
        ("restore", pgbackrest.restore.as_ref().map(|restore| &restore.repo_name)),
    ];
    for (section, name) in named.iter().filter_map(|(section, name)| Some((section, (*name)?))) {
        if !pgbackrest.repos.iter().any(|repository| &repository.name == name) {
            context.error(path.key(*section).key("repoName"), unknown_repository(name, pgbackrest));
        }
    }
    repositories
}

/// The message for an unknown repository, with the names of those that exist.
pub(crate) fn unknown_repository(name: &str, pgbackrest: &PgBackRestSpec) -> String {
    let names: Vec<_> = pgbackrest.repos.iter().map(|repository| format!("`{}`", repository.name)).collect();
    format!("there is no repository `{name}`: write one of {}", names.join(", "))
}

/// Returns the number of a repository. The pattern in the schema is not anchored at its end, so it also matches `repo12`.
pub(crate) fn repository_index(name: &str) -> Option<u8> {
    name.strip_prefix("repo")?.parse().ok().filter(|index| (1..=4).contains(index))
}

/// Returns the number of the repository that the field at `path` names, or reports that the name is not valid.
pub(crate) fn checked_repository_index(name: &str, path: &FieldPath, context: &mut Context) -> Option<u8> {
    let index = repository_index(name);
    if index.is_none() {
        let message =
            format!("`{name}` is not a valid name of a repository: write `repo1`, `repo2`, `repo3` or `repo4`");
        context.error(path.clone(), message);
    }
    index
}

/// Resolves one repository.
pub(crate) fn repository(spec: &RepositorySpec, path: &FieldPath, context: &mut Context) -> Option<Repository> {
    let index = checked_repository_index(&spec.name, &path.key("name"), context);
    let kinds = [
        ("volume", spec.volume.is_some()),
        ("azure", spec.azure.is_some()),
        ("gcs", spec.gcs.is_some()),
        ("s3", spec.s3.is_some()),
    ];
    let given: Vec<_> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| format!("`{kind}`")).collect();
    match given.len() {
        0 => context.error(path.clone(), "a repository needs a storage: add `volume`, `s3`, `gcs` or `azure`"),
        1 => {}
        _ => context.error(
            path.clone(),
            format!(
                "a repository can have only one storage, but this one has {}: keep one of them",
                given.join(" and ")
            ),
        ),
    }
    let texts = [
        ("azure", "container", spec.azure.as_ref().map(|azure| &azure.container)),
        ("gcs", "bucket", spec.gcs.as_ref().map(|gcs| &gcs.bucket)),
        ("s3", "bucket", spec.s3.as_ref().map(|s3| &s3.bucket)),
        ("s3", "endpoint", spec.s3.as_ref().map(|s3| &s3.endpoint)),
        ("s3", "region", spec.s3.as_ref().map(|s3| &s3.region)),
    ];
    for (kind, field, text) in texts.iter().filter_map(|(kind, field, text)| Some((*kind, *field, (*text)?))) {
        let path = path.key(kind).key(field);
        if context.check(&path, option::check_value(text))
            && let Some(why) = address_fault(field, text)
        {
            context.error(path, why);
        }
    }
    let storage = if let Some(volume) = &spec.volume {
        let path = path.key("volume").key("volumeClaimSpec");
        Storage::Volume(Box::new(claims::resolve(&volume.volume_claim_spec, &path, context)))
    } else if let Some(azure) = &spec.azure {
        Storage::Azure { container: azure.container.clone() }
    } else if let Some(gcs) = &spec.gcs {
        Storage::Gcs { bucket: gcs.bucket.clone() }
    } else {
        let s3 = spec.s3.clone()?;
        Storage::S3 { bucket: s3.bucket, endpoint: s3.endpoint, region: s3.region }
    };
    let schedules = schedules(spec.schedules.as_ref(), &path.key("schedules"), context);
    Some(Repository { index: index?, storage, schedules })
}

/// Returns why pgBackRest cannot use a text as the name of a bucket or the address of a storage.
fn address_fault(field: &str, text: &str) -> Option<String> {
    if field == "endpoint" {
        return text.starts_with("http://").then(|| option_value::unencrypted(text));
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.strip_prefix("arn:aws:s3:::").unwrap_or(rest).trim_start_matches('/');
    if field == "region" || (rest == text && !text.contains('/')) {
        return None;
    }
    if scheme.starts_with("http") {
        return Some(format!("is an address and not a name: write only the name of the {field}"));
    }
    let (name, place) = rest.split_once('/').unwrap_or((rest, ""));
    let place = match place.trim_matches('/') {
        "" => String::new(),
        place => format!(", and `repoN-path: /{place}` in `global`"),
    };
    Some(format!("is an address and not a name: write `{name}`{place}"))
}

fn schedules(spec: Option<&SchedulesSpec>, path: &FieldPath, context: &mut Context) -> Vec<Schedule> {
    let Some(spec) = spec else { return Vec::new() };
    let all = [
        ("full", BackupType::Full, &spec.full),
        ("differential", BackupType::Differential, &spec.differential),
        ("incremental", BackupType::Incremental, &spec.incremental),
    ];
    let mut schedules = Vec::new();
    for (field, backup_type, text) in all {
        let Some(text) = text else { continue };
        match schedule::check(text) {
            Err(why) => context.error(path.key(field), why),
            Ok(()) => {
                if let Some(note) = schedule::note(text) {
                    context.warning(path.key(field), note);
                }
            }
        }
        schedules.push(Schedule { backup_type, schedule: text.clone() });
    }
    schedules
}

/// Returns the directory of pgBackRest's logs in one kind of pod.
fn log_path(spec: Option<&LogSpec>, path: &FieldPath, context: &mut Context) -> Option<String> {
    let directory = spec?.path.clone()?;
    let path = path.key("log").key("path");
    context.check(&path, option::check_value(&directory));
    if directory.split('/').any(|part| part == "..") {
        context.error(path, "would be outside of the volume: write the path without `..`");
    }
    Some(directory)
}

fn repo_host(spec: Option<&RepoHostSpec>, collected: bool, path: &FieldPath, context: &mut Context) -> RepoHost {
    let Some(spec) = spec else { return RepoHost::default() };
    let volumes = spec.volumes.as_ref().map(|volumes| &volumes.additional);
    let volumes_path = path.key("volumes").key("additional");
    let mut containers = REPO_HOST_CONTAINERS.to_vec();
    containers.extend(collected.then_some(CONTAINER_COLLECTOR));
    RepoHost {
        resources: containers::resources(spec.resources.as_ref(), &path.key("resources"), context),
        scheduling: Scheduling {
            affinity: spec.affinity.clone(),
            tolerations: spec.tolerations.clone(),
            topology_spread_constraints: spec.topology_spread_constraints.clone(),
            priority_class_name: spec.priority_class_name.clone(),
        },
        log_path: log_path(spec.log.as_ref(), path, context),
        additional_volumes: containers::additional_volumes(volumes, &containers, &volumes_path, context),
    }
}

fn jobs(spec: Option<&BackupJobsSpec>, path: &FieldPath, context: &mut Context) -> BackupJobs {
    let Some(spec) = spec else { return BackupJobs::default() };
    let volumes = spec.volumes.as_ref().map(|volumes| &volumes.additional);
    let volumes_path = path.key("volumes").key("additional");
    BackupJobs {
        resources: containers::resources(spec.resources.as_ref(), &path.key("resources"), context),
        scheduling: Scheduling {
            affinity: spec.affinity.clone(),
            tolerations: spec.tolerations.clone(),
            topology_spread_constraints: Vec::new(),
            priority_class_name: spec.priority_class_name.clone(),
        },
        ttl_seconds_after_finished: spec.ttl_seconds_after_finished,
        log_path: log_path(spec.log.as_ref(), path, context),
        additional_volumes: containers::additional_volumes(volumes, &[CONTAINER_PGBACKREST], &volumes_path, context),
    }
}
