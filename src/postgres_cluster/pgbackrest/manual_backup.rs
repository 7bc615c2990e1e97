//! Manual backups. pgrender cannot start one, so it tells the user a command that takes one in this cluster.

use super::model::{BackupType, Repository};
use crate::diagnostic::FieldPath;
use crate::naming::{STANZA, annotation};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::{ManualBackupSpec, PostgresCluster};

/// Words in the names of options whose values are not shown.
const SECRETS: [&str; 4] = ["key", "pass", "secret", "token"];

/// Reports once how to take a backup. If the user has requested a backup with the annotation, the report is at the annotation.
pub(crate) fn check(resource: &PostgresCluster, cluster: &Cluster, context: &mut Context) {
    let pgbackrest = resource.spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    let manual = pgbackrest.and_then(|pgbackrest| pgbackrest.manual.as_ref());
    let way = way(cluster, manual);
    let way = way.as_deref().unwrap_or("add a repository to `spec.backups.pgbackrest.repos`");
    let annotations = resource.metadata.annotations.as_ref();
    if annotations.is_some_and(|annotations| annotations.contains_key(annotation::PGBACKREST_BACKUP)) {
        let path = FieldPath::of("metadata.annotations").key(annotation::PGBACKREST_BACKUP);
        return context.warning(path, format!("does not start a backup: {way}"));
    }
    // An unknown repository is an error of its own.
    let repositories = pgbackrest.map(|pgbackrest| pgbackrest.repos.as_slice()).unwrap_or_default();
    if manual.is_some_and(|manual| repositories.iter().any(|repository| repository.name == manual.repo_name)) {
        context.warning(
            FieldPath::of("spec.backups.pgbackrest.manual"),
            format!("cannot be started by an annotation: {way}"),
        );
    }
}

/// Returns how to back up to the repository of `manual`, or to the first repository. If a CronJob has the same options, it is a
/// Job from that CronJob. Otherwise it is a command in the pod that runs pgBackRest for this repository.
fn way(cluster: &Cluster, manual: Option<&ManualBackupSpec>) -> Option<String> {
    let mut repositories = cluster.backups.iter().flat_map(|backups| &backups.repositories);
    let repository =
        repositories.find(|repository| manual.is_none_or(|manual| repository.name() == manual.repo_name))?;
    let options = Options::of(manual);
    let namespace = &cluster.namespace;
    if let Some(backup_type) = options.scheduled(repository) {
        let job = cluster.backup_cron_job(repository, backup_type);
        return Some(format!("run `kubectl -n {namespace} create job {job}-manual --from=cronjob/{job}`"));
    }
    let command = format!("pgbackrest --stanza={STANZA} --repo={}{} backup", repository.index, options.written());
    let schedule = match options.backup_type() {
        _ if !options.others.is_empty() => String::new(),
        BackupType::Full => ", or add a `full` schedule to the repository".to_owned(),
        BackupType::Differential => ", or add a `differential` schedule to the repository".to_owned(),
        BackupType::Incremental => ", or add an `incremental` schedule to the repository".to_owned(),
    };
    Some(if repository.is_on_volume() {
        let pod = cluster.repo_host_pod();
        format!("run `kubectl -n {namespace} exec {pod} -- {command}`{schedule}")
    } else {
        // A repository in object storage has no repo host, so only the pod of the leader can back up its Postgres.
        format!("run `{command}` in the pod of the leader, with `kubectl exec`{schedule}")
    })
}

/// The options of `manual`.
#[derive(Default)]
struct Options<'a> {
    /// The value of `--type`.
    backup_type: Option<&'a str>,
    /// Other options for pgBackRest, without the repository and the stanza, which the command already has.
    others: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// Parses the options. PGO joins them and passes them to a shell, so one text may have several options, and two texts may
    /// be the name and the value of one option.
    fn of(manual: Option<&'a ManualBackupSpec>) -> Self {
        let mut options = Self::default();
        let mut words = manual.into_iter().flat_map(|manual| &manual.options).flat_map(|text| text.split_whitespace());
        while let Some(word) = words.next() {
            if word == "--type" {
                options.backup_type = words.next();
            } else if let Some(backup_type) = word.strip_prefix("--type=") {
                options.backup_type = Some(backup_type);
            } else if !["--repo=", "--stanza="].iter().any(|name| word.starts_with(name)) {
                options.others.push(word);
            }
        }
        options
    }

    /// Returns the type of the backup. The default is full, because a full backup does not depend on another backup.
    fn backup_type(&self) -> BackupType {
        match self.backup_type {
            Some("incr") => BackupType::Incremental,
            Some("diff") => BackupType::Differential,
            _ => BackupType::Full,
        }
    }

    /// Returns the schedule of the repository that takes the same backup. CronJobs have no other options, so there must be
    /// none.
    fn scheduled(&self, repository: &Repository) -> Option<BackupType> {
        let mut types = repository.schedules.iter().map(|schedule| schedule.backup_type);
        if !self.others.is_empty() {
            return None;
        }
        types.find(|backup_type| self.backup_type.is_none_or(|_| *backup_type == self.backup_type()))
    }

    /// Returns the options as they are written on a command line, without those that may be secret.
    fn written(&self) -> String {
        let mut text = format!(" --type={}", self.backup_type().as_str());
        let mut follows_secret = false;
        for option in &self.others {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let is_secret = name.starts_with("--") && SECRETS.iter().any(|word| name.contains(word));
            let shown = match (is_secret, value) {
                (true, value) if !value.is_empty() => format!("{name}=…"),
                _ if follows_secret && !name.starts_with("--") => "…".to_owned(),
                _ => (*option).to_owned(),
            };
            follows_secret = is_secret && value.is_empty();
            text.extend([" ", &shown]);
        }
        text
    }
}
