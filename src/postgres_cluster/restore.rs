//! Restores: the data that a new cluster starts with (`spec.dataSource`), and the data that replaces that of an existing cluster
//! (`spec.backups.pgbackrest.restore`).
//!
//! For a new cluster, Patroni runs the caretaker's `restore` instead of `initdb` (Patroni, "Bootstrap"), in the one instance that
//! has the right to create the cluster. So the data source is used once: after that, Patroni's record says that the cluster
//! exists, and the data source is ignored. In an existing cluster, the caretaker restores before Patroni starts
//! (`caretaker/in_place.py`).

pub mod configuration;
pub mod in_place;
pub mod model;
pub mod objects;
pub mod options;
pub mod resolve;
pub mod source_cluster;
mod target;
mod time;
mod words;
