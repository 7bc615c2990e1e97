//! Checks lines of `pg_hba.conf` and `pg_ident.conf` that the user wrote in full. They are parsed as Postgres parses them
//! (`hba.c`, `next_token` and `next_field_expand`), to verify that each is exactly one line.

use super::hba_method::{self, Host, is_connection, is_method};
use super::hba_words::{Word, fields, first_word, is_file};
use super::{expression, hba_address};

/// Returns a line that the user wrote in full, without surrounding white space; `None` if it is empty.
pub fn hba_text(raw: &str) -> Option<String> {
    let line = raw.trim_matches(|character: char| !character.is_ascii_graphic());
    (!line.is_empty()).then(|| line.to_owned())
}

/// Checks a line of `pg_hba.conf`. Returns notes on words that Postgres accepts but that are probably not intended. A comment
/// is a valid line.
///
/// # Errors
/// If Postgres would refuse the text or read it as something other than this line, or if the line would not reject anybody
/// although it says so.
pub fn check_hba_text(text: &str, version: u16) -> Result<Vec<String>, String> {
    let fields = fields(text)?;
    let Some(connection) = first_word(&fields, 0) else { return Ok(Vec::new()) };
    if !is_connection(connection, version) {
        let meant = hba_method::near_connection(connection, version);
        return Err(format!("a line of pg_hba.conf cannot begin with `{connection}` in Postgres {version}{meant}"));
    }
    let host = Host::of(connection);
    let method_at = if host == Host::Local { 3 } else { hba_address::method_after(&fields)? };
    for (index, field) in fields.iter().enumerate().take(method_at + 1) {
        if field.len() > 1 && ![1, 2].contains(&index) {
            return Err(format!("field {} has a comma: only databases and users can be lists", index + 1));
        }
    }
    let method = match first_word(&fields, method_at) {
        Some(word) if is_method(word, version) => word,
        Some(word) => {
            let meant = hba_method::near_method(word, version);
            return Err(format!("`{word}` is not an authentication method of Postgres {version}{meant}"));
        }
        None => return Err("the line ends before the method".to_owned()),
    };
    if method != "trust" {
        hba_method::check_method(method, host, version)?;
    }
    for word in fields[1..3].iter().flatten() {
        check_expression(&word.text, version >= 16)?;
    }
    check_options(fields.get(method_at + 1..).unwrap_or_default(), method, host, version)?;

    let mut notes = misread(&fields[..method_at]);
    if method == "reject" && !notes.is_empty() {
        return Err(format!("this rule would not reject any connection: {}", notes.join("; ")));
    }
    if method == "trust" {
        notes.push(
            "`trust` lets everybody who matches this rule connect without a password: write `scram-sha-256` or \
             another method"
                .to_owned(),
        );
    }
    Ok(notes)
}

/// Checks a word that begins with a slash. `is_expression` says whether it is a regular expression in this version.
fn check_expression(word: &str, is_expression: bool) -> Result<(), String> {
    match word.strip_prefix('/') {
        None => Ok(()),
        Some(expression) if is_expression => expression::check(expression),
        Some(_) => Err(format!(
            "`{word}` is a regular expression only in Postgres 16 and later, and would not match any name: write the \
             names themselves"
        )),
    }
}

/// Checks the options after the method. Commas separate options too (`parse_hba_line`).
fn check_options(fields: &[Vec<Word>], method: &str, host: Host, version: u16) -> Result<(), String> {
    let mut names = Vec::new();
    for field in fields {
        for (index, word) in field.iter().enumerate() {
            let verdict = match word.text.split_once('=') {
                None => Err("an option must have the form `name=value`".to_owned()),
                Some((name, value)) => {
                    names.push(name);
                    hba_method::check_option(name, value, method, host, version)
                }
            };
            let name = word.text.split('=').next().unwrap_or_default();
            verdict.map_err(|why| match index {
                0 => format!("invalid option `{name}` after the method: {why}"),
                _ => format!(
                    "`{name}` after a comma would be a separate option: put a value that contains commas in quotes, \
                     as in `ldapbasedn=\"dc=example,dc=net\"`"
                ),
            })?;
        }
    }
    hba_method::check_required(method, names)
}

/// Returns notes on words before the method that look like keywords but are not.
fn misread(fields: &[Vec<Word>]) -> Vec<String> {
    let mut notes = Vec::new();
    for (index, field) in fields.iter().enumerate().skip(1) {
        let keywords = match index {
            1 => &["all", "sameuser", "samerole", "samegroup", "replication"][..],
            2 => &["all"],
            _ => &["all", "samehost", "samenet"],
        };
        for word in field {
            let Some(keyword) = keywords.iter().find(|keyword| word.text.eq_ignore_ascii_case(keyword)) else {
                continue;
            };
            // A role or a database may have such a name, but a host cannot.
            if (word.quoted && index == 3) || (!word.quoted && word.text != **keyword) {
                notes.push(format!(
                    "Postgres reads `{}` as a name and not as the keyword: write `{keyword}` without quotes",
                    word.text
                ));
            }
        }
    }
    notes
}

