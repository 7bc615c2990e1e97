//! pgBouncer: its settings, its configuration files and its Deployment.

pub mod configuration;
pub mod console;
pub mod deployment;
pub mod model;
pub mod objects;
pub mod resolve;
pub mod setting;
pub mod setting_name;
pub mod setting_value;
pub mod together;
