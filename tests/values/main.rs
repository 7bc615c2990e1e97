//! Values and names of the spec are written to files of Postgres, Patroni, pgBackRest and pgBouncer. Each is either refused, or
//! the program that reads the file reads exactly what the spec says, and nothing else.
//!
//! The strings are composed of characters that have a special meaning to these programs. They are the same in every run.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a test reads its environment and files, says why it is skipped, and panics when it fails"
)]

mod asked;
mod examples;
mod known_names;
mod misplaced;
mod passed_through;
mod patroni;
mod pgbackrest;
mod pgbouncer;
mod postgres;
#[path = "../config/processes.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod processes;
#[path = "../common/rendering.rs"]
mod rendering;
mod schedules;
mod spec;
mod told;
#[path = "../config/tools.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod tools;
