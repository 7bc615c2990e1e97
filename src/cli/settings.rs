//! The settings of a run. Each setting is declared here, once: it is an option of `pgrender render` and, if it is not
//! about the seed, of `pgrender check`, a field of a function's configuration (`function_config.rs`), and a row in
//! `docs/reference.md`.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};

use crate::cli::environment::{self, Environment};
use crate::cli::values;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::line::shown;
use crate::identity::window::{Schedule, ScheduleError, Window};
use crate::options::{CertificateSource, CredentialSource, IssuerReference, Options};

/// What issues certificates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum Certificates {
    /// pgrender, from the seed.
    #[default]
    Seed,
    /// cert-manager.
    CertManager,
}

/// Where passwords come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum Credentials {
    /// pgrender, from the seed.
    #[default]
    Seed,
    /// Secrets that the user provides.
    Reference,
}

/// The settings that say what is rendered, and so what is valid. The comment of each setting is its help text.
#[derive(Args, Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// Namespace of clusters that do not set one
    #[arg(short, long, value_name = "NAMESPACE", value_parser = values::namespace)]
    pub(super) namespace: Option<String>,

    /// Domain of the Kubernetes cluster
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local", value_parser = values::cluster_domain)]
    pub(super) cluster_domain: String,

    /// Image to use, by PGO's name for it; may be repeated. RELATED_IMAGE_* in the environment have the same effect
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = values::image)]
    pub(super) images: Vec<(String, String)>,

    /// Time for which certificates are chosen, RFC 3339 or seconds since 1970 [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) time: Option<i64>,

    /// Source of certificates
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t)]
    pub(super) certificates: Certificates,

    /// Issuer for cert-manager, for example `ClusterIssuer/company-ca` [default: one CA for each cluster]
    #[arg(long, value_name = "KIND/NAME", value_parser = values::issuer)]
    pub(super) certificate_issuer: Option<IssuerReference>,

    /// Source of passwords: the seed, or Secrets that you provide
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t)]
    pub(super) credentials: Credentials,

    /// Days after which certificates are replaced, 1 to 365
    #[arg(long = "certificate-window", value_name = "DAYS", default_value = "182", value_parser = values::days)]
    pub(super) certificate_window_days: u16,

    /// Days that certificates are valid, at least 30 more than the window and at most 825
    #[arg(long = "certificate-lifetime", value_name = "DAYS", default_value = "397", value_parser = values::days)]
    pub(super) certificate_lifetime_days: u16,

    /// Name of the group of clusters that share a CA, across namespaces [default: the namespace]
    #[arg(long, value_name = "NAME", value_parser = values::trust_domain)]
    pub(super) trust_domain: Option<String>,

    /// Another trust domain whose CA is also trusted, while clusters move between two trust domains; may be
    /// repeated
    #[arg(long = "trust-also", value_name = "NAME", value_parser = values::trust_domain)]
    pub(super) trust_also: Vec<String>,

    /// Also render NetworkPolicies, which say who can connect to which port. The network plugin must enforce them
    #[arg(long)]
    pub(super) network_policies: bool,

    /// Also render a PodMonitor and a PrometheusRule for clusters with an exporter. Prometheus Operator must be installed
    #[arg(long)]
    pub(super) prometheus_operator: bool,

    /// Also render a ConfigMap with a dashboard for clusters with an exporter. Grafana's sidecar must look for it
    #[arg(long)]
    pub(super) grafana_dashboard: bool,

    /// Let the caretaker write EndpointSlices, for a Kubernetes that does not create EndpointSlices from Endpoints. The
    /// caretaker can then direct any Service of the namespace to a pod
    #[arg(long)]
    pub(super) endpoint_slices: bool,

    /// The Kubernetes cluster is OpenShift, for clusters that do not set `spec.openshift` [default: PGRENDER_OPENSHIFT]
    #[arg(long, value_name = "BOOLEAN", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) openshift: Option<bool>,
}

/// The settings about the seed. They are apart, because only a caller that renders has them.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(super) struct SeedSettings {
    /// File with the seed
    #[arg(long, value_name = "FILE")]
    pub(super) seed_file: Option<PathBuf>,

    /// Generate a seed for this run only, for a temporary database: the next run creates other passwords
    #[arg(long)]
    pub(super) random: bool,
}

/// All settings of a caller that renders.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(super) struct RenderSettings {
    #[command(flatten)]
    pub(super) general: Settings,

    #[command(flatten)]
    pub(super) seed: SeedSettings,
}

/// The settings as a command of clap, which has one argument for each setting. The identifier of an argument is the name of the
/// setting: for example, `certificate_window_days` for `--certificate-window` and `certificateWindowDays`.
pub fn command() -> Command {
    let mut command =
        RenderSettings::augment_args(Command::new("settings").no_binary_name(true).disable_help_flag(true));
    // Without this, an argument does not know how many values it takes.
    command.build();
    command
}

/// A setting that contradicts another one: its name, and what is wrong.
pub(super) type Contradiction = (&'static str, String);

impl SeedSettings {
    /// Refuses two sources of the seed.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        if self.random && self.seed_file.is_some() {
            return Err(("seed_file", "cannot be used with `--random`".to_owned()));
        }
        Ok(())
    }
}