/// Checks a line of `pg_ident.conf`. If Postgres cannot read one line, it reads no map at all, not even that of replicas.
///
/// # Errors
/// If Postgres would refuse the text or read it as something other than this line.
pub fn check_ident_text(text: &str, version: u16) -> Result<(), String> {
    let fields = fields(text)?;
    if ![0, 3].contains(&fields.len()) {
        return Err("a line of pg_ident.conf has three fields, the map name, the system user name and the database \
                    user name: write all three"
            .to_owned());
    }
    for (index, field) in fields.iter().enumerate() {
        let [word] = field.as_slice() else {
            return Err(format!(
                "field {} has a comma: write one line for each name, or put the name in quotes",
                index + 1
            ));
        };
        if is_file(word) {
            return Err(format!(
                "Postgres would read `{}` from a file: write the lines here, or put the name in quotes",
                word.text
            ));
        }
        if index > 0 {
            check_expression(&word.text, index == 1 || version >= 16)?;
        }
    }
    Ok(())
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
                assert_eq!(verdict.map(|notes| !notes.is_empty()), Ok(trusts), "{line}");
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
            "host,local all all all md5",
            "host all all all reject foo=bar",
            "host all all all ldap ldapserver=x ldapbasedn=dc=example,dc=net",
            "host all all all ldap ldapserver=x",
            "host all all all cert",
            "hostssl all all all md5 clientcert=1",
            "host all all 0x7f000001 md5",
            "host all all 0X7f.1 md5",
            "host all all fe80::1%1 md5",
            "host all all @x md5",
            "host all \"/[\" all md5",
            "host /a,/*b all all md5",
            "host all all ALL reject",
            "host all ALL all reject",
            "host SameUser all all reject",
            "host all all \"all\" reject",
        ] {
            assert!(check_hba_text(line, 17).is_err(), "{line}");
        }
        assert!(check_hba_text("host all all all oauth issuer=x scope=y", 18).is_ok());
        assert!(check_hba_text("host all all all oauth issuer=x", 18).is_err());
    }

    #[test]
    fn a_slash_begins_an_expression_from_16_on() {
        for line in ["host all /^ap all reject", "host \"/x\" all all md5", "host all a,\"/^ap\" all reject"] {
            assert!(check_hba_text(line, 15).unwrap_err().contains("in Postgres 16 and later"), "{line}");
            assert_eq!(check_hba_text(line, 16), Ok(Vec::new()), "{line}");
        }
        assert_eq!(check_ident_text("m /^a b", 13), Ok(()));
        assert!(check_ident_text("m a /^b", 15).is_err());
        assert_eq!(check_ident_text("m a /^b", 16), Ok(()));
    }

    #[test]
    fn a_keyword_that_is_none_is_told() {
        for line in [
            "host all all ALL md5",
            "host all All all md5",
            "host all all \"samenet\" md5",
            "host REPLICATION all all md5",
        ] {
            assert_eq!(check_hba_text(line, 17).unwrap().len(), 1, "{line}");
        }
        for line in [
            "host \"ALL\" \"all\" all reject",
            "host replication all samenet md5",
            "host all all all ldap ldapserver=x ldapbasedn=\"dc=example,dc=net\"",
            "hostssl all all example.com cert clientcert=verify-full",
        ] {
            assert_eq!(check_hba_text(line, 17), Ok(Vec::new()), "{line}");
        }
    }

    #[test]
    fn a_line_of_pg_ident_has_three_fields() {
        for line in ["map system role", "# comment", r#"map "/^(.*)@x$" \1"#] {
            assert_eq!(check_ident_text(line, 17), Ok(()), "{line}");
        }
        assert_eq!(check_ident_text("m \"a,b\" \"@c\"", 17), Ok(()));
        for line in [
            "@/etc/postgres/map _crunchyrepl _crunchyrepl",
            "m @/etc/postgres/map x",
            "m x @/etc/postgres/map",
            "m c,d e",
            "a,b c d",
            "m c d, e",
            "m \"/[\" x",
            "m /(a x",
            "m x /*",
        ] {
            assert!(check_ident_text(line, 17).is_err(), "{line}");
        }
        for line in ["map system", "a b c d", "include x", "include x y", "map system role\n", "map system role\\"] {
            assert!(check_ident_text(line, 17).is_err(), "{line}");
        }
    }
}
