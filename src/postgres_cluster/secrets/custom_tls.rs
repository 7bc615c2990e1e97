//! Certificates that the user provides: `customTLSSecret`, `customReplicationTLSSecret` and `proxy.pgBouncer.customTLSSecret`.
//! The rules for the keys of their Secrets are PGO's (`internal/controller/postgrescluster/pki.go`,
//! `internal/pgbouncer/certificates.go`).
//!
//! pgrender refers to these Secrets and never copies them. If such a Secret is in the input, its content is checked. Otherwise
//! a message says what it must contain.

use super::existing::{self, Pair, Secret, Sources, in_pem, pair};
use crate::diagnostic::{Diagnostic, FieldPath};
use crate::identity::x509::X509;
use crate::kubernetes::SecretProjection;
use crate::naming::REPLICATION_USER;
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;

const POSTGRES: &str = "spec.customTLSSecret";
const REPLICATION: &str = "spec.customReplicationTLSSecret";
const PGBOUNCER: &str = "spec.proxy.pgBouncer.customTLSSecret";

/// The paths that the keys of each Secret must be projected to.
const FILES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

/// The maximum number of signatures that are verified to find out whether one side trusts the other. Issuers are found by their
/// names, so more than a few signatures are needed only for certificates with equal names.
const MOST_SIGNATURES: usize = 100;

/// The result of [`check`].
pub struct Checked {
    /// The messages about the Secrets.
    pub diagnostics: Vec<Diagnostic>,
    /// How many signatures were verified.
    pub signatures: usize,
    /// The total length of the Secrets that were read, in bytes.
    pub size: usize,
}

/// Checks the Secrets that the user of `cluster` provides. The content is checked if the Secret is among `sources`.
/// Certificates must be valid at the time of `options`.
pub fn check(cluster: &Cluster, sources: &Sources, options: &Options) -> Checked {
    let mut check = Check { cluster, sources, time: options.time, diagnostics: Vec::new(), signatures: 0, size: 0 };
    let postgres = cluster.custom_tls_secret.as_ref().and_then(|secret| {
        let services = [cluster.primary_service(), cluster.replicas_service()];
        let mut hosts = services.map(|service| cluster.service_host(&service)).to_vec();
        // pgBouncer verifies the host name in its own configuration.
        hosts.extend(cluster.pgbouncer.as_ref().map(|_| cluster.primary_service()));
        check.bring(POSTGRES, &secret.name, keys(secret, false), &Purpose::Server(hosts))
    });
    let replication = cluster.custom_replication_tls_secret.as_ref().and_then(|name| {
        check.bring(REPLICATION, name, FILES.map(|file| Some(file.to_owned())), &Purpose::Client(REPLICATION_USER))
    });
    if let (Some(server), Some(client)) = (&postgres, &replication) {
        for (one, other) in [(server, client), (client, server)] {
            let told = one.distrusts(other, &mut check.signatures);
            check.diagnostics.extend(told);
        }
    }
    check.one_for_two_purposes(replication.as_ref());
    let frontend = cluster.pgbouncer.as_ref().and_then(|pgbouncer| pgbouncer.custom_tls_secret.as_ref());
    if let Some(secret) = frontend {
        let host = cluster.service_host(&cluster.pgbouncer_name());
        check.bring(PGBOUNCER, &secret.name, keys(secret, true), &Purpose::Server(vec![host]));
    }
    check.trust();
    Checked { diagnostics: check.diagnostics, signatures: check.signatures, size: check.size }
}

/// The key of the Secret that becomes each of [`FILES`]: the key of the item with this path, or `None` if there is no such
/// item. Without items, the keys have the same names as the files. `forgiving` is for pgBouncer: there, items that contain none
/// of the paths count as no items.
fn keys(secret: &SecretProjection, forgiving: bool) -> [Option<String>; 3] {
    let items = secret.items.as_deref().unwrap_or_default();
    let keys = FILES.map(|file| items.iter().find(|item| item.path == file).map(|item| item.key.clone()));
    if items.is_empty() || (forgiving && keys.iter().all(Option::is_none)) {
        return FILES.map(|file| Some(file.to_owned()));
    }
    keys
}

