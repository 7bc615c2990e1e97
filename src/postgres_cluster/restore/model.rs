//! The resolved data source, and the resolved restore in place.

use std::collections::BTreeMap;

use crate::kubernetes::VolumeProjection;
use crate::postgres_cluster::pgbackrest::model::Repository;

/// The backup that a new cluster starts with.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// Where the repository is.
    pub from: Source,
    /// The number of the repository, 1 to 4.
    pub repository: u8,
    /// The stanza in the repository.
    pub stanza: String,
    /// The user's options of `pgbackrest restore`, each as one word: `--type=time`.
    pub options: Vec<String>,
}

/// Where a repository is.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is a repository of another cluster in the same namespace.
    Cluster {
        /// The name of the cluster.
        name: String,
        /// Files of the user that pgBackRest needs for that repository, for example with a password.
        configuration: Vec<VolumeProjection>,
    },
    /// It is in object storage.
    ObjectStorage {
        /// The repository.
        repository: Box<Repository>,
        /// `global`: options of `[global]`.
        global: BTreeMap<String, String>,
        /// `configuration`: files of the user, for example with credentials.
        configuration: Vec<VolumeProjection>,
    },
}

/// The restore of the cluster from one of its own repositories.
#[derive(Clone, Debug)]
pub struct RestoreInPlace {
    /// The value of the annotation. Each new value is one restore.
    pub trigger: String,
    /// The number of the repository, 1 to 4.
    pub repository: u8,
    /// The user's options of `pgbackrest restore`, each as one word.
    pub options: Vec<String>,
}
