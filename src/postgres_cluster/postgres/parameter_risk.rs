//! Parameters that can disable what protects data (PostgreSQL, "Write Ahead Log", "Error Handling" and "Developer Options").

use super::parameter_value;

/// A parameter, the safe value, and the risk of another value.
const RISKS: [(&str, bool, &str); 7] = [
    (
        "allow_system_table_mods",
        false,
        "a slip in a catalogue can destroy the whole database, and nothing refuses it: remove it when the repair is done",
    ),
    (
        "data_sync_retry",
        false,
        "Postgres goes on after a failed write to the disk, and what the kernel has dropped by then is lost without a word: remove \
         it, so that it recovers from the WAL instead",
    ),
    (
        "fsync",
        true,
        "a crash of the node can destroy the whole database, and its replicas and backups get the damage: remove it; for fast \
         commits write `synchronous_commit: \"off\"`, which risks the last transactions only",
    ),
    (
        "full_page_writes",
        true,
        "a crash in the midst of writing a page can destroy data that nobody misses at once, and a backup may not be restorable: \
         remove it, and write `wal_compression: \"on\"` for less WAL",
    ),
    (
        "ignore_checksum_failure",
        false,
        "damaged pages are read as if they were sound, and spread into replicas and dumps: remove it when the data is saved",
    ),
    (
        "ignore_invalid_pages",
        false,
        "recovery passes over WAL of pages that it does not find, and data is lost: remove it when the data is saved",
    ),
    (
        "zero_damaged_pages",
        false,
        "each page that is found damaged is emptied, with all of its rows: remove it when the data is saved",
    ),
];

/// Returns the risk of this value of a parameter, whose name is in lower case; `None` if there is none.
pub fn risk(name: &str, value: &str) -> Option<&'static str> {
    let (_, safe, stake) = RISKS.iter().find(|(known, ..)| *known == name)?;
    let is_on = parameter_value::switch(value.trim())?;
    (is_on != *safe).then_some(*stake)
}
