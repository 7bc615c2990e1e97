//! All tests that use the library, the program, or the programs that read what is rendered. They are one program, so that it is
//! linked once. `cargo test --test integration golden::` runs those of one module.

#![expect(clippy::disallowed_methods, reason = "tests work with files, processes and the environment")]
#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a helper of tests fails as a test does"
)]
#![expect(clippy::format_collect, reason = "tests need not be fast")]
#![cfg(unix)]

mod common;

mod adopt;
mod cert_manager;
mod check;
mod collector;
mod config;
mod credentials;
mod data_source;
mod delivery;
mod describe;
mod determinism;
mod diff;
mod documents;
mod entry;
mod errors;
mod explain;
mod exporter;
mod golden;
mod help;
mod identity;
mod kubernetes;
mod network;
mod observed;
mod packaging;
mod pairs;
mod pipelines;
mod prometheus;
mod reference;
mod references;
mod replication;
mod restore_drill;
mod schema;
mod strings;
mod unrendered;
mod validation;
mod values;
mod yaml;
