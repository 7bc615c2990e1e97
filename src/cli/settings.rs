//! The settings from flags or from a function's configuration, and their conversion into [`Options`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::environment::{self, Environment, IMAGE_PREFIX};
use crate::diagnostic::Diagnostic;
use crate::line::shown;
use crate::options::{CertificateSource, CredentialSource, IssuerReference, Options};
use crate::window::{Schedule, ScheduleError, Window};

/// What creates the certificates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Certificates {
    /// pgrender, from the seed.
    #[default]
    Seed,
    /// cert-manager.
    CertManager,
}

/// The settings of a caller. A setting that is not given is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// The namespace of clusters that do not set one.
    pub(super) namespace: Option<String>,
    /// The domain of the Kubernetes cluster.
    pub(super) cluster_domain: Option<String>,
    /// Images by the names of PGO's environment variables.
    pub(super) images: BTreeMap<String, String>,
    /// The time to render for, in seconds since 1970.
    pub(super) time: Option<i64>,
    /// What creates the certificates.
    pub(super) certificates: Certificates,
    /// The issuer for cert-manager.
    pub(super) issuer: Option<IssuerReference>,
    /// Where passwords come from.
    pub(super) credentials: CredentialSource,
    /// How often certificates are replaced and how long they are valid.
    pub(super) schedule: Schedule,
    /// The trust domain, whose clusters share a CA.
    pub(super) trust_domain: Option<String>,
    /// Other trust domains whose CA is also trusted.
    pub(super) trust_also: Vec<String>,
    /// Whether NetworkPolicies are rendered.
    pub(super) network_policies: bool,
    /// Whether the caretaker may write EndpointSlices.
    pub(super) endpoint_slices: bool,
    /// Whether the Kubernetes cluster is OpenShift.
    pub(super) openshift: Option<bool>,
    /// The file with the seed.
    pub(super) seed_file: Option<PathBuf>,
    /// Whether a new seed is generated for this run.
    pub(super) random: bool,
}

