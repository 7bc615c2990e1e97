//! The connection strings of user Secrets, escaped byte for byte as PGO's are: with Go's `net/url`.
//!
//! What libpq and pgjdbc read is any percent-encoding; the exact one matters so that a Secret that PGO made and one
//! that pgrender made do not differ, but where clients cannot read what PGO writes: a database with `/`, for which they may take
//! what follows the last one, in a JDBC URI one with `+` (pgjdbc), and a password with `,` or `=` (PGO's issue 4286).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// What `url.QueryEscape` escapes: all but letters, digits and `-_.~`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// User and password: `$&+;` stay as well. `url.UserPassword` leaves `,` and `=` too, which some clients take for the end of a
/// host or a key; every client reads them escaped (RFC 3986 2.4).
const USERINFO: &AsciiSet = &QUERY.remove(b'$').remove(b'&').remove(b'+').remove(b';');

/// What `url.PathEscape` escapes, the escape of one segment of a path: `$&+,;=` and `:@` stay as well. A `/` is no separator here.
const PATH: &AsciiSet = &USERINFO.remove(b',').remove(b'=').remove(b':').remove(b'@');

/// The database in a JDBC URI: pgjdbc takes `+` for a space (its `Driver.parseURL`).
const JDBC_PATH: &AsciiSet = &PATH.add(b'+');

/// `postgresql://<user>:<password>@<host>:<port>/<dbname>`: the keys `uri` and `pgbouncer-uri`.
pub fn postgresql_uri(user: &str, password: &str, host: &str, port: u16, dbname: &str) -> Zeroizing<String> {
    let [user, password] = [user, password].map(|text| utf8_percent_encode(text, USERINFO));
    let dbname = utf8_percent_encode(dbname, PATH);
    Zeroizing::new(format!("postgresql://{user}:{password}@{host}:{port}/{dbname}"))
}

/// `jdbc:postgresql://<host>:<port>/<dbname>?<key>=<value>&…` with the keys in order: the keys `jdbc-uri` and
/// `pgbouncer-jdbc-uri`.
pub fn jdbc_uri(host: &str, port: u16, dbname: &str, parameters: &[(&str, &str)]) -> Zeroizing<String> {
    let mut parameters = parameters.to_vec();
    parameters.sort_unstable();
    let dbname = utf8_percent_encode(dbname, JDBC_PATH);
    let mut uri = Zeroizing::new(format!("jdbc:postgresql://{host}:{port}/{dbname}"));
    for (position, (key, value)) in parameters.into_iter().enumerate() {
        let separator = if position == 0 { '?' } else { '&' };
        uri.push(separator);
        uri.push_str(&query_escape(key));
        uri.push('=');
        uri.push_str(&query_escape(value));
    }
    uri
}

/// `url.QueryEscape`: as in a form, where a space is `+` (and `+` itself is escaped).
fn query_escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string().replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_part_is_escaped() {
        assert_eq!(
            *postgresql_uri("a:b@c", "/?#[]%$&+,;= ", "h.ns.svc", 5432, "d?e/f,=g"),
            "postgresql://a%3Ab%40c:%2F%3F%23%5B%5D%25$&+%2C;%3D%20@h.ns.svc:5432/d%3Fe%2Ff,=g"
        );
    }

    #[test]
    fn parameters_of_jdbc_are_sorted_and_escaped_as_in_a_form() {
        assert_eq!(
            *jdbc_uri("h.ns.svc", 5432, "app", &[("user", "a b"), ("password", "x&y=+%20"), ("prepareThreshold", "0")]),
            "jdbc:postgresql://h.ns.svc:5432/app?password=x%26y%3D%2B%2520&prepareThreshold=0&user=a+b"
        );
    }
}
