//! Lines that the user wrote in full, of `pg_hba.conf` and of `pg_ident.conf`: they are read here as Postgres reads them
//! (`hba.c`, `next_token` and `next_field_expand`), to see that each is one line and nothing but a line.

use std::iter::Peekable;
use std::net::IpAddr;
use std::str::Chars;

use super::hba_method::{is_connection, is_method};
use crate::line;

/// Where files that the user brings are in every instance: `spec.config.files`, and additional volumes.
const PLACES_OF_FILES: [&str; 2] = ["/etc/postgres/", "/volumes/"];

/// A line that the user wrote in full, without what surrounds it; `None` where nothing is left of it.
pub fn hba_text(raw: &str) -> Option<String> {
    let line = raw.trim_matches(|character: char| !character.is_ascii_graphic());
    (!line.is_empty()).then(|| line.to_owned())
}

/// Checks a line of `pg_hba.conf`, and says whether it is one of the method `trust`, which asks for no proof. A comment is a line too.
///
/// # Errors
/// What Postgres would refuse, or would read as something else than this line.
pub fn check_hba_text(text: &str, version: u16) -> Result<bool, String> {
    let fields = fields(text)?;
    let Some(connection) = first_word(&fields, 0) else { return Ok(false) };
    if !is_connection(connection, version) {
        return Err(format!("a line of pg_hba.conf for Postgres {version} does not begin with `{connection}`"));
    }
    for (index, field) in fields.iter().enumerate().skip(3) {
        if field.len() > 1 && !field.iter().all(|word| word.text.contains('=')) {
            return Err(format!("field {} has a comma: databases and users are the only lists", index + 1));
        }
    }
    let method = if connection == "local" { 3 } else { method_after_address(&fields)? };
    if let Some(word) = fields.iter().skip(method + 1).flatten().find(|word| !word.text.contains('=')) {
        return Err(format!("`{}` after the method is not an option: options are `name=value`", word.text));
    }
    match first_word(&fields, method) {
        Some(word) if is_method(word, version) => Ok(word == "trust"),
        Some(word) => Err(format!("`{word}` is not a method of Postgres {version}")),
        None => Err("the line ends before the method".to_owned()),
    }
}

/// Where the method is: behind the address, and behind its mask where that is a field of its own.
fn method_after_address(fields: &[Vec<Word>]) -> Result<usize, String> {
    let Some(address) = first_word(fields, 3) else { return Err("the line ends before the address".to_owned()) };
    let (host, length) = address.split_once('/').map_or((address, None), |(host, length)| (host, Some(length)));
    let no_address = || Err(format!("`{address}` is not an address: write `all`, a name, or one like `10.0.0.0/8`"));
    match (host.parse::<IpAddr>(), length) {
        (Ok(ip), Some(length)) => {
            let longest = if ip.is_ipv4() { 32 } else { 128 };
            if length.parse::<u8>().is_ok_and(|length| length <= longest) { Ok(4) } else { no_address() }
        }
        (Ok(ip), None) => match first_word(fields, 4).map(str::parse::<IpAddr>) {
            Some(Ok(mask)) if mask.is_ipv4() == ip.is_ipv4() => Ok(5),
            _ => Err(format!("`{address}` has no mask: write how many bits count, as in `{address}/32`")),
        },
        (Err(_), None) if !host.is_empty() && !host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => Ok(4),
        (Err(_), _) => no_address(),
    }
}

/// Checks a line of `pg_ident.conf`.
///
/// # Errors
/// What Postgres would refuse, or would read as something else than this line.
pub fn check_ident_text(text: &str) -> Result<(), String> {
    match fields(text)?.len() {
        0 | 3 => Ok(()),
        _ => Err("a line of pg_ident.conf has three fields: the map, the system user, the role".to_owned()),
    }
}

/// A word; one in quotes has no other meaning than its text.
#[derive(Debug, Eq, PartialEq)]
struct Word {
    text: String,
    quoted: bool,
}

/// The fields of a line, each a list of words, up to a comment.
fn fields(text: &str) -> Result<Vec<Vec<Word>>, String> {
    line::check(text)?;
    if text.ends_with('\\') {
        // From 14 on, even in quotes and comments.
        return Err("a backslash at the end would join the next line to this one: remove it".to_owned());
    }
    let mut fields: Vec<Vec<Word>> = Vec::new();
    let mut rest = text.chars().peekable();
    let mut continues = false;
    loop {
        while rest.next_if(|character| matches!(character, ' ' | '\t' | ',')).is_some() {}
        if matches!(rest.peek(), None | Some('#')) {
            break;
        }
        let (word, comma) = word(&mut rest);
        if !word.quoted && word.text.len() > 1 && word.text.starts_with('@') {
            check_file(&word.text[1..])?;
        }
        match fields.last_mut() {
            Some(field) if continues => field.push(word),
            _ => fields.push(vec![word]),
        }
        continues = comma;
    }
    // From 16 on, even in quotes.
    if let Some(directive) = first_word(&fields, 0).filter(|word| is_include(word)) {
        return Err(format!("`{directive}` would read another file: write its lines here"));
    }
    Ok(fields)
}

