//! The data that a new cluster starts with (`spec.dataSource`): a backup of another cluster, or a repository in object storage.
//!
//! Patroni runs the caretaker's `restore` instead of `initdb` when it creates the cluster (Patroni, "Bootstrap"), in the one
//! instance that has the right to do so. So the data source is used once: after that, Patroni's record says that the cluster
//! exists, and the data source is ignored.

pub mod configuration;
pub mod model;
pub mod objects;
pub mod options;
pub mod resolve;
pub mod source_cluster;
