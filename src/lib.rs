//! Renders a `PostgresCluster` into all Kubernetes objects that a highly available Postgres cluster needs.
//!
//! ```text
//! bytes ──read──▶ resources ──parse──▶ PostgresCluster ──resolve──▶ Cluster
//!                                                                      │
//!                              seed, existing Secrets, window ──▶ Identity
//!                                                                      ▼
//! bytes ◀──write── resources ◀──merge── objects ◀──build── (Cluster, Identity)
//! ```

pub mod caretaker;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod config;
pub mod custom_tls;
pub mod diagnostic;
pub mod existing;
pub mod identity;
pub mod kubernetes;
pub mod line;
pub mod merge;
pub mod naming;
pub mod object;
pub mod objects;
pub mod options;
pub mod parse;
pub mod read;
pub mod render;
pub mod resolve;
pub mod scripts;
pub mod spec;
pub mod standby;
mod unreplaced;
pub mod window;
mod words;
pub mod write;
pub mod x509;
