//! Patroni: its settings, its configuration file, and what it may be asked to do.

pub mod configuration;
pub mod dynamic_configuration;
pub mod known_settings;
pub mod resolve;
pub mod setting;
pub mod slots;
pub mod switchover;
