//! Holds generated configuration and scripts against what PGO wrote for the same specs, and against the programs that
//! read them.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reads its environment and files, says why it is skipped, and panics when it fails"
)]

mod clusters;
mod golden;
mod processes;
mod programs;
mod sidecars;
mod startup;
mod tools;
