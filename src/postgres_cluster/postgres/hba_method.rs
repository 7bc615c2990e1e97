//! The keywords of `pg_hba.conf` by version of Postgres: connection types, methods, and the options of each method (PostgreSQL,
//! "The pg_hba.conf File" and "Authentication Methods").

use crate::diagnostic::words;

/// How a client connects, as far as methods and options depend on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    /// Over the socket.
    Local,
    /// Only over TLS.
    Tls,
    /// Over the network, with or without TLS.
    Other,
}

impl Host {
    pub(crate) fn of(connection: &str) -> Self {
        match connection {
            "local" => Self::Local,
            "hostssl" => Self::Tls,
            _ => Self::Other,
        }
    }
}

/// The connection types, each with the first version that has it.
const CONNECTIONS: [(&str, u16); 6] =
    [("local", 0), ("host", 0), ("hostssl", 0), ("hostnossl", 0), ("hostgssenc", 12), ("hostnogssenc", 12)];

/// The methods of Postgres on Linux that authenticate the client or reject it, each with the first version that has it.
const METHODS: [(&str, u16); 12] = [
    ("reject", 0),
    ("scram-sha-256", 0),
    ("md5", 0),
    ("password", 0),
    ("cert", 0),
    ("gss", 0),
    ("ident", 0),
    ("ldap", 0),
    ("oauth", 18),
    ("pam", 0),
    ("peer", 0),
    ("radius", 0),
];

/// Options, each with the methods that have it.
const OPTIONS: [(&str, &[&str]); 25] = [
    ("map", &["cert", "gss", "ident", "oauth", "peer"]),
    ("krb_realm", &["gss"]),
    ("include_realm", &["gss"]),
    ("pamservice", &["pam"]),
    ("pam_use_hostname", &["pam"]),
    ("ldapurl", &["ldap"]),
    ("ldaptls", &["ldap"]),
    ("ldapscheme", &["ldap"]),
    ("ldapserver", &["ldap"]),
    ("ldapport", &["ldap"]),
    ("ldapbinddn", &["ldap"]),
    ("ldapbindpasswd", &["ldap"]),
    ("ldapsearchattribute", &["ldap"]),
    ("ldapsearchfilter", &["ldap"]),
    ("ldapbasedn", &["ldap"]),
    ("ldapprefix", &["ldap"]),
    ("ldapsuffix", &["ldap"]),
    ("radiusservers", &["radius"]),
    ("radiussecrets", &["radius"]),
    ("radiusports", &["radius"]),
    ("radiusidentifiers", &["radius"]),
    ("issuer", &["oauth"]),
    ("scope", &["oauth"]),
    ("validator", &["oauth"]),
    ("delegate_ident_mapping", &["oauth"]),
];

/// Checks that this version has the connection type.
pub(crate) fn check_connection(connection: &str, version: u16) -> Result<(), String> {
    one_of("a valid connection type", connection, &CONNECTIONS, version)
}

/// Checks that this version has the method, for this kind of connection.
pub(crate) fn check_method(method: &str, host: Host, version: u16) -> Result<(), String> {
    one_of("a valid authentication method", method, &METHODS, version)?;
    match (method, host) {
        ("peer", Host::Tls | Host::Other) => {
            Err("`peer` works only for the Unix-domain socket: write `connection: local` or another method".to_owned())
        }
        ("cert", Host::Local | Host::Other) => {
            Err("`cert` works only with TLS: write `connection: hostssl` or another method".to_owned())
        }
        ("gss", Host::Local) => {
            Err("`gss` does not work for the Unix-domain socket: write `connection: host` or another method".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks that the method has the option in this version, with this value.
pub(crate) fn check_option(name: &str, value: &str, method: &str, host: Host, version: u16) -> Result<(), String> {
    if name == "clientcert" || (name == "clientname" && version >= 14) {
        let values = client_certificate_values(name, method, version);
        if host != Host::Tls {
            return Err(format!("`{name}` works only with TLS: write `connection: hostssl`"));
        }
        return if values.contains(&value) { Ok(()) } else { Err(format!("must be `{}`", values.join("` or `"))) };
    }
    let methods = OPTIONS.iter().find(|(option, _)| *option == name).map_or(&[][..], |(_, methods)| methods);
    if methods.contains(&method) {
        return Ok(());
    }
    let options: Vec<&str> =
        OPTIONS.iter().filter(|(_, methods)| methods.contains(&method)).map(|(option, _)| *option).collect();
    let instead = match options.as_slice() {
        [] => "remove it".to_owned(),
        options => format!("the valid options are `{}`", options.join("`, `")),
    };
    Err(format!("Postgres {version} does not have this option for the method `{method}`: {instead}"))
}

/// Checks that `names` has every option that the method requires (`parse_hba_line`).
pub(crate) fn check_required<'a>(method: &str, names: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let names: Vec<&str> = names.into_iter().collect();
    // At least one option of each list is required.
    let required: &[&[&str]] = match method {
        "ldap" => &[&["ldapbasedn", "ldapprefix", "ldapsuffix", "ldapurl"]],
        "oauth" => &[&["issuer"], &["scope"]],
        "radius" => &[&["radiusservers"], &["radiussecrets"]],
        _ => &[],
    };
    match required.iter().find(|any| !any.iter().any(|option| names.contains(option))) {
        None => Ok(()),
        Some(any) => Err(format!("the method `{method}` needs the option `{}`", any.join("` or `"))),
    }
}

/// Returns the values of `clientcert` and `clientname`. From 14 on, `clientcert` says what is verified (`parse_hba_auth_opt`).
fn client_certificate_values(name: &str, method: &str, version: u16) -> &'static [&'static str] {
    match (name, method) {
        ("clientname", _) => &["CN", "DN"],
        ("clientcert", "cert") if version >= 14 => &["verify-full"],
        ("clientcert", _) if version >= 14 => &["verify-ca", "verify-full"],
        ("clientcert", "cert") => &["1"],
        ("clientcert", _) if version >= 12 => &["0", "1", "no-verify", "verify-ca", "verify-full"],
        _ => &["0", "1"],
    }
}

fn one_of(what: &str, word: &str, words: &[(&str, u16)], version: u16) -> Result<(), String> {
    let known: Vec<&str> = words.iter().filter(|(_, since)| *since <= version).map(|(word, _)| *word).collect();
    if known.contains(&word) {
        return Ok(());
    }
    Err(format!("`{word}` is not {what} in Postgres {version}: write one of `{}`", known.join("`, `")))
}

/// Whether this version has the connection type.
pub(crate) fn is_connection(word: &str, version: u16) -> bool {
    check_connection(word, version).is_ok()
}

/// Returns a suggestion of a connection type, as part of a message; empty if none is similar.
pub(crate) fn near_connection(word: &str, version: u16) -> String {
    near(word, &CONNECTIONS, version)
}

/// Returns a suggestion of a method, as part of a message; empty if none is similar.
pub(crate) fn near_method(word: &str, version: u16) -> String {
    near(word, &METHODS, version)
}

fn near(word: &str, known: &[(&'static str, u16)], version: u16) -> String {
    let names = known.iter().filter(|(_, since)| *since <= version).map(|(name, _)| *name);
    words::nearest(word, names).map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// Whether a version has this method for any kind of connection. `trust` counts.
pub(crate) fn is_method(word: &str, version: u16) -> bool {
    word == "trust" || METHODS.iter().any(|(method, since)| *method == word && *since <= version)
}
