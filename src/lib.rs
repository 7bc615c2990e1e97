//! Renders a `PostgresCluster` into every Kubernetes object that a highly available Postgres needs.
//!
//! ```text
//! bytes ──read──▶ resources ──parse──▶ PostgresCluster ──resolve──▶ Cluster
//!                                                                      │
//!                              seed, existing Secrets, window ──▶ Identity
//!                                                                      ▼
//! bytes ◀──write── resources ◀──merge── objects ◀──build── (Cluster, Identity)
//! ```

pub mod cluster;
pub mod identity;
pub mod kubernetes;
pub mod naming;
pub mod options;
pub mod parse;
pub mod read;
pub mod report;
pub mod spec;
pub mod write;
