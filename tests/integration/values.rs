//! Values and names of the spec are written to files of Postgres, Patroni, pgBackRest and pgBouncer. Each is either refused, or
//! the program that reads the file reads exactly what the spec says, and nothing else.
//!
//! The strings are composed of characters that have a special meaning to these programs. They are the same in every run.

mod asked;
mod examples;
mod known_names;
mod misplaced;
mod passed_through;
mod patroni;
mod pgbackrest;
mod pgbouncer;
pub(crate) mod postgres;
mod restore;
pub(crate) mod schedules;
mod spec;
mod told;
