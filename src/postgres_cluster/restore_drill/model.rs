//! The resolved restore drill.

use crate::kubernetes::PersistentVolumeClaimSpec;
use crate::postgres_cluster::cluster::shared::ConfigMapKey;

/// When and how backups are restored to check them.
#[derive(Clone, Debug)]
pub struct RestoreDrill {
    /// A cron expression, as it is in the annotation.
    pub schedule: String,
    /// The number of the repository, 1 to 4.
    pub repository: u8,
    /// The SQL that the drill runs, instead of reading everything.
    pub sql: Option<ConfigMapKey>,
    /// The claim of the scratch volume.
    pub scratch: PersistentVolumeClaimSpec,
}
