//! Leaf certificates: their content, and their extensions.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};
use zeroize::Zeroizing;

use crate::identity::authority::Authority;
use crate::identity::certificate_fields::{date, distinguished_name, serial_number};
use crate::identity::context::{CertificateId, Context};
use crate::identity::key::Key;
use crate::identity::seed::Seed;
use crate::identity::window::{Renewal, Window};
use crate::naming::{self, COMMON_NAME_MAX};

/// What a certificate may be used for (its extended key usage). PGO's certificates may be used for everything. With a narrower
/// usage, a stolen certificate is less useful: for example, nobody can log in with the server certificate of Postgres.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateUsage {
    /// Only by a server.
    Server,
    /// Only by a client.
    Client,
    /// By a process that is both a server and a client, for example Patroni.
    Both,
}

/// A certificate and its private key.
pub struct Certificate {
    /// The certificate in PEM.
    pub certificate: String,
    /// The private key in PEM, in the format `EC PRIVATE KEY` that PGO uses (SEC 1, RFC 5915).
    pub key: Zeroizing<String>,
    /// The generation of the certificate, from 1.
    pub generation: u32,
    /// When to replace it.
    pub renewal: Renewal,
}

/// Derives the key of the certificate `id`, and signs a certificate for `names`, which are its DNS names in this order.
pub(crate) fn issue(
    id: &CertificateId,
    names: &[String],
    usage: CertificateUsage,
    authority: &Authority,
    window: Window,
    seed: &Seed,
) -> Result<Certificate, rcgen::Error> {
    let key = Key::derive(&Context::certificate_key(id, window), seed);
    let serial = Context::certificate_serial(id, window, authority.trust_domain, authority.generation, names);

    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name(&common_name(names));
    parameters.subject_alt_names = names
        .iter()
        .map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)))
        .collect::<Result<_, rcgen::Error>>()?;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    parameters.extended_key_usages = purposes(usage);
    parameters.not_before = date(window.not_before())?;
    parameters.not_after = date(window.not_after())?;
    parameters.serial_number = Some(serial_number(&serial, seed));
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_identifier_method = key.identifier();

    Ok(Certificate {
        certificate: authority.sign(&parameters, &key)?,
        key: key.pem()?,
        generation: id.generation,
        renewal: window.renewal(),
    })
}

/// The first name that has at most 64 characters, the maximum of X.520. If there is none, the first name is shortened. This is
/// safe: clients compare a host only with the DNS names (RFC 6125 6.4.4), and the one name of a client always fits.
pub fn common_name(names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    let fitting = names.iter().find(|name| name.len() <= COMMON_NAME_MAX);
    fitting.cloned().unwrap_or_else(|| naming::common_name(first.to_owned()))
}

fn purposes(usage: CertificateUsage) -> Vec<ExtendedKeyUsagePurpose> {
    match usage {
        CertificateUsage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        CertificateUsage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        CertificateUsage::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    }
}
