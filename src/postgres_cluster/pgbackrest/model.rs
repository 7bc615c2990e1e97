//! The settings of pgBackRest: its repositories, the repo host, and the pods of scheduled backups.

use std::collections::BTreeMap;

use crate::kubernetes::{PersistentVolumeClaimSpec, ResourceRequirements, VolumeProjection};
use crate::postgres_cluster::cluster::shared::{Metadata, Scheduling};
use crate::postgres_cluster::spec::AdditionalVolume;

/// `spec.backups.pgbackrest`.
#[derive(Clone, Debug)]
pub struct Backups {
    /// The pgBackRest image.
    pub image: String,
    /// `spec.metadata`, overlaid with the metadata of `spec.backups.pgbackrest`.
    pub metadata: Metadata,
    /// The repositories in the order of the spec. There is at least one, and names are unique.
    pub repositories: Vec<Repository>,
    /// The backup that the annotation `pgbackrest-backup` requests.
    pub manual: Option<ManualBackup>,
    /// `global`: options that override those of `[global]`.
    pub global: BTreeMap<String, String>,
    /// `configuration`: the first sources of the volume mounted at `/etc/pgbackrest/conf.d`.
    pub configuration: Vec<VolumeProjection>,
    /// `log.path`: the log directory of instances.
    pub log_path: Option<String>,
    /// Whether pgBackRest's server listens on `::` instead of `0.0.0.0` (annotation `pgbackrest-ip-version: IPv6`).
    pub listen_ipv6: bool,
    /// The resources of `pgbackrest` in instance pods.
    pub server_resources: Option<ResourceRequirements>,
    /// The resources of `pgbackrest-config` in the pod of the repo host.
    pub config_resources: Option<ResourceRequirements>,
    /// The repo host. It is rendered if there is a repository on a volume.
    pub repo_host: RepoHost,
    /// The pods of scheduled backups.
    pub jobs: BackupJobs,
}

impl Backups {
    /// The repositories on volumes.
    pub fn volume_repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.iter().filter(|repository| repository.is_on_volume())
    }

    /// The requested backup, if its repository is on a volume, or with `false`, if it is in object storage.
    pub fn manual_backup(&self, on_volume: bool) -> Option<&ManualBackup> {
        let is_there = |repository: &Repository| repository.is_on_volume() == on_volume;
        self.manual.as_ref().filter(|manual| {
            self.repositories.iter().any(|repository| repository.index == manual.repository && is_there(repository))
        })
    }

    /// Whether there is a repo host. It exists if at least one repository is on a volume.
    pub fn has_repo_host(&self) -> bool {
        self.volume_repositories().next().is_some()
    }

    /// Whether at least one repository has a schedule.
    pub fn has_schedules(&self) -> bool {
        self.repositories.iter().any(|repository| !repository.schedules.is_empty())
    }

    /// Whether at least one repository is in object storage.
    pub fn has_cloud_repository(&self) -> bool {
        self.repositories.iter().any(|repository| !repository.is_on_volume())
    }
}

/// One repository of pgBackRest.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The number in pgBackRest's options (`repo1-path`), 1 to 4.
    pub index: u8,
    /// Where the repository is stored.
    pub storage: Storage,
    /// Its schedules, each of which becomes a CronJob.
    pub schedules: Vec<Schedule>,
}

impl Repository {
    /// The name of the repository: `repo1` to `repo4`.
    pub fn name(&self) -> String {
        format!("repo{}", self.index)
    }

    /// Whether the repository is on a volume of the repo host.
    pub fn is_on_volume(&self) -> bool {
        matches!(self.storage, Storage::Volume(_))
    }
}

/// Where a repository is stored.
#[derive(Clone, Debug)]
pub enum Storage {
    /// On a volume of the repo host. `resources.limits` and `autoGrow` are removed from the claim.
    Volume(Box<PersistentVolumeClaimSpec>),
    /// S3.
    S3 {
        /// `bucket`.
        bucket: String,
        /// `endpoint`.
        endpoint: String,
        /// `region`.
        region: String,
    },
    /// Google Cloud Storage.
    Gcs {
        /// `bucket`.
        bucket: String,
    },
    /// Azure Blob Storage.
    Azure {
        /// `container`.
        container: String,
    },
}

/// When to take a backup, and of which type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// The type of the backup.
    pub backup_type: BackupType,
    /// A cron expression, as it is in the spec.
    pub schedule: String,
}

/// pgBackRest's `--type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BackupType {
    /// `full`.
    Full,
    /// `diff`.
    Differential,
    /// `incr`.
    Incremental,
}

impl BackupType {
    /// The value of pgBackRest's `--type`, which is also the last part of the CronJob's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Incremental => "incr",
        }
    }
}

/// A backup on demand. It is taken once for each value of `trigger`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManualBackup {
    /// The value of the annotation `pgbackrest-backup`: one line.
    pub trigger: String,
    /// The number of the repository, 1 to 4.
    pub repository: u8,
    /// Options of `pgbackrest backup`, each one word.
    pub options: Vec<String>,
}

/// `spec.backups.pgbackrest.repoHost`.
#[derive(Clone, Debug, Default)]
pub struct RepoHost {
    /// The resources of the `pgbackrest` container and of the init containers.
    pub resources: Option<ResourceRequirements>,
    /// The scheduling of the pod.
    pub scheduling: Scheduling,
    /// `log.path`.
    pub log_path: Option<String>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
}

/// `spec.backups.pgbackrest.jobs`.
#[derive(Clone, Debug, Default)]
pub struct BackupJobs {
    /// The resources of the `pgbackrest` container.
    pub resources: Option<ResourceRequirements>,
    /// The scheduling of the pods.
    pub scheduling: Scheduling,
    /// `ttlSecondsAfterFinished` of each Job.
    pub ttl_seconds_after_finished: Option<i32>,
    /// `log.path`: the log directory of backups to object storage.
    pub log_path: Option<String>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
}