/// Who shows a certificate.
enum Purpose {
    /// A server that clients call by these names.
    Server(Vec<String>),
    /// A client that logs in as this role.
    Client(&'static str),
}

struct Check<'c, 'a> {
    cluster: &'c Cluster,
    sources: &'c Sources<'a>,
    time: i64,
    diagnostics: Vec<Diagnostic>,
    signatures: usize,
    size: usize,
}

impl<'a> Check<'_, 'a> {
    /// Reads and checks one Secret. Gives `None` if it is not in the input or not usable; a message then says so.
    fn bring(
        &mut self,
        field: &'static str,
        name: &str,
        keys: [Option<String>; 3],
        purpose: &Purpose,
    ) -> Option<Brought<'a>> {
        let path = FieldPath::of(field);
        if name.is_empty() {
            self.diagnostics.push(Diagnostic::error("needs the name of a Secret: add `name`").at(path));
            return None;
        }
        for (file, _) in FILES.iter().zip(&keys).filter(|(_, key)| key.is_none()) {
            let message = format!("no item has the path `{file}`: add an item with `path: {file}`, or remove `items`");
            self.diagnostics.push(Diagnostic::error(message).at(path.key("items")));
        }
        let [Some(authority), Some(certificate), Some(key)] = keys else { return None };
        let why = match self.sources.brought(&self.cluster.namespace, name) {
            Ok(existing::Brought::Readable(secret)) => Ok(secret),
            Ok(existing::Brought::Encrypted) => Err("is encrypted by SOPS".to_owned()),
            Ok(existing::Brought::Made(maker)) => Err(format!("is created by `{maker}`")),
            Ok(existing::Brought::Absent) => Err("is not in the input".to_owned()),
            Err(error) => {
                self.diagnostics.push(error);
                return None;
            }
        };
        let secret = match why {
            Ok(secret) => secret,
            Err(why) => {
                let message = unseen(name, &why, [&authority, &certificate, &key], purpose);
                self.diagnostics.push(Diagnostic::info(message).at(path));
                return None;
            }
        };
        self.size += secret.size();
        match Brought::read(secret, authority, certificate, &key, field) {
            Ok(brought) => {
                self.diagnostics.extend(brought.faults(purpose, self.time));
                Some(brought)
            }
            Err(error) => {
                self.diagnostics.push(error);
                None
            }
        }
    }

    /// Reports one certificate that is used for two purposes. The server certificate of Postgres can be the certificate of
    /// replicas too only if it is also a client certificate with their name. If the certificate is not in the input, it most
    /// likely is not.
    fn one_for_two_purposes(&mut self, replication: Option<&Brought>) {
        let cluster = self.cluster;
        let (Some(server), Some(client)) = (&cluster.custom_tls_secret, &cluster.custom_replication_tls_secret) else {
            return;
        };
        let [_, certificate, _] = keys(server, false);
        let is_client = |brought: &Brought| {
            brought
                .chain
                .first()
                .is_some_and(|leaf| leaf.client_auth && leaf.common_name.as_deref() == Some(REPLICATION_USER))
        };
        if server.name != *client || certificate.as_deref() != Some("tls.crt") || replication.is_some_and(is_client) {
            return;
        }
        let message = format!(
            "is also the Secret of `{POSTGRES}`, but replicas need a certificate with the common name \
             `{REPLICATION_USER}`: use two Secrets, or use `items` there to choose other keys of this Secret"
        );
        self.diagnostics.push(Diagnostic::warning(message).at(FieldPath::of(REPLICATION)));
    }

    /// Reports different CAs. If the user provides the certificate of only one of Postgres and pgBouncer, their clients must
    /// trust different CAs.
    fn trust(&mut self) {
        let cluster = self.cluster;
        let Some(pgbouncer) = &cluster.pgbouncer else { return };
        let (theirs, ours, key, field) = match (&cluster.custom_tls_secret, &pgbouncer.custom_tls_secret) {
            (Some(postgres), None) => (postgres, cluster.pgbouncer_name(), "pgbouncer-frontend.ca-roots", PGBOUNCER),
            (None, Some(frontend)) => (frontend, cluster.cluster_certificate_secret(), "ca.crt", POSTGRES),
            _ => return,
        };
        let [authority, ..] = keys(theirs, true);
        let message = format!(
            "clients of Postgres and clients of pgBouncer must trust different CAs: `{}` of your Secret `{}`, and \
             `{key}` of `{ours}`; give both CAs to clients of both in one file, or also set `{field}`",
            authority.as_deref().unwrap_or("ca.crt"),
            theirs.name,
        );
        let here = if field == PGBOUNCER { POSTGRES } else { PGBOUNCER };
        self.diagnostics.push(Diagnostic::warning(message).at(FieldPath::of(here)));
    }
}

