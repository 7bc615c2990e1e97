//! The connection strings in the Secrets of users. They are escaped in the same way as PGO's, which Go's `net/url` escapes.
//!
//! libpq and pgJDBC accept any percent-encoding. The exact encoding matters so that PGO's Secret and pgrender's are equal. It
//! differs only where clients cannot read PGO's: for a database with `/`, because clients may use only the text after the last
//! one; for a database with `+` in a JDBC URI; and for a password with `,` or `=` (PGO's issue 4286).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// The characters that `url.QueryEscape` escapes: all except letters, digits and `-_.~`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The characters that are escaped in user and password: those of [`QUERY`] except `$&+;`. `url.UserPassword` does not escape
/// `,` and `=` either, which some clients regard as the end of a host or of a key. Every client can read them if they are
/// escaped (RFC 3986 2.4).
const USERINFO: &AsciiSet = &QUERY.remove(b'$').remove(b'&').remove(b'+').remove(b';');

/// The characters that `url.PathEscape` escapes in one segment of a path: those of [`QUERY`] except `$&+,;=:@`. A `/` in the
/// name of a database is escaped, because it is not a separator.
const PATH: &AsciiSet = &USERINFO.remove(b',').remove(b'=').remove(b':').remove(b'@');

/// The characters that are escaped in the database of a JDBC URI. pgJDBC decodes `+` as a space (its `Driver.parseURL`).
const JDBC_PATH: &AsciiSet = &PATH.add(b'+');

/// `postgresql://<user>:<password>@<host>:<port>/<dbname>`, the value of the keys `uri` and `pgbouncer-uri`.
pub fn postgresql_uri(user: &str, password: &str, host: &str, port: u16, dbname: &str) -> Zeroizing<String> {
    let [user, password] = [user, password].map(|text| utf8_percent_encode(text, USERINFO));
    let dbname = utf8_percent_encode(dbname, PATH);
    Zeroizing::new(format!("postgresql://{user}:{password}@{host}:{port}/{dbname}"))
}

/// `jdbc:postgresql://<host>:<port>/<dbname>?<key>=<value>&…`, the value of the keys `jdbc-uri` and `pgbouncer-jdbc-uri`. The
/// parameters are sorted by key.
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

/// The same as `url.QueryEscape`, for a form: a space becomes `+`, and `+` itself is escaped.
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
