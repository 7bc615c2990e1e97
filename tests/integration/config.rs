//! Compares generated configuration and scripts with the intended values, and passes them to the programs that read them.

mod archive;
mod clusters;
mod object_storage;
mod patroni_api;
mod programs;
mod settings;
mod sidecars;
mod startup;
