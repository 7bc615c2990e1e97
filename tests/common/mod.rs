//! What the integration tests share.

use std::path::PathBuf;

/// The program `name` on the PATH. Where it is missing the test says that it skips what needs it, and fails when `CI` is
/// `true`, so that nothing goes untested there unseen.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "`{name}` is not on the PATH");
        println!("skipped: `{name}` is not on the PATH");
    }
    found
}
