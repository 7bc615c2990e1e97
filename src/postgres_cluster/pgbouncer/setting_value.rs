//! Checks values of pgBouncer's settings (`main.c`; libusual's `cfparser.c`, `tls.c`). pgBouncer does not start if it cannot
//! parse one.

use std::collections::BTreeSet;

use super::setting_name;

const AUTH_TYPES: [&str; 9] = ["any", "cert", "hba", "ldap", "md5", "pam", "plain", "scram-sha-256", "trust"];
const POOL_MODES: [&str; 3] = ["session", "transaction", "statement"];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Minor versions of TLS: 2 means TLS 1.2.
pub type Versions = BTreeSet<u8>;

/// Returns what is wrong with the value of a setting, and what to write instead.
pub fn fault(name: &str, value: &str) -> Option<String> {
    let one_of = |words: &[&str]| {
        let known = words.iter().any(|word| word.eq_ignore_ascii_case(value));
        (!known).then(|| format!("write one of `{}`", words.join("`, `")))
    };
    let instead = match setting_name::kind(name)? {
        "auth_type" => one_of(&AUTH_TYPES),
        "pool_mode" => one_of(&POOL_MODES),
        "sslmode" => one_of(&SSL_MODES),
        "switch" => (!is_integer(value)).then(|| "write `1` or `0`".to_owned()),
        "integer" => (!is_integer(value)).then(|| "write a whole number, without a unit".to_owned()),
        "seconds" => (!is_seconds(value)).then(|| "write a number of seconds, without a unit".to_owned()),
        "protocols" => protocols(value).is_none().then(|| {
            "write `secure`, or a list of `tlsv1.0`, `tlsv1.1`, `tlsv1.2` and `tlsv1.3`, separated by commas".to_owned()
        }),
        _ => None,
    }?;
    Some(format!("pgBouncer does not start with the value `{value}`: {instead}"))
}

/// Whether `strtol` parses the text, in any base.
fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let is_digit = |digit: u8| if hexadecimal.is_some() { digit.is_ascii_hexdigit() } else { digit.is_ascii_digit() };
    let digits = hexadecimal.unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(is_digit)
}

fn is_seconds(value: &str) -> bool {
    is_integer(value) && !value.starts_with('-')
        || value.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            && value.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0)
}

/// Returns the versions in a list; `None` if pgBouncer cannot parse the list.
pub fn protocols(value: &str) -> Option<Versions> {
    // An empty value has the meaning of the default.
    let value = if value.is_empty() { "secure" } else { value };
    let mut versions = Versions::new();
    for item in value.split([',', ':']).map(str::trim) {
        let (without, name) = item.strip_prefix('!').map_or((false, item), |name| (true, name));
        let named: &[u8] = match name.to_ascii_lowercase().as_str() {
            "all" | "tlsv1" => &[0, 1, 2, 3],
            "default" | "secure" => &[2, 3],
            "tlsv1.0" => &[0],
            "tlsv1.1" => &[1],
            "tlsv1.2" => &[2],
            "tlsv1.3" => &[3],
            _ => return None,
        };
        if without {
            if versions.is_empty() {
                versions.extend([0, 1, 2, 3]);
            }
            versions.retain(|version| !named.contains(version));
        } else {
            versions.extend(named);
        }
    }
    Some(versions)
}
