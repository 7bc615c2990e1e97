//! The names of files for other programs, which look for a file from the directory that pgrender was started in.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cli::input::STDIN;

/// What is escaped in the path of a URI (RFC 3986, section 3.3, without the characters that need care).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Returns the path of a file from `directory`, or an absolute one if it is elsewhere. Standard input has none.
pub(super) fn relative(file: &str, directory: &Path) -> Option<String> {
    if file == STDIN {
        return None;
    }
    let path = Path::new(file);
    let path = path.strip_prefix(directory).unwrap_or(path);
    let parts = path.components().filter(|component| *component != Component::CurDir);
    Some(parts.collect::<std::path::PathBuf>().display().to_string())
}

/// Returns the URI of a file: relative to `directory` if the file is in it. Standard input has the name `stdin`.
pub(super) fn uri(file: &str, directory: &Path) -> String {
    let path = relative(file, directory).unwrap_or_else(|| "stdin".to_owned());
    let scheme = if Path::new(&path).is_absolute() { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(&path, ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_directory() {
        for (file, expected) in [
            ("a.yaml", "a.yaml"),
            ("./a/./b c.yaml", "a/b%20c.yaml"),
            ("/repository/a.yaml", "a.yaml"),
            ("/other/a.yaml", "file:///other/a.yaml"),
            ("../a.yaml", "../a.yaml"),
            ("é:#?.yaml", "%C3%A9%3A%23%3F.yaml"),
            (STDIN, "stdin"),
        ] {
            assert_eq!(uri(file, Path::new("/repository")), expected, "{file}");
        }
    }
}
