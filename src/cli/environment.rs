//! The inputs of the process other than arguments and standard input: environment variables, clock and random numbers. No other
//! module reads these.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::diagnostic::Diagnostic;

/// The prefix of PGO's variables that name images.
pub(super) const IMAGE_PREFIX: &str = "RELATED_IMAGE_";

/// The environment variables that pgrender uses, read once. An empty variable counts as unset, because CI systems set a missing
/// secret to an empty text.
#[derive(Default)]
pub(super) struct Environment {
    /// `RELATED_IMAGE_*`, as in PGO's Deployment.
    pub(super) images: BTreeMap<String, String>,
    /// `PGRENDER_SEED_FILE`.
    pub(super) seed_file: Option<PathBuf>,
    /// `PGRENDER_SEED`.
    pub(super) seed: Option<Zeroizing<Vec<u8>>>,
    /// `SOURCE_DATE_EPOCH` (reproducible-builds.org).
    pub(super) source_date_epoch: Option<String>,
    /// `PGRENDER_OPENSHIFT`.
    pub(super) openshift: Option<String>,
    /// `PGRENDER_MAX_CLUSTERS`.
    pub(super) max_clusters: Option<String>,
    /// `NO_COLOR` (no-color.org): whether text on a terminal has no colours.
    pub(super) no_color: bool,
    /// Whether kustomize runs the program as a legacy plugin. It sets `KUSTOMIZE_PLUGIN_CONFIG_ROOT`, and
    /// `KUSTOMIZE_PLUGIN_CONFIG_STRING` if the configuration is not too long.
    pub(super) legacy_plugin: bool,
}

impl Environment {
    /// Reads the environment of the process.
    pub(super) fn read() -> Self {
        std::env::vars_os().filter(|(_, value)| !value.is_empty()).fold(Self::default(), Self::with)
    }

    fn with(mut self, (name, value): (OsString, OsString)) -> Self {
        let Some(name) = name.to_str() else { return self };
        let text = |value: OsString| value.into_string().ok();
        match name {
            "PGRENDER_SEED_FILE" => self.seed_file = Some(value.into()),
            "PGRENDER_SEED" => self.seed = Some(Zeroizing::new(value.into_encoded_bytes())),
            "SOURCE_DATE_EPOCH" => self.source_date_epoch = text(value),
            "PGRENDER_OPENSHIFT" => self.openshift = text(value),
            "PGRENDER_MAX_CLUSTERS" => self.max_clusters = text(value),
            "NO_COLOR" => self.no_color = true,
            "KUSTOMIZE_PLUGIN_CONFIG_ROOT" | "KUSTOMIZE_PLUGIN_CONFIG_STRING" => self.legacy_plugin = true,
            _ if name.starts_with(IMAGE_PREFIX) => {
                self.images.extend(text(value).map(|image| (name.to_owned(), image)));
            }
            _ => {}
        }
        self
    }
}

/// The time in seconds since 1970-01-01 00:00:00 UTC; 0 if the clock is earlier.
#[expect(clippy::disallowed_methods, reason = "the one look at the clock, for a caller who names no time")]
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// Returns 32 random bytes from the operating system.
#[expect(clippy::disallowed_methods, reason = "the one source of randomness, for a new seed")]
pub(super) fn random() -> Result<Zeroizing<[u8; 32]>, Diagnostic> {
    let mut bytes = Zeroizing::new([0; 32]);
    match getrandom::fill(bytes.as_mut_slice()) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Diagnostic::error(format!("cannot get random bytes from the operating system: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_matter_are_kept() {
        let environment = [("RELATED_IMAGE_PGBACKREST", "a"), ("PGRENDER_SEED_FILE", "seed"), ("HOME", "/root")]
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .fold(Environment::default(), Environment::with);
        assert_eq!(environment.images["RELATED_IMAGE_PGBACKREST"], "a");
        assert_eq!(environment.seed_file, Some("seed".into()));
        assert!(environment.seed.is_none() && !environment.legacy_plugin);
    }
}
