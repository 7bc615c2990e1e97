//! Values and names of the spec reach files of Postgres, Patroni, pgBackRest and pgBouncer. Whatever they hold, the program either
//! refuses them, or the program that the file is for reads exactly what the spec says, and nothing else.
//!
//! Strings are made up from what these programs give a meaning to, always the same ones.

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
