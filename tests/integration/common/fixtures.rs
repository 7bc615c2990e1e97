//! The clusters of this repository that must be rendered without errors.

use std::fs;
use std::path::Path;

/// Every cluster in `fixtures` that must be rendered without errors: the name of its directory and its text.
pub(crate) fn fixtures() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found: Vec<(String, String)> = fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(path.join("cluster.yaml")).ok()?;
            Some((path.file_name()?.to_string_lossy().into_owned(), text))
        })
        .collect();
    found.sort();
    assert!(found.len() >= 9, "{}", found.len());
    found
}
