//! The kind `PostgresCluster` of PGO's API, and everything that is rendered for it. There is one folder for each component.

pub mod adopt;
pub mod caretaker;
pub mod cluster;
pub mod collector;
pub mod configuration_file;
pub mod describe;
pub mod directories;
pub mod explain;
pub mod exporter;
pub mod instances;
pub mod kind;
mod known_names;
pub mod objects;
pub mod parse;
pub mod patroni;
pub mod pgbackrest;
pub mod pgbouncer;
mod places;
pub mod postgres;
pub mod replication;
pub mod resolve;
pub mod restore;
pub mod restore_drill;
mod rules;
pub mod scripts;
pub mod secrets;
pub mod spec;
mod work;

/// The name of the kind.
pub const KIND: &str = "PostgresCluster";
