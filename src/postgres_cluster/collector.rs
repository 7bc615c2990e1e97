//! The OpenTelemetry collector (`spec.instrumentation`): a sidecar of instances, the repo host and pgBouncer that sends their logs,
//! and the metrics of instances, to where the user wants them.

pub mod configuration;
pub mod container;
mod exporters;
pub mod logs;
pub mod metrics;
pub mod model;
pub mod parts;
pub mod places;
pub mod queries;
pub mod query_file;
pub mod references;
pub mod resolve;
pub mod resolve_metrics;
pub mod tables;
mod variables;