/// The message about a Secret whose content is not in the input: why it was not checked, and what it must contain.
fn unseen(name: &str, why: &str, [authority, certificate, key]: [&str; 3], purpose: &Purpose) -> String {
    let whose = match purpose {
        Purpose::Server(hosts) => format!("a server with the name `{}`", hosts.join("`, `")),
        Purpose::Client(role) => format!("a client with the common name `{role}`"),
    };
    format!(
        "Secret `{name}` {why}, so pgrender cannot check it: `{certificate}` must be the certificate of {whose}, \
         `{key}` must be its private key, and `{authority}` must be the CA of the certificate that the other side \
         presents"
    )
}

/// A Secret that the user provides, parsed.
struct Brought<'a> {
    secret: Secret<'a>,
    authority_key: String,
    certificate_key: String,
    /// The CA certificates that its holder trusts.
    authorities: Vec<X509>,
    /// The certificate itself, followed by its intermediate certificates.
    chain: Vec<X509>,
}

impl<'a> Brought<'a> {
    fn read(
        secret: Secret<'a>,
        authority_key: String,
        certificate_key: String,
        key: &str,
        field: &str,
    ) -> Result<Self, Diagnostic> {
        let missing = |key: &str| secret.error(key, &format!("is missing, but `{field}` needs it: add it"));
        let text = secret.text(&authority_key)?.ok_or_else(|| missing(&authority_key))?;
        let authorities = in_pem(&secret, &authority_key, &text)?
            .ok_or_else(|| secret.error(&authority_key, "is not a certificate in PEM format: write one here"))?;
        if secret.bytes(&certificate_key)?.is_none() {
            return Err(missing(&certificate_key));
        }
        let Some(Pair { facts, rest, .. }) = pair(&secret, &certificate_key, key)? else { return Err(missing(key)) };
        let chain = std::iter::once(facts).chain(rest).collect();
        Ok(Self { secret, authority_key, certificate_key, authorities, chain })
    }

    /// What is wrong with the certificate itself, as warnings.
    fn faults(&self, purpose: &Purpose, time: i64) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let mut fault = |what: &str| faults.push(self.secret.warning(&self.certificate_key, what));
        let Some(leaf) = self.chain.first() else { return Vec::new() };
        match purpose {
            Purpose::Server(hosts) => {
                for host in hosts.iter().filter(|host| !leaf.is_for(host)) {
                    fault(&format!(
                        "is not valid for `{host}`, the name that clients connect to: use a certificate with this name"
                    ));
                }
                if !leaf.server_auth {
                    fault("cannot be used by a server: use a certificate with the extended key usage `server auth`");
                }
            }
            Purpose::Client(role) => {
                if leaf.common_name.as_deref() != Some(role) {
                    fault(&format!(
                        "does not have the common name `{role}`, so no replica can connect: use a certificate with \
                         this common name"
                    ));
                }
                if !leaf.client_auth {
                    fault("cannot be used by a client: use a certificate with the extended key usage `client auth`");
                }
            }
        }
        if !leaf.is_valid_at(time) {
            fault("is not valid at this time: renew it");
        }
        faults
    }

    /// A warning if this side does not accept the certificate of the other side. Adds the number of verified signatures to
    /// `signatures`.
    fn distrusts(&self, other: &Self, signatures: &mut usize) -> Option<Diagnostic> {
        let (mut current, rest) = other.chain.split_first()?;
        let mut rest: Vec<&X509> = rest.iter().collect();
        let mut left = MOST_SIGNATURES;
        let mut is_signed = |one: &X509, authority: &X509| {
            if !one.names_issuer(authority) || left == 0 {
                return false;
            }
            left -= 1;
            one.is_signed_by(authority) != Some(false)
        };
        let trusts = loop {
            if self.authorities.iter().any(|authority| is_signed(current, authority)) {
                break true;
            }
            // Each certificate is used only once, so that the loop ends.
            match rest.iter().position(|next| is_signed(current, next)) {
                Some(position) => current = rest.remove(position),
                None => break false,
            }
        };
        *signatures += MOST_SIGNATURES - left;
        let what = if left == 0 {
            "and the certificate chain of the other side have too many certificates with the same name to check which \
             one is the issuer: keep one certificate for each name"
        } else {
            "does not contain the CA of the other side, so replicas and their leader reject each other: add the CA \
             that signed the certificate there"
        };
        (!trusts).then(|| self.secret.warning(&self.authority_key, what))
    }
}
