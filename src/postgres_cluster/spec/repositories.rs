//! Repositories of pgBackRest: `spec.backups.pgbackrest.repos` and `spec.dataSource.pgbackrest.repo`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{VolumeClaimSpec, pattern};

/// A repository; it has one of `azure`, `gcs`, `s3` and `volume`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositorySpec {
    /// In Azure Blob Storage.
    pub azure: Option<AzureSpec>,
    /// In Google Cloud Storage.
    pub gcs: Option<GcsSpec>,
    /// `repo1` to `repo4`.
    #[schemars(regex(pattern = pattern::REPOSITORY))]
    pub name: String,
    /// In S3, or in a storage with the same protocol.
    pub s3: Option<S3Spec>,
    /// When backups to this repository are taken.
    pub schedules: Option<SchedulesSpec>,
    /// On a volume of the repo host.
    pub volume: Option<RepositoryVolumeSpec>,
}

/// A container in Azure Blob Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureSpec {
    /// The container.
    pub container: String,
}

/// A bucket in Google Cloud Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcsSpec {
    /// The bucket.
    pub bucket: String,
}

/// A bucket in S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Spec {
    /// The bucket.
    pub bucket: String,
    /// The host of the service.
    pub endpoint: String,
    /// The region.
    pub region: String,
}

/// When backups are taken: cron expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchedulesSpec {
    /// When differential backups are taken, which contain what changed since the last full backup: a cron expression.
    #[schemars(length(min = 6))]
    pub differential: Option<String>,
    /// When full backups are taken: a cron expression.
    #[schemars(length(min = 6))]
    pub full: Option<String>,
    /// When incremental backups are taken, which contain what changed since the last backup of any type: a cron expression.
    #[schemars(length(min = 6))]
    pub incremental: Option<String>,
}

/// A volume for a repository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositoryVolumeSpec {
    /// The PersistentVolumeClaim.
    pub volume_claim_spec: VolumeClaimSpec,
}
