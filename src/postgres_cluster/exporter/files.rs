//! The files in the exporter's container: keys of ConfigMaps and Secrets, and where they are mounted, as in PGO.

/// The key of the default queries.
pub(crate) const QUERIES_KEY: &str = "defaultQueries.yml";
/// The directory of the files of queries.
pub(crate) const QUERIES_DIRECTORY: &str = "/conf";

/// The directory of the password.
pub(crate) const PASSWORD_DIRECTORY: &str = "/opt/crunchy";
/// The name of the file with the password.
pub(crate) const PASSWORD_KEY: &str = "password";
/// The file with the password.
pub(crate) const PASSWORD_FILE: &str = "/opt/crunchy/password";

/// The directory of the certificate for metrics over TLS.
pub(crate) const CERTIFICATE_DIRECTORY: &str = "/certs";
/// The key of the configuration of the exporter's web server.
pub(crate) const WEB_KEY: &str = "web-config.yml";
/// The directory of that configuration, which makes the exporter use TLS.
pub(crate) const WEB_DIRECTORY: &str = "/web-config";
/// That configuration.
pub(crate) const WEB_FILE: &str = "/web-config/web-config.yml";
