//! Parses the values of settings. The errors say what to write instead.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::environment::IMAGE_PREFIX;
use crate::diagnostic::line::shown;
use crate::options::IssuerReference;
use crate::parse::metadata::is_label;

/// Parses a time: RFC 3339 (`2026-01-31T12:00:00Z`) or seconds since 1970.
pub(super) fn time(text: &str) -> Result<i64, String> {
    let seconds = text.parse().ok();
    let moment = || OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    seconds.or_else(moment).ok_or_else(|| {
        format!("`{}` is not a valid time: write it as `2026-01-31T12:00:00Z` or in seconds since 1970", shown(text))
    })
}

/// Parses the name of a namespace, which becomes part of host names and file names. An empty text is allowed and means none.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    if text.is_empty() || (is_domain(text) && !text.contains('.')) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a valid name of a namespace: write a name like `databases`"))
    }
}

/// Parses the domain of a Kubernetes cluster. One final dot is removed.
pub(super) fn cluster_domain(text: &str) -> Result<String, String> {
    let domain = text.strip_suffix('.').unwrap_or(text);
    if is_domain(domain) {
        Ok(domain.to_owned())
    } else {
        Err(format!("`{}` is not a valid domain: write a domain like `cluster.local`", shown(text)))
    }
}

/// Parses the reference to an issuer of cert-manager: `<kind>/<name>`. The kind has its group if the group is not that of
/// cert-manager.
pub(super) fn issuer(text: &str) -> Result<IssuerReference, String> {
    let (kind, name) = text.split_once('/').unwrap_or_default();
    let (kind, group) = kind.split_once('.').unwrap_or((kind, "cert-manager.io"));
    let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_kind && is_domain(group) && is_domain(name) {
        Ok(IssuerReference { group: group.to_owned(), kind: kind.to_owned(), name: name.to_owned() })
    } else {
        Err(format!("`{}` is not a valid issuer: write `KIND/NAME`, such as `ClusterIssuer/company-ca`", shown(text)))
    }
}

/// Parses the name of a trust domain: a domain name, or the name of a namespace, which is the default.
pub(super) fn trust_domain(text: &str) -> Result<String, String> {
    if is_domain(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is not a valid trust domain: write a name like `team-a` or `db.example.com`", shown(text)))
    }
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| label.len() <= 63 && is_label(label))
}

/// Parses a number of days.
pub(super) fn days(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("`{}` is not a number of days: write a whole number like `182`", shown(text)))
}

/// Checks the name of an image, which is the name of PGO's environment variable.
pub(super) fn image_name(name: &str) -> Result<String, String> {
    if name.len() > IMAGE_PREFIX.len() && name.starts_with(IMAGE_PREFIX) && !name.contains('=') {
        Ok(name.to_owned())
    } else {
        Err(format!("`{}` is not a valid name of an image: write one like `{IMAGE_PREFIX}PGBACKREST`", shown(name)))
    }
}

/// Parses an image with its name: `NAME=IMAGE`.
pub(super) fn image(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, image)) if !image.is_empty() => Ok((image_name(name)?, image.to_owned())),
        _ => Err("expected `NAME=IMAGE`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_seconds() {
        assert_eq!(time("1970-01-02T00:00:00Z"), Ok(86400));
        assert_eq!(time("1970-01-01T02:00:00+02:00"), Ok(0));
        assert_eq!(time("1760000000"), Ok(1_760_000_000));
        assert!(time("yesterday").is_err());
        assert!(time("").is_err());
    }

    #[test]
    fn a_namespace_is_a_dns_label() {
        assert_eq!((namespace("team-a"), namespace("")), (Ok("team-a".to_owned()), Ok(String::new())));
        for wrong in ["a b", "a.b", "A", "$(PATRONI_NAME)", "a\nb", "-a", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_domain_is_made_of_dns_labels() {
        assert_eq!(cluster_domain("cluster.local."), Ok("cluster.local".to_owned()));
        for wrong in ["", ".", "a..b", "-a", "A.local", "a b", "a.local.."] {
            assert!(cluster_domain(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_image_has_a_known_kind_of_name() {
        assert!(image("RELATED_IMAGE_PGBACKREST=a/b:c@sha256:d").is_ok());
        for wrong in ["RELATED_IMAGE_PGBACKREST", "RELATED_IMAGE_PGBACKREST=", "pgbackrest=a", "RELATED_IMAGE_=a"] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_issuer_has_a_kind_and_a_name() {
        assert_eq!(issuer("Issuer/a"), Ok(IssuerReference::issuer("a".to_owned())));
        let external = issuer("AWSPCAClusterIssuer.awspca.cert-manager.io/b.c").unwrap();
        let IssuerReference { group, kind, name } = external;
        assert_eq!([group.as_str(), &kind, &name], ["awspca.cert-manager.io", "AWSPCAClusterIssuer", "b.c"]);
        for wrong in ["", "a", "/a", "Issuer/", "issuer/a", "Issuer/A", "Issuer./a", "Issuer/a/b", "Issuer a/b"] {
            assert!(issuer(wrong).is_err(), "{wrong:?}");
        }
    }
}
