//! Checks the host that a standby cluster follows. Patroni makes it `host` of a connection string, in which libpq reads a name, an
//! address, or several of them with commas (postgresql.org, "Parameter Key Words" and "Specifying Multiple Hosts").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diagnostic::words;

/// Checks a host, or several hosts with commas.
pub(crate) fn check(hosts: &str) -> Result<(), String> {
    if hosts.trim().is_empty() {
        return Err(
            "is empty, and Postgres would follow itself through its socket: write the name of a Service or an address"
                .to_owned(),
        );
    }
    hosts.split(',').try_for_each(one)
}

/// Checks one host.
fn one(host: &str) -> Result<(), String> {
    let quoted = words::quote(host);
    if host.is_empty() {
        return Err(
            "has a comma without a host beside it, where Postgres would follow itself through its socket: remove it"
                .to_owned(),
        );
    }
    if host.contains(char::is_whitespace) {
        return Err(format!(
            "{host:?} has white space, which would begin another setting of the connection: remove it"
        ));
    }
    let inner = host.strip_prefix('[').map(|rest| rest.split_once(']').unwrap_or((rest, "")));
    if let Some((address, rest)) = inner {
        let port =
            rest.strip_prefix(':').map(|port| format!(", and {} in `port`", words::quote(port))).unwrap_or_default();
        return Err(format!("{quoted} has brackets, which are only for URIs: write {}{port}", words::quote(address)));
    }
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    if let Ok(address) = address.parse() {
        return if leads_back(address) { Err(itself(&quoted)) } else { Ok(()) };
    }
    if let Some((name, port)) = host.split_once(':').filter(|(_, port)| !port.contains(':')) {
        let (name, port) = (words::quote(name), words::quote(port));
        return Err(format!(
            "{quoted} has a port, which libpq would take for a part of the name: write {name}, and {port} in `port`"
        ));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_local = |name: &str| name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain";
    if is_local(&name.to_ascii_lowercase()) {
        return Err(itself(&quoted));
    }
    // A name whose last label is a number is an address in a short form, such as `127.1` (inet_aton(3)).
    let is_address = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let bytes = label.as_bytes();
        let ends = bytes.first().zip(bytes.last()).is_some_and(|(first, last)| inner(*first) && inner(*last));
        ends && bytes.len() <= 63 && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
    };
    if is_address || name.len() > 253 || !name.split('.').all(is_label) {
        return Err(format!("{quoted} is not a valid name or address of a host: correct it"));
    }
    Ok(())
}

/// Whether an address is that of the pod itself, whatever pod it is.
fn leads_back(address: IpAddr) -> bool {
    let is_own = |address: Ipv4Addr| address.is_loopback() || address.octets()[0] == 0;
    match address {
        IpAddr::V4(address) => is_own(address),
        IpAddr::V6(address) => {
            [Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED].contains(&address)
                || address.to_ipv4_mapped().is_some_and(is_own)
        }
    }
}

fn itself(host: &str) -> String {
    format!(
        "{host} leads to the pod itself, and a cluster cannot follow itself: write the name of a Service or an address of the other cluster"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_an_address_is_a_host() {
        for host in [
            "hippo-primary.north.svc",
            "db_1.example.com.",
            "localhost.example.com",
            "10.0.0.1",
            "fd00::1",
            "fe80::1%eth0",
            "a.example.com,b.example.com",
            "0x.example.com",
        ] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn what_leads_nowhere_or_back_is_no_host() {
        for (host, words) in [
            ("", "is empty"),
            (" ", "is empty"),
            (",", "a comma without a host"),
            ("a,", "a comma without a host"),
            ("a, b", "white space"),
            ("a b", "white space"),
            ("a\n", "white space"),
            ("h:5432", "write `h`, and `5432` in `port`"),
            ("10.0.0.1:5432", "write `10.0.0.1`, and `5432` in `port`"),
            ("h:", "has a port"),
            ("[fd00::1]", "write `fd00::1`"),
            ("[fd00::1]:5432", "write `fd00::1`, and `5432` in `port`"),
            ("localhost", "cannot follow itself"),
            ("LocalHost.", "cannot follow itself"),
            ("a,db.localhost", "cannot follow itself"),
            ("127.0.0.1", "cannot follow itself"),
            ("127.8.0.1", "cannot follow itself"),
            ("0.0.0.0", "cannot follow itself"),
            ("::1", "cannot follow itself"),
            ("0:0:0:0:0:0:0:1", "cannot follow itself"),
            ("::", "cannot follow itself"),
            ("::ffff:127.0.0.1", "cannot follow itself"),
            ("127.1", "not a valid name"),
            ("0", "not a valid name"),
            ("10.0.0.256", "not a valid name"),
            ("a..b", "not a valid name"),
            ("-a", "not a valid name"),
            ("/tmp", "not a valid name"),
            ("@a", "not a valid name"),
            ("a=b", "not a valid name"),
            ("postgres://a", "has a port"),
            ("fd00::g", "not a valid name"),
        ] {
            let error = check(host).unwrap_err();
            assert!(error.contains(words), "{host:?}: {error}");
        }
    }
}