impl Settings {
    /// Refuses a time for which no certificate can be created, and settings that belong to another source of certificates than
    /// the chosen one.
    pub(super) fn check(&self) -> Result<(), (Setting, String)> {
        if let Some(Err(error)) = self.time.map(|time| Window::containing(time, self.schedule)) {
            return Err((Setting::Time, error.to_string()));
        }
        let not_with_cert_manager = |setting| {
            let message = "has no effect with cert-manager: set an issuer that the clusters share instead";
            Err((setting, message.to_owned()))
        };
        match self.certificates {
            Certificates::CertManager if self.trust_domain.is_some() => not_with_cert_manager(Setting::TrustDomain),
            Certificates::CertManager if !self.trust_also.is_empty() => not_with_cert_manager(Setting::TrustAlso),
            Certificates::Seed if self.issuer.is_some() => {
                Err((Setting::Issuer, "an issuer needs `cert-manager` as the source of certificates".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Completes the settings with the environment and the defaults.
    pub(super) fn options(&self, environment: &Environment) -> Result<Options, Diagnostic> {
        let defaults = Options::default();
        let time = match (self.time, &environment.source_date_epoch) {
            (Some(time), _) => time,
            (None, Some(text)) => text.parse().map_err(|_| {
                Diagnostic::error(format!("`SOURCE_DATE_EPOCH` is `{text}`: write the seconds since 1970"))
            })?,
            (None, None) => environment::now(),
        };
        // Only the environment can raise the limit, because the input may come from somebody else than the caller.
        let max_clusters = environment.max_clusters.as_ref().map(|text| {
            text.parse().map_err(|_| {
                Diagnostic::error(format!("`PGRENDER_MAX_CLUSTERS` is `{text}`: write a whole number like `300`"))
            })
        });
        let openshift = environment.openshift.as_ref().map(|text| {
            text.parse().map_err(|_| {
                let text = shown(text);
                Diagnostic::error(format!("`PGRENDER_OPENSHIFT` is `{text}`: write `true` or `false`"))
            })
        });
        let mut images = environment.images.clone();
        images.extend(self.images.clone());
        Ok(Options {
            namespace: self.namespace.clone().filter(|namespace| !namespace.is_empty()),
            cluster_domain: self.cluster_domain.clone().unwrap_or_else(|| defaults.cluster_domain.clone()),
            images,
            time,
            certificates: self.schedule,
            credentials: self.credentials,
            certificate_source: match self.certificates {
                Certificates::Seed => CertificateSource::Seed,
                Certificates::CertManager => CertificateSource::CertManager { issuer: self.issuer.clone() },
            },
            trust_domain: self.trust_domain.clone(),
            trust_also: self.trust_also.clone(),
            network_policies: self.network_policies,
            endpoint_slices: self.endpoint_slices,
            openshift: self.openshift.or(openshift.transpose()?).unwrap_or(defaults.openshift),
            max_clusters: max_clusters.transpose()?.unwrap_or(defaults.max_clusters),
            ..defaults
        })
    }
}

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

/// A setting that can be invalid because of another setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Setting {
    /// The time to render for.
    Time,
    /// The length of a window, in days.
    Window,
    /// The lifetime of certificates, in days.
    Lifetime,
    /// The trust domain.
    TrustDomain,
    /// Other trust domains.
    TrustAlso,
    /// The issuer for cert-manager.
    Issuer,
}

impl Setting {
    /// The name of the flag on the command line.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Time => "--time <TIME>",
            Self::Window => "--certificate-window <DAYS>",
            Self::Lifetime => "--certificate-lifetime <DAYS>",
            Self::TrustDomain => "--trust-domain <NAME>",
            Self::TrustAlso => "--trust-also <NAME>",
            Self::Issuer => "--certificate-issuer <KIND/NAME>",
        }
    }

    /// The name of the field in a function's configuration.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Window => "certificateWindowDays",
            Self::Lifetime => "certificateLifetimeDays",
            Self::TrustDomain => "trustDomain",
            Self::TrustAlso => "trustAlso",
            Self::Issuer => "certificateIssuer",
        }
    }
}

/// Creates a schedule from the days of a window and of a lifetime, if they are given. The error has the setting that it is
/// about. If the two contradict each other, that is the given one, or the window if both are given.
pub(super) fn schedule(window: Option<u16>, lifetime: Option<u16>) -> Result<Schedule, (Setting, String)> {
    let default = Schedule::default();
    let window_days = window.unwrap_or_else(|| default.window_days());
    let lifetime_days = lifetime.unwrap_or_else(|| default.lifetime_days());
    Schedule::new(window_days, lifetime_days).map_err(|error| {
        let setting = match error {
            ScheduleError::Lifetime(_) => Setting::Lifetime,
            ScheduleError::Margin { .. } if window.is_none() => Setting::Lifetime,
            ScheduleError::Window(_) | ScheduleError::Margin { .. } => Setting::Window,
        };
        (setting, error.to_string())
    })
}

/// Parses the source of certificates.
pub(super) fn certificates(text: &str) -> Result<Certificates, String> {
    match text {
        "seed" => Ok(Certificates::Seed),
        "cert-manager" => Ok(Certificates::CertManager),
        _ => Err(format!("invalid source of certificates `{}`: write `seed` or `cert-manager`", shown(text))),
    }
}

