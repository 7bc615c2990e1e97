//! Renders a `PostgresCluster` into all Kubernetes objects that a highly available Postgres cluster needs.
//!
//! ```text
//! bytes ──read──▶ resources ──parse──▶ PostgresCluster ──resolve──▶ Cluster
//!                                                                      │
//!                              seed, existing Secrets, window ──▶ Identity
//!                                                                      ▼
//! bytes ◀──write── resources ◀──merge── objects ◀──build── (Cluster, Identity)
//! ```

#[cfg(feature = "cli")]
pub mod cli;
pub mod diagnostic;
pub mod diff;
pub mod explain;
pub mod identity;
pub mod kind;
pub mod kubernetes;
pub mod naming;
pub mod options;
pub mod parse;
pub mod postgres_cluster;
pub mod read;
pub mod render;
pub mod write;