fn is_include(word: &str) -> bool {
    ["include", "include_dir", "include_if_exists"].contains(&word)
}

/// One word, and whether a comma ends it.
fn word(rest: &mut Peekable<Chars>) -> (Word, bool) {
    let mut word = Word { text: String::new(), quoted: rest.peek() == Some(&'"') };
    let (mut in_quotes, mut was_quote) = (false, false);
    while let Some(character) = rest.next_if(|character| in_quotes || !matches!(character, ' ' | '\t' | '#')) {
        if character == ',' && !in_quotes {
            return (word, true);
        }
        if character != '"' || was_quote {
            word.text.push(character);
        }
        // Two quotes inside quotes are one.
        was_quote = in_quotes && character == '"' && !was_quote;
        if character == '"' {
            in_quotes = !in_quotes;
        }
    }
    (word, false)
}

/// `@file` stands for the words in a file. Where the file is not there, versions before 16 read no word at all, and a rule that
/// rejects then rejects nobody.
fn check_file(file: &str) -> Result<(), String> {
    let brought =
        PLACES_OF_FILES.iter().any(|place| file.starts_with(place)) && !file.split('/').any(|part| part == "..");
    if brought {
        return Ok(());
    }
    Err(format!(
        "`@{file}` would be read from a file, which no instance has: put a name like this in quotes, or bring the file in \
         `spec.config.files` and write `@/etc/postgres/…`"
    ))
}

fn first_word(fields: &[Vec<Word>], index: usize) -> Option<&str> {
    fields.get(index)?.first().map(|word| word.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed() {
        assert_eq!(hba_text("  local all all peer \n").as_deref(), Some("local all all peer"));
        assert_eq!(hba_text("\t  "), None);
    }

    #[test]
    fn a_line_that_postgres_reads_is_accepted() {
        for (line, trusts) in [
            ("", false),
            ("# host all all all trust", false),
            ("local all all peer map=m", false),
            ("host all all all trust # comment", true),
            ("host all all 10.0.0.1 255.255.255.255 trust", true),
            ("host all all ::1/128 scram-sha-256", false),
            (r#""hostssl" "a b", c "say ""hi""" all "cert""#, false),
            (r#"host "@file" +admins,"#, false),
            ("host all @/etc/postgres/users all md5", false),
        ] {
            let verdict = check_hba_text(line, 17);
            if line.ends_with(',') {
                assert!(verdict.is_err(), "{line}");
            } else {
                assert_eq!(verdict, Ok(trusts), "{line}");
            }
        }
    }

    #[test]
    fn what_is_more_or_less_than_a_line_is_refused() {
        for line in [
            "host all all all md5\nhost all all all trust",
            "host all all all reject \\",
            "# comment \\",
            "include /etc/passwd",
            r#""include_dir" /etc"#,
            r#"incl""ude_if_exists x"#,
            "host all @users all md5",
            "host all all,@/etc/postgres/../passwd all md5",
            "host all all all",
            "host all all 10.0.0.1 trust",
            "host all all all oauth",
            "hosts all all all md5",
            "host all all 10.0.0.1,10.0.0.2 md5",
            "host all all 10.0.0.1/33 md5",
            "host all all 10.0.0.1 ::1 md5",
            "host all all example.com/8 md5",
            "host all all 10 255.0.0.0 md5",
            "host all all all md5,trust",
            "host all all all md5 clientcert",
            "local all all all md5",
        ] {
            assert!(check_hba_text(line, 17).is_err(), "{line}");
        }
        assert!(check_hba_text("host all all all oauth issuer=x scope=y", 18).is_ok());
    }

    #[test]
    fn a_line_of_pg_ident_has_three_fields() {
        for line in ["map system role", "# comment", r#"map "/^(.*)@x$" \1"#] {
            assert_eq!(check_ident_text(line), Ok(()), "{line}");
        }
        for line in ["map system", "a b c d", "include x", "include x y", "map system role\n", "map system role\\"] {
            assert!(check_ident_text(line).is_err(), "{line}");
        }
    }
}
