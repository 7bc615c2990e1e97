//! The restore drill: a CronJob that restores the newest backup into a scratch volume, and checks it. PGO has none. Its program is
//! `restore_drill/restore_drill.py` and the files that it imports.

pub mod cron_job;
pub mod model;
pub mod objects;
pub mod program;
pub mod resolve;
