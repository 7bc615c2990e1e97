//! Compares generated configuration and scripts with the intended values, and passes them to the programs that read them.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test reads its environment and files, says why it is skipped, and panics when it fails"
)]

mod archive;
mod clusters;
mod patroni_api;
mod processes;
mod programs;
mod settings;
mod sidecars;
mod startup;
mod tools;
