//! Parameters of `postgresql.conf`. Patroni writes each as a line `name = 'value'`: it doubles quotes and backslashes of the
//! value, and takes everything else, and the whole name, as it is (`ConfigWriter.write_param`).

use crate::line;

/// Directives of `postgresql.conf` that have the form of a parameter.
const INCLUDES: [&str; 3] = ["include", "include_dir", "include_if_exists"];

/// Checks the name of a parameter. The file takes letters of other alphabets too, but no parameter is called so.
///
/// # Errors
/// What Postgres would not read as one name (`guc-file.l`: `ID` and `QUALIFIED_ID`).
pub fn check_name(name: &str) -> Result<(), String> {
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_identifier(part)) {
        return Err(
            "this is not the name of a parameter: write letters, digits and `_`, after one dot where it is an \
                    extension's, as in `pgaudit.log`"
                .to_owned(),
        );
    }
    if INCLUDES.contains(&name.to_ascii_lowercase().as_str()) {
        return Err("cannot include other files: write the parameters themselves".to_owned());
    }
    Ok(())
}

/// Checks the value of a parameter.
///
/// # Errors
/// What would not be the value of this parameter alone.
pub fn check_value(name: &str, value: &str) -> Result<(), String> {
    line::check(value)?;
    if name.eq_ignore_ascii_case("shared_preload_libraries") && !is_list(value) {
        // Postgres then loads none of them, ours neither (`load_libraries`).
        return Err("this is not a list of libraries: write names with commas between them".to_owned());
    }
    Ok(())
}

/// Whether Postgres reads a list of paths (`SplitDirectoriesString`); an empty one is one.
fn is_list(value: &str) -> bool {
    let mut rest = value.trim_start();
    if rest.is_empty() {
        return true;
    }
    loop {
        rest = if let Some(quoted) = rest.strip_prefix('"') {
            // Two quotes are one.
            let Some(end) = line::closing(quoted, '"') else { return false };
            quoted[end + 1..].trim_start()
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            if rest[..end].trim_end().is_empty() {
                return false;
            }
            &rest[end..]
        };
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => return rest.is_empty(),
        }
        if rest.is_empty() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_the_file() {
        for name in ["work_mem", "DateStyle", "pgaudit.log", "_a1.b_2"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a.b.c",
            "a b",
            "1a",
            "a.1b",
            "a$",
            "é",
            "a-b",
            "a=b",
            "a'b",
            "#a",
            "a\nb",
            "z.b = 'x'\narchive_command",
            "archive_command = 'evil' #",
            "include",
            "INCLUDE_DIR",
            "include_if_exists",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn libraries_are_a_list() {
        for list in ["", " ", "a", "a, b", r#""a""b,c" , d"#, "a b", "$libdir/a", r#"a"b"#] {
            assert_eq!(check_value("shared_preload_libraries", list), Ok(()), "{list}");
        }
        for list in [",", "a,", "a,,b", ",a", r#""a"#, r#""a"b"#] {
            assert!(check_value("Shared_Preload_Libraries", list).is_err(), "{list}");
            assert_eq!(check_value("search_path", list), Ok(()), "{list}");
        }
    }
}
