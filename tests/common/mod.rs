//! Helpers that several integration tests use.

use std::path::PathBuf;

/// Finds the program `name` on the PATH. If it is missing, the test prints that it skips what needs the program. If `CI` is
/// `true`, the test fails instead, so that no part is left untested unnoticed.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "`{name}` is not on the PATH");
        println!("skipped: `{name}` is not on the PATH");
    }
    found
}
