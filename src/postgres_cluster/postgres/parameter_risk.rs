//! Parameters that can disable what protects data (PostgreSQL, "Write Ahead Log", "Error Handling" and "Developer Options").

use super::parameter_value;

/// A parameter, the safe value, and the risk of another value.
const RISKS: [(&str, bool, &str); 7] = [
    (
        "allow_system_table_mods",
        false,
        "a mistake in a system catalog can destroy the whole database, and Postgres does not prevent it: remove it \
         after the repair",
    ),
    (
        "data_sync_retry",
        false,
        "Postgres continues after a failed write to the disk, and data that the kernel has dropped is lost silently: \
         remove it, so that Postgres recovers from the WAL instead",
    ),
    (
        "fsync",
        true,
        "a crash of the node can corrupt the whole database, and its replicas and backups copy the damage: remove it; \
         for fast commits write `synchronous_commit: \"off\"`, which risks only the last transactions",
    ),
    (
        "full_page_writes",
        true,
        "a crash while a page is written can corrupt data without a message, and it can be impossible to restore a \
         backup: remove it, and write `wal_compression: \"on\"` for less WAL",
    ),
    (
        "ignore_checksum_failure",
        false,
        "Postgres reads damaged pages as if they were correct, and copies the damage to replicas and dumps: remove it \
         after you have saved the data",
    ),
    (
        "ignore_invalid_pages",
        false,
        "recovery ignores WAL records of missing pages, and data is lost: remove it after you have saved the data",
    ),
    (
        "zero_damaged_pages",
        false,
        "Postgres deletes all rows of each damaged page that it finds: remove it after you have saved the data",
    ),
];

/// Returns the risk of this value of a parameter, whose name is in lower case; `None` if there is none.
pub fn risk(name: &str, value: &str) -> Option<&'static str> {
    let (_, safe, stake) = RISKS.iter().find(|(known, ..)| *known == name)?;
    let is_on = parameter_value::switch(value.trim())?;
    (is_on != *safe).then_some(*stake)
}
