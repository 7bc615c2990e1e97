//! The server of a storage, as pgBackRest reads its address (`common/io/http/url.c`).

/// A host and a port. Two servers are equal if they certainly have the same buckets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    host: String,
    port: u32,
}

impl Server {
    /// The server at an address such as `s3.example.com`, `s3.example.com:9000` or `https://s3.example.com/`. The option for the
    /// port overrides the port in the address.
    pub fn of(address: &str, port: Option<&str>) -> Self {
        let address = address.to_ascii_lowercase();
        let address = address.trim_start_matches("https://");
        let authority = address.split('/').next().unwrap_or_default();
        let (host, own) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.or(own).and_then(|port| port.parse().ok()).unwrap_or(443);
        Self { host: canonical(host.trim_end_matches('.')).to_owned(), port }
    }
}

/// Returns one name for all hosts of Amazon S3. A bucket has the same name in all of them (docs.aws.amazon.com, "General purpose
/// bucket naming rules": it is unique in all accounts and Regions of a partition).
fn canonical(host: &str) -> &str {
    let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if is_of("amazonaws.com") && host.contains("us-gov-") {
        "s3.us-gov-west-1.amazonaws.com"
    } else if is_of("amazonaws.com") {
        "s3.amazonaws.com"
    } else if is_of("amazonaws.com.cn") {
        "s3.cn-north-1.amazonaws.com.cn"
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_pgbackrest_does() {
        for (address, port, host, expected) in [
            ("s3.example.com", None, "s3.example.com", 443),
            ("https://S3.example.com.", None, "s3.example.com", 443),
            ("https://s3.example.com:9000/a/b", None, "s3.example.com", 9000),
            ("s3.example.com:9000", Some("9001"), "s3.example.com", 9001),
            ("[fd00::1]", None, "fd00::1", 443),
            ("[fd00::1]:9000", None, "fd00::1", 9000),
            ("bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com", None, "s3.amazonaws.com", 443),
            ("notamazonaws.com", None, "notamazonaws.com", 443),
        ] {
            assert_eq!(Server::of(address, port), Server { host: host.to_owned(), port: expected }, "{address}");
        }
    }
}
