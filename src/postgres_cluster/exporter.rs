//! The exporter of metrics for Prometheus: a sidecar of every instance that runs `postgres_exporter`.

pub mod container;
pub mod custom_queries;
pub mod dashboard;
pub(crate) mod files;
pub mod model;
pub(crate) mod mounted;
pub mod objects;
pub mod pod_monitor;
mod query_file;
pub mod resolve;
pub mod rules;
