//! Checks combinations of pgBouncer's settings that are wrong although each setting is valid alone (pgbouncer.org/config.html,
//! "TLS settings").

use std::collections::BTreeMap;

use super::setting_value::{self, Versions};

/// What pgBouncer depends on in addition to its own settings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Whether the user chose who signs pgBouncer's certificate, and therefore who signs for its clients.
    pub chosen_ca: bool,
    /// The versions of TLS that Postgres accepts.
    pub of_postgres: Versions,
}

/// Returns the settings with which pgBouncer does not start or does not work, and why.
pub fn errors(global: &BTreeMap<String, String>, surroundings: &Surroundings) -> Vec<(&'static str, &'static str)> {
    let is = |name: &str, value: &str| global.get(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
    let mut errors = Vec::new();
    // Postgres accepts pgBouncer's own role, which looks up verifiers, only over TLS. With an `auth_file` of the user, this
    // role is not needed.
    if is("server_tls_sslmode", "disable") {
        if !global.contains_key("auth_file") {
            errors.push((
                "server_tls_sslmode",
                "Postgres accepts pgBouncer's own role only with TLS, so no client could log in: remove it, or write \
                 `verify-full`",
            ));
        }
    } else if let Some(versions) = global.get("server_tls_protocols").and_then(|list| setting_value::protocols(list))
        && versions.is_disjoint(&surroundings.of_postgres)
    {
        errors.push((
            "server_tls_protocols",
            "Postgres does not support any of these versions of TLS, so no client could log in: remove it, or write \
             `secure`",
        ));
    }
    if is("auth_type", "cert") && !is("client_tls_sslmode", "verify-full") {
        errors.push((
            "auth_type",
            "pgBouncer starts with `cert` only if it verifies client certificates: also write `client_tls_sslmode: \
             verify-full`",
        ));
    }
    errors
}

/// Returns the settings that are probably not intended, and why.
pub fn warnings(global: &BTreeMap<String, String>, surroundings: &Surroundings) -> Vec<(&'static str, &'static str)> {
    let verifies = verifies_clients(global);
    if verifies && !global.contains_key("client_tls_ca_file") && !surroundings.chosen_ca {
        return vec![(
            "client_tls_sslmode",
            "clients then need a certificate, but pgBouncer trusts only the CA of this cluster, which does not sign \
             certificates for clients: write the CA of your clients' certificates in `client_tls_ca_file`, or write \
             `require`",
        )];
    }
    Vec::new()
}

/// Whether clients must have a certificate. Only then pgBouncer uses `client_tls_ca_file`.
pub fn verifies_clients(global: &BTreeMap<String, String>) -> bool {
    let mode = global.get("client_tls_sslmode").map(|mode| mode.to_ascii_lowercase());
    matches!(mode.as_deref(), Some("verify-ca" | "verify-full"))
}
