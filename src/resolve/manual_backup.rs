//! Backups on demand, which no annotation starts here: their author is told a command that works for this cluster.

use super::Context;
use crate::cluster::{BackupType, Cluster, Repository};
use crate::naming::{STANZA, annotation};
use crate::report::FieldPath;
use crate::spec::{ManualBackupSpec, PostgresCluster};

/// What an option is of which the value is not shown.
const SECRETS: [&str; 4] = ["key", "pass", "secret", "token"];

/// Says how to take one, once: where somebody has asked for a backup with the annotation, there.
pub(super) fn check(resource: &PostgresCluster, cluster: &Cluster, context: &mut Context) {
    let pgbackrest = resource.spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    let manual = pgbackrest.and_then(|pgbackrest| pgbackrest.manual.as_ref());
    let way = way(cluster, manual);
    let way = way.as_deref().unwrap_or("add a repository to `spec.backups.pgbackrest.repos`");
    let annotations = resource.metadata.annotations.as_ref();
    if annotations.is_some_and(|annotations| annotations.contains_key(annotation::PGBACKREST_BACKUP)) {
        let path = FieldPath::of("metadata.annotations").key(annotation::PGBACKREST_BACKUP);
        return context.warning(path, format!("starts no backup: {way}"));
    }
    // A repository that is not there is an error of its own.
    let repositories = pgbackrest.map(|pgbackrest| pgbackrest.repos.as_slice()).unwrap_or_default();
    if manual.is_some_and(|manual| repositories.iter().any(|repository| repository.name == manual.repo_name)) {
        context.warning(FieldPath::of("spec.backups.pgbackrest.manual"), format!("no annotation starts it: {way}"));
    }
}

/// The command that backs up to the repository of `manual`, or to the first: from a CronJob that does what the options of
/// `manual` ask for, else in the pod in which pgBackRest takes backups to it.
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
        BackupType::Full => ", or give the repository a schedule `full`".to_owned(),
        BackupType::Differential => ", or give the repository a schedule `differential`".to_owned(),
        BackupType::Incremental => ", or give the repository a schedule `incremental`".to_owned(),
    };
    Some(if repository.is_on_volume() {
        let pod = cluster.repo_host_pod();
        format!("run `kubectl -n {namespace} exec {pod} -- {command}`{schedule}")
    } else {
        // Only there pgBackRest has a primary of its own to back up.
        format!("run `{command}` in the pod of the leader, with `kubectl exec`{schedule}")
    })
}

/// The options of `manual`.
#[derive(Default)]
struct Options<'a> {
    /// `--type`.
    backup_type: Option<&'a str>,
    /// What else pgBackRest is to be given; the repository and the stanza are said already.
    others: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// PGO joins them and gives them to a shell, so that several may be in one text, and a name and its value in two.
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

    /// The kind of backup; a full one where none is named, which needs no other.
    fn backup_type(&self) -> BackupType {
        match self.backup_type {
            Some("incr") => BackupType::Incremental,
            Some("diff") => BackupType::Differential,
            _ => BackupType::Full,
        }
    }

    /// The schedule of the repository that does the same. A CronJob takes no other options.
    fn scheduled(&self, repository: &Repository) -> Option<BackupType> {
        let mut types = repository.schedules.iter().map(|schedule| schedule.backup_type);
        if !self.others.is_empty() {
            return None;
        }
        types.find(|backup_type| self.backup_type.is_none_or(|_| *backup_type == self.backup_type()))
    }

    /// As they are written on a command line, without what may be secret.
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
