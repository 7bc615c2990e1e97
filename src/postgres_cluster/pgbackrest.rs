//! pgBackRest: its repositories, its configuration files, the repo host and the scheduled backups.

pub mod backup_cron_jobs;
pub mod configuration;
pub(crate) mod credentials;
pub mod cron;
pub mod global_options;
pub mod manual_backup;
pub mod manual_options;
mod manual_words;
pub mod model;
pub mod objects;
pub mod option;
pub mod option_name;
pub mod option_value;
pub mod place;
pub mod repo_host;
pub mod resolve;
pub mod schedule;
pub mod schedule_gap;
pub mod server;
