//! Finds rules of `pg_hba.conf` with a password, which only Postgres may read.

/// Options whose value is a password or a list of passwords (PostgreSQL, "LDAP Authentication" and "RADIUS Authentication";
/// `radiussecret` before 10).
const OPTIONS: [&str; 2] = ["ldapbindpasswd", "radiussecret"];

/// Whether any of these lines contains a password. The name of an option may be quoted as a whole or in part, and may continue
/// on the next line after a backslash (PostgreSQL's `next_token` and `tokenize_auth_file`). Comments count too, because a rule
/// that was commented out may contain a password that is still in use.
pub fn holds_password(lines: &[String]) -> bool {
    let text = lines.join("\n").replace("\\\r\n", "").replace("\\\n", "").replace('"', "").to_ascii_lowercase();
    OPTIONS.iter().any(|option| text.contains(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(lines: &[&str]) -> bool {
        holds_password(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_password_is_found_however_its_option_is_written() {
        for option in [
            "ldapbindpasswd=x",
            r#""ldapbindpasswd"="x""#,
            r#""ldapbindpasswd=x""#,
            r#"ldap"bind"passwd=x"#,
            "LDAPbindpasswd=x",
            "radiussecrets=x",
            r#""radiussecrets"="""x"",""y""""#,
            "radiussecret=x",
        ] {
            assert!(holds(&["local all all peer", &format!("host all all all ldap {option}")]), "{option}");
            assert!(holds(&[&format!("# host all all all ldap {option}")]), "{option}");
        }
        assert!(holds(&["host all all all ldap ldapbind\\", "passwd=x"]));
    }

    #[test]
    fn other_rules_stay_where_everybody_may_read_them() {
        assert!(!holds(&[
            r#"local all "postgres" "peer""#,
            r#""hostssl" all all all "ldap" "ldapserver"="x" "ldapprefix"="cn=""#,
            r#""hostssl" all all all "radius" "radiusservers"="10.0.0.1""#,
            r#"hostssl all all all "scram-sha-256""#,
        ]));
    }
}
