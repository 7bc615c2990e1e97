//! Checks the connection strings with Go's `net/url`.

use pgrender::identity::uri;
use serde_json::{Value, json};

use crate::identity::tools::{available, run};

/// Names and passwords with a character for every rule of escaping.
pub(crate) const HOSTILE: &[&str] = &[
    "plain",
    "()*+,-./0:;<=>?@A[]^_a{|}",
    " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "a b+c%20d%2Be",
    "p\u{e4} ss \u{2168} w\u{f6}rd \u{1f418}",
    "postgres://x:y@z/?a=b&c=d#e",
    "..",
];

#[test]
fn connection_strings_are_escaped_as_go_escapes_them_where_clients_read_that() {
    if !available("go") {
        return;
    }
    // Each ASCII character is also tested alone, so that every rule is used.
    let characters: Vec<String> = (1_u8..128).map(|byte| char::from(byte).to_string()).collect();
    let texts: Vec<&str> = HOSTILE.iter().copied().chain(characters.iter().map(String::as_str)).collect();
    let (host, port) = ("hippo-primary.ns.svc", 5432);
    let targets: Vec<Value> = texts
        .iter()
        .map(|text| json!({"User": text, "Password": text, "Host": host, "Port": port.to_string(), "Dbname": text}))
        .collect();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/identity/escape.go");
    let expected: Value = serde_json::from_str(&run("go", &["run", program], &json!(targets).to_string())).unwrap();
    let expected: Vec<Value> = expected.as_array().unwrap().iter().map(readable_by_all).collect();
    let actual: Vec<Value> = texts
        .iter()
        .map(|text| {
            let parameters = [("user", *text), ("prepareThreshold", "0"), ("password", *text)];
            json!({
                "uri": *uri::postgresql_uri(text, text, host, port, text),
                "jdbc": *uri::jdbc_uri(host, port, text, &parameters),
            })
        })
        .collect();
    assert_eq!(actual, expected);
}

/// Returns Go's strings with `,` and `=` escaped in user and password, `/` in the database, and `+` in the database of the JDBC
/// URI.
fn readable_by_all(strings: &Value) -> Value {
    let (user, place) = strings["uri"].as_str().unwrap().rsplit_once("@hippo-primary.").unwrap();
    let user = user.replace(',', "%2C").replace('=', "%3D");
    let (host, database) = place.split_once(":5432/").unwrap();
    let uri = format!("{user}@hippo-primary.{host}:5432/{}", database.replace('/', "%2F"));
    let (server, rest) = strings["jdbc"].as_str().unwrap().split_once(":5432/").unwrap();
    let (database, parameters) = rest.split_once('?').unwrap();
    let database = database.replace('/', "%2F").replace('+', "%2B");
    json!({"uri": uri, "jdbc": format!("{server}:5432/{database}?{parameters}")})
}