/// Parses the source of passwords.
pub(super) fn credentials(text: &str) -> Result<CredentialSource, String> {
    match text {
        "seed" => Ok(CredentialSource::Seed),
        "reference" => Ok(CredentialSource::Reference),
        _ => Err(format!("invalid source of passwords `{}`: write `seed` or `reference`", shown(text))),
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
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Parses a number of days.
pub(super) fn days(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("`{}` is not a number of days: write a whole number like `182`", shown(text)))
}

/// Checks the name of an image, which is the name of PGO's environment variable.
pub(super) fn image_name(name: &str) -> Result<String, String> {
    if name.len() > IMAGE_PREFIX.len() && name.starts_with(IMAGE_PREFIX) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{}` is not a valid name of an image: write one like `{IMAGE_PREFIX}PGBACKREST`", shown(name)))
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
    fn settings_win_over_the_environment() {
        let environment = Environment {
            images: [("RELATED_IMAGE_A", "environment"), ("RELATED_IMAGE_B", "environment")]
                .map(|(name, image)| (name.to_owned(), image.to_owned()))
                .into(),
            source_date_epoch: Some("7".to_owned()),
            ..Environment::default()
        };
        let mut settings = Settings::default();
        settings.images.insert("RELATED_IMAGE_B".to_owned(), "flag".to_owned());
        let options = settings.options(&environment).unwrap();
        assert_eq!(options.time, 7);
        assert_eq!(options.images["RELATED_IMAGE_A"], "environment");
        assert_eq!(options.images["RELATED_IMAGE_B"], "flag");
        settings.time = Some(9);
        assert_eq!(settings.options(&environment).unwrap().time, 9);
    }

    #[test]
    fn openshift_is_said_by_the_setting_else_by_the_environment() {
        let options = |setting, variable: Option<&str>| {
            let environment = Environment {
                openshift: variable.map(str::to_owned),
                source_date_epoch: Some("7".to_owned()),
                ..Environment::default()
            };
            Settings { openshift: setting, ..Settings::default() }
                .options(&environment)
                .map(|options| options.openshift)
        };
        assert_eq!(options(None, None), Ok(false));
        assert_eq!(options(None, Some("true")), Ok(true));
        assert_eq!(options(Some(false), Some("true")), Ok(false));
        assert_eq!(options(Some(true), None), Ok(true));
        assert!(options(None, Some("4")).unwrap_err().message.contains("write `true` or `false`"));
    }

    #[test]
    fn a_time_for_which_there_are_no_certificates_is_refused() {
        let wrong = |time| Settings { time: Some(time), ..Settings::default() }.check().map_err(|(setting, _)| setting);
        assert_eq!(wrong(1_767_225_600), Ok(()));
        for time in [i64::MIN, -5, 12, 99_999_999_999, i64::MAX] {
            assert_eq!(wrong(time), Err(Setting::Time), "{time}");
        }
    }

    #[test]
    fn a_window_needs_a_lifetime_that_bears_it() {
        assert_eq!(schedule(Some(30), Some(60)), Ok(Schedule::new(30, 60).unwrap()));
        assert_eq!(schedule(None, None), Ok(Schedule::default()));
        for (window, lifetime, expected) in [
            (None, Some(60), Setting::Lifetime),
            (None, Some(826), Setting::Lifetime),
            (Some(30), Some(826), Setting::Lifetime),
            (Some(0), None, Setting::Window),
            (Some(30), Some(59), Setting::Window),
        ] {
            assert_eq!(schedule(window, lifetime).unwrap_err().0, expected, "{window:?} {lifetime:?}");
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

    #[test]
    fn settings_of_the_other_source_of_certificates_are_refused() {
        let seed = Settings { trust_domain: Some("a".to_owned()), ..Settings::default() };
        let cert_manager = Settings {
            certificates: Certificates::CertManager,
            issuer: issuer("Issuer/a").ok(),
            ..Settings::default()
        };
        assert!(seed.check().is_ok() && cert_manager.check().is_ok());
        let wrong = |settings: Settings| settings.check().unwrap_err().0;
        assert_eq!(wrong(Settings { issuer: cert_manager.issuer.clone(), ..seed.clone() }), Setting::Issuer);
        assert_eq!(wrong(Settings { trust_domain: seed.trust_domain, ..cert_manager.clone() }), Setting::TrustDomain);
        assert_eq!(wrong(Settings { trust_also: vec!["a".to_owned()], ..cert_manager }), Setting::TrustAlso);
    }

    #[test]
    fn a_broken_source_date_epoch_is_an_error() {
        let environment = Environment { source_date_epoch: Some("now".to_owned()), ..Environment::default() };
        assert!(Settings::default().options(&environment).is_err());
    }
}