impl Settings {
    /// Refuses a time for which no certificate can be created, days that do not fit together, and settings that belong to
    /// another source of certificates than the chosen one.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        let schedule = self.schedule()?;
        if let Some(Err(error)) = self.time.map(|time| Window::containing(time, schedule)) {
            return Err(("time", error.to_string()));
        }
        let not_with_cert_manager = |setting| {
            let message = "has no effect with cert-manager: set an issuer that the clusters share instead";
            Err((setting, message.to_owned()))
        };
        match self.certificates {
            Certificates::CertManager if self.trust_domain.is_some() => not_with_cert_manager("trust_domain"),
            Certificates::CertManager if !self.trust_also.is_empty() => not_with_cert_manager("trust_also"),
            Certificates::Seed if self.certificate_issuer.is_some() => {
                Err(("certificate_issuer", "an issuer needs `cert-manager` as the source of certificates".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The schedule of certificates. If the window and the lifetime do not fit together, the error is about the one that is not
    /// the default.
    fn schedule(&self) -> Result<Schedule, Contradiction> {
        let (window, lifetime) = (self.certificate_window_days, self.certificate_lifetime_days);
        Schedule::new(window, lifetime).map_err(|error| {
            let setting = match error {
                ScheduleError::Lifetime(_) => "certificate_lifetime_days",
                ScheduleError::Margin { .. } if window == Schedule::default().window_days() => {
                    "certificate_lifetime_days"
                }
                ScheduleError::Window(_) | ScheduleError::Margin { .. } => "certificate_window_days",
            };
            (setting, error.to_string())
        })
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
        images.extend(self.images.iter().cloned());
        let schedule = self.schedule().map_err(|(_, message)| Diagnostic::error(message))?;
        Ok(Options {
            namespace: self.namespace.clone().filter(|namespace| !namespace.is_empty()),
            cluster_domain: self.cluster_domain.clone(),
            images,
            time,
            certificates: schedule,
            credentials: match self.credentials {
                Credentials::Seed => CredentialSource::Seed,
                Credentials::Reference => CredentialSource::Reference,
            },
            certificate_source: match self.certificates {
                Certificates::Seed => CertificateSource::Seed,
                Certificates::CertManager => CertificateSource::CertManager { issuer: self.certificate_issuer.clone() },
            },
            trust_domain: self.trust_domain.clone(),
            trust_also: self.trust_also.clone(),
            network_policies: self.network_policies,
            prometheus_operator: self.prometheus_operator,
            grafana_dashboard: self.grafana_dashboard,
            endpoint_slices: self.endpoint_slices,
            openshift: self.openshift.or(openshift.transpose()?).unwrap_or(defaults.openshift),
            max_clusters: max_clusters.transpose()?.unwrap_or(defaults.max_clusters),
            ..defaults
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        let defaults = Options::default();
        Self {
            namespace: None,
            cluster_domain: defaults.cluster_domain,
            images: Vec::new(),
            time: None,
            certificates: Certificates::default(),
            certificate_issuer: None,
            credentials: Credentials::default(),
            certificate_window_days: defaults.certificates.window_days(),
            certificate_lifetime_days: defaults.certificates.lifetime_days(),
            trust_domain: None,
            trust_also: Vec::new(),
            network_policies: false,
            prometheus_operator: false,
            grafana_dashboard: false,
            endpoint_slices: false,
            openshift: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let matches = command().get_matches_from(Vec::<String>::new());
        assert_eq!(RenderSettings::from_arg_matches(&matches).unwrap(), RenderSettings::default());
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
        settings.images.push(("RELATED_IMAGE_B".to_owned(), "flag".to_owned()));
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
            assert_eq!(wrong(time), Err("time"), "{time}");
        }
    }

    #[test]
    fn days_that_do_not_fit_are_an_error_of_the_one_that_is_not_the_default() {
        let of = |window: u16, lifetime: u16| Settings {
            certificate_window_days: window,
            certificate_lifetime_days: lifetime,
            ..Settings::default()
        };
        assert_eq!(of(30, 60).schedule(), Ok(Schedule::new(30, 60).unwrap()));
        for (window, lifetime, expected) in [
            (182, 60, "certificate_lifetime_days"),
            (182, 826, "certificate_lifetime_days"),
            (30, 826, "certificate_lifetime_days"),
            (0, 397, "certificate_window_days"),
            (30, 59, "certificate_window_days"),
        ] {
            assert_eq!(of(window, lifetime).schedule().unwrap_err().0, expected, "{window} {lifetime}");
        }
    }

    #[test]
    fn settings_of_the_other_source_of_certificates_are_refused() {
        let seed = Settings { trust_domain: Some("a".to_owned()), ..Settings::default() };
        let cert_manager = Settings {
            certificates: Certificates::CertManager,
            certificate_issuer: values::issuer("Issuer/a").ok(),
            ..Settings::default()
        };
        assert!(seed.check().is_ok() && cert_manager.check().is_ok());
        let wrong = |settings: Settings| settings.check().unwrap_err().0;
        assert_eq!(
            wrong(Settings { certificate_issuer: cert_manager.certificate_issuer.clone(), ..seed.clone() }),
            "certificate_issuer"
        );
        assert_eq!(wrong(Settings { trust_domain: seed.trust_domain, ..cert_manager.clone() }), "trust_domain");
        assert_eq!(wrong(Settings { trust_also: vec!["a".to_owned()], ..cert_manager }), "trust_also");
    }

    #[test]
    fn a_broken_source_date_epoch_is_an_error() {
        let environment = Environment { source_date_epoch: Some("now".to_owned()), ..Environment::default() };
        assert!(Settings::default().options(&environment).is_err());
    }
}
