//! pgBackRest: repositories, the repo host, and the pods of scheduled backups.

use std::collections::BTreeMap;

use super::{Metadata, Scheduling};
use crate::kubernetes::{PersistentVolumeClaimSpec, ResourceRequirements, VolumeProjection};
use crate::spec::AdditionalVolume;

/// `spec.backups.pgbackrest`.
#[derive(Clone, Debug)]
pub struct Backups {
    /// The pgBackRest image.
    pub image: String,
    /// `spec.metadata` overlaid with pgBackRest's.
    pub metadata: Metadata,
    /// Repositories in the order of the spec; at least one, names unique.
    pub repositories: Vec<Repository>,
    /// `global`: overrides of `[global]`.
    pub global: BTreeMap<String, String>,
    /// `configuration`: first sources of every `conf.d`.
    pub configuration: Vec<VolumeProjection>,
    /// `log.path` of instances.
    pub log_path: Option<String>,
    /// `[::]` instead of `0.0.0.0` (annotation `pgbackrest-ip-version: IPv6`).
    pub listen_ipv6: bool,
    /// Resources of `pgbackrest` in instance pods.
    pub server_resources: Option<ResourceRequirements>,
    /// Resources of `pgbackrest-config` in the repo host.
    pub config_resources: Option<ResourceRequirements>,
    /// The repo host; it exists where there is a volume repository.
    pub repo_host: RepoHost,
    /// Pods of scheduled backups.
    pub jobs: BackupJobs,
}

impl Backups {
    /// The repositories on volumes.
    pub fn volume_repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.iter().filter(|repository| repository.is_on_volume())
    }

    /// Whether there is a repo host: a repository on a volume.
    pub fn has_repo_host(&self) -> bool {
        self.volume_repositories().next().is_some()
    }

    /// Whether any backup is scheduled.
    pub fn has_schedules(&self) -> bool {
        self.repositories.iter().any(|repository| !repository.schedules.is_empty())
    }

    /// Whether any repository is in object storage.
    pub fn has_cloud_repository(&self) -> bool {
        self.repositories.iter().any(|repository| !repository.is_on_volume())
    }
}

/// One repository of pgBackRest.
#[derive(Clone, Debug)]
pub struct Repository {
    /// 1 to 4: the number in pgBackRest's options.
    pub index: u8,
    /// Where it is.
    pub storage: Storage,
    /// Its CronJobs.
    pub schedules: Vec<Schedule>,
}

impl Repository {
    /// `repo1` to `repo4`.
    pub fn name(&self) -> String {
        format!("repo{}", self.index)
    }

    /// Whether the repo host holds it.
    pub fn is_on_volume(&self) -> bool {
        matches!(self.storage, Storage::Volume(_))
    }
}

/// Where a repository is kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// On a volume of the repo host; `resources.limits` and `autoGrow` taken out.
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

/// When to take a kind of backup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// The kind.
    pub backup_type: BackupType,
    /// A cron expression, as written.
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
    /// pgBackRest's word, which is also the last part of the CronJob's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Incremental => "incr",
        }
    }
}

/// `spec.backups.pgbackrest.repoHost`.
#[derive(Clone, Debug, Default)]
pub struct RepoHost {
    /// Of the `pgbackrest` container and the init containers.
    pub resources: Option<ResourceRequirements>,
    /// Where the pod goes.
    pub scheduling: Scheduling,
    /// `log.path`.
    pub log_path: Option<String>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
}

/// `spec.backups.pgbackrest.jobs`.
#[derive(Clone, Debug, Default)]
pub struct BackupJobs {
    /// Of the `pgbackrest` container.
    pub resources: Option<ResourceRequirements>,
    /// Where the pods go.
    pub scheduling: Scheduling,
    /// `ttlSecondsAfterFinished` of each Job.
    pub ttl_seconds_after_finished: Option<i32>,
    /// `log.path`, of backups to object storage.
    pub log_path: Option<String>,
    /// `volumes.additional`.
    pub additional_volumes: Vec<AdditionalVolume>,
}
