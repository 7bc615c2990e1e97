//! Checks parameters of `postgresql.conf`. Patroni writes each as a line `name = 'value'`. It doubles quotes and backslashes in
//! the value, and writes everything else, including the name, unchanged (`ConfigWriter.write_param`).

use crate::diagnostic::line;
use crate::diagnostic::words;

/// Directives of `postgresql.conf` that have the form of a parameter.
const INCLUDES: [&str; 3] = ["include", "include_dir", "include_if_exists"];

/// Checks the name of a parameter. The file also allows letters of other alphabets, but no parameter has such a name.
///
/// # Errors
/// If Postgres would not read the text as one name (`guc-file.l`: `ID` and `QUALIFIED_ID`).
pub fn check_name(name: &str) -> Result<(), String> {
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_identifier(part)) {
        return Err(
            "is not a valid name of a parameter: write letters, digits and `_`, or two such names with a dot between \
             them for a parameter of an extension, as in `pgaudit.log`"
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
/// If the text would not be read as the value of this parameter only.
pub fn check_value(name: &str, value: &str) -> Result<(), String> {
    line::check(value)?;
    if name.eq_ignore_ascii_case("shared_preload_libraries") && libraries(value).is_none() {
        // Postgres would then load no library of the list, not even those of pgrender (`load_libraries`).
        return Err("is not a valid list of libraries: write names separated by commas".to_owned());
    }
    Ok(())
}

/// Parameters that are lists of libraries. If a library of the first is missing, Postgres does not start. If one of the others
/// is missing, nobody can connect (PostgreSQL, "Shared Library Preloading").
const LIBRARIES: [&str; 3] = ["shared_preload_libraries", "session_preload_libraries", "local_preload_libraries"];

/// Returns what is wrong with the names in a list of libraries. The name of the parameter is in lower case. Single quotes are
/// part of a name, and everything between double quotes is one name.
pub fn library_fault(name: &str, value: &str) -> Option<String> {
    let names = if LIBRARIES.contains(&name) { libraries(value)? } else { return None };
    let strange = names.iter().find(|name| name.contains(['\'', ',', ' ', '\t']))?;
    let names = value.split(['\'', '"', ',', ' ', '\t']).filter(|name| !name.is_empty()).collect::<Vec<_>>();
    let (strange, instead) = (words::quote(strange), words::quote(&names.join(",")));
    Some(format!(
        "Postgres reads {strange} as the name of one library, including the quotes and spaces, and cannot find it: \
         write the names without quotes and separate them with commas, such as {instead}"
    ))
}

/// Returns the names in a list of paths, as Postgres parses it (`SplitDirectoriesString`). An empty text is a valid list.
fn libraries(value: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = value.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        rest = if let Some(quoted) = rest.strip_prefix('"') {
            // Two quotes stand for one.
            let end = line::closing(quoted, '"')?;
            names.push(quoted[..end].replace("\"\"", "\""));
            quoted[end + 1..].trim_start()
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let name = rest[..end].trim_end();
            if name.is_empty() {
                return None;
            }
            names.push(name.to_owned());
            &rest[end..]
        };
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => return rest.is_empty().then_some(names),
        }
        if rest.is_empty() {
            return None;
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

    #[test]
    fn quotes_make_one_name_of_several() {
        for (list, names) in
            [("'a, b'", "a,b"), ("'a'", "a"), ("\"a, b\"", "a,b"), ("c, \"a b\"", "c,a,b"), ("a b", "a,b")]
        {
            let fault = library_fault("shared_preload_libraries", list).unwrap_or_default();
            assert!(fault.contains(&format!("such as `{names}`")), "{list}: {fault}");
            assert!(library_fault("session_preload_libraries", list).is_some(), "{list}");
            assert_eq!(library_fault("search_path", list), None, "{list}");
        }
        for list in ["", "a", "a, b", "\"a\", b", "$libdir/a"] {
            assert_eq!(library_fault("shared_preload_libraries", list), None, "{list}");
        }
    }
}
