//! The contexts from which secrets are derived, version `pgrender/v1`.
//!
//! A value is HKDF-SHA-256 (RFC 5869) with the seed as the input key, the version as the salt, and its context as the info. A
//! context is a list of parts. Each part is encoded as its length (32 bits, big-endian) followed by its bytes, so that two
//! different lists never give the same info. Numbers are written in decimal. The last part is always a counter, for values that
//! need more than one draw. It is 0 for the other values.
//!
//! | purpose (first part) | further parts | bytes per draw | what it gives |
//! | --- | --- | --- | --- |
//! | `authority/key` | trust domain, generation | 32 | the CA's private key; next counter while out of range |
//! | `authority/serial` | trust domain, generation | 16 | the CA's serial |
//! | `certificate/key` | namespace, cluster, role, name, generation, window start | 32 | a private key; as the CA's |
//! | `certificate/serial` | those of `certificate/key`, trust domain, CA generation, not before, not after, names… | 16 | a serial |
//! | `password` | namespace, cluster, user, alphabet, generation, that of all passwords | 64 | a password; next counter while too short |
//! | `scram/salt` | namespace, cluster, user, password | 16 | the salt of a verifier |
//! | `fingerprint/key` | namespace, cluster | 32 | the key of fingerprints |
//!
//! The members of a cluster have a CA of their own, whose trust domain is `<namespace>/<cluster>`. No other trust domain
//! contains a slash. The role of a certificate is a word, for example `postgres`. Its name is the name of the instance set, or
//! else empty. The alphabet of a password is `ascii` or `alphanumeric`. The generation of all passwords is a part only from 2
//! on, because it was added later. The start of the window and the dates are in seconds since 1970-01-01 00:00:00 UTC.
//!
//! **Never change any of this**: the passwords and keys of all users would change. `fixtures/identity` contains test vectors,
//! which another implementation checks too.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::identity::seed::Seed;
use crate::identity::window::Window;

/// The salt of HKDF: the version of this derivation.
const VERSION: &[u8] = b"pgrender/v1";

/// One context, encoded without its counter. It is wiped from memory when it is dropped, because the context of a salt contains
/// a password.
pub(crate) struct Context(Zeroizing<Vec<u8>>);

/// Identifies a certificate of a cluster.
pub(crate) struct CertificateId<'a> {
    /// The cluster's namespace.
    pub(crate) namespace: &'a str,
    /// The cluster's name.
    pub(crate) cluster: &'a str,
    /// The word for the purpose of the certificate.
    pub(crate) role: &'a str,
    /// The instance set; empty for the roles that a cluster has once.
    pub(crate) name: &'a str,
    /// The generation of the certificate, from 1.
    pub(crate) generation: u32,
}

/// The two generations of a password: its own, and that of all passwords. They are not added up. If they were, raising one
/// annotation and removing the other could give an earlier password again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordGeneration {
    /// `pgrender.dev/rotate-password.<role>`.
    pub own: u32,
    /// `pgrender.dev/rotate-passwords`.
    pub all: u32,
}

impl PasswordGeneration {
    /// The maximum of each of the two numbers.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        Self { own: self.own.max(other.own), all: self.all.max(other.all) }
    }
}

impl Context {
    /// The context of the private key of a trust domain's CA.
    pub(crate) fn authority_key(trust_domain: &str, generation: u32) -> Self {
        Self::of(&["authority/key", trust_domain, &generation.to_string()])
    }

    /// The context of the serial number of a trust domain's CA.
    pub(crate) fn authority_serial(trust_domain: &str, generation: u32) -> Self {
        Self::of(&["authority/serial", trust_domain, &generation.to_string()])
    }

    /// The context of the private key of a leaf certificate. It is different in each window, and does not depend on the CA.
    pub(crate) fn certificate_key(id: &CertificateId, window: Window) -> Self {
        let CertificateId { namespace, cluster, role, name, generation } = id;
        let (generation, start) = (generation.to_string(), window.start().to_string());
        Self::of(&["certificate/key", namespace, cluster, role, name, &generation, &start])
    }

    /// The context of the serial number of a leaf certificate. It contains everything that is in the certificate, because a CA
    /// must not use the same serial number for two certificates (RFC 5280 4.1.2.2).
    pub(crate) fn certificate_serial(
        id: &CertificateId,
        window: Window,
        trust_domain: &str,
        authority_generation: u32,
        names: &[String],
    ) -> Self {
        let CertificateId { namespace, cluster, role, name, generation } = id;
        let numbers = [
            i64::from(*generation),
            window.start(),
            i64::from(authority_generation),
            window.not_before(),
            window.not_after(),
        ];
        let [generation, start, authority_generation, not_before, not_after] = numbers.map(|number| number.to_string());
        let mut parts = vec!["certificate/serial", namespace, cluster, role, name, &generation, &start];
        parts.extend([trust_domain, &authority_generation, &not_before, &not_after]);
        parts.extend(names.iter().map(String::as_str));
        Self::of(&parts)
    }

    /// The context of the password of a Postgres role or of Patroni's API. It contains the alphabet, so that a password with
    /// another alphabet is completely different.
    pub(crate) fn password(
        namespace: &str,
        cluster: &str,
        user: &str,
        alphabet: &str,
        generation: PasswordGeneration,
    ) -> Self {
        let [own, all] = [generation.own, generation.all].map(|number| number.to_string());
        let mut parts = vec!["password", namespace, cluster, user, alphabet, &own];
        if generation.all > 1 {
            parts.push(&all);
        }
        Self::of(&parts)
    }

    /// The context of the salt of a SCRAM verifier. It contains the password, so that two passwords never have the same salt.
    pub(crate) fn scram_salt(namespace: &str, cluster: &str, user: &str, password: &str) -> Self {
        Self::of(&["scram/salt", namespace, cluster, user, password])
    }

    /// The context of the key of the fingerprints of a cluster's Secrets and ConfigMaps.
    pub(crate) fn fingerprint_key(namespace: &str, cluster: &str) -> Self {
        Self::of(&["fingerprint/key", namespace, cluster])
    }

    fn of(parts: &[&str]) -> Self {
        // The capacity includes the counter. Otherwise the vector would grow, and leave a copy of a password in memory.
        let size = parts.iter().map(|part| 4 + part.len()).sum::<usize>() + 4 + 10;
        let mut info = Zeroizing::new(Vec::with_capacity(size));
        for part in parts {
            push(&mut info, part);
        }
        Self(info)
    }

    /// Draws `N` bytes. `N` is at most 255 times 32, the limit of HKDF; the compiler checks this.
    pub(crate) fn draw<const N: usize>(&self, seed: &Seed, counter: u32) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32) };
        let mut info = Zeroizing::new(Vec::with_capacity(self.0.capacity()));
        info.extend_from_slice(&self.0);
        push(&mut info, &counter.to_string());
        let mut bytes = Zeroizing::new([0; N]);
        Hkdf::<Sha256>::new(Some(VERSION), seed.bytes())
            .expand(&info, bytes.as_mut_slice())
            .expect("the length was checked when compiling");
        bytes
    }
}

fn push(info: &mut Vec<u8>, part: &str) {
    // Kubernetes limits the fields that become parts to a few thousand bytes, so the length always fits.
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    info.extend_from_slice(&length.to_be_bytes());
    info.extend_from_slice(part.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn moving_a_character_from_one_part_to_the_next_gives_another_value() {
        let seed = Seed::new(b"oT4#rW9-kq2.Zx7!Lm5_vB8*Yc3+Hn6?").ok().unwrap();
        let contexts = [
            Context::fingerprint_key("ab", "c"),
            Context::fingerprint_key("a", "bc"),
            Context::fingerprint_key("", "abc"),
            Context::scram_salt("a", "b", "c", "d\0\0\0\x01e"),
            Context::scram_salt("a", "b", "c\0\0\0\x01d", "e"),
        ];
        let values: BTreeSet<[u8; 32]> = contexts.iter().map(|context| *context.draw(&seed, 0)).collect();
        assert_eq!(values.len(), contexts.len());
    }

    #[test]
    fn each_counter_gives_another_value() {
        let seed = Seed::new(b"oT4#rW9-kq2.Zx7!Lm5_vB8*Yc3+Hn6?").ok().unwrap();
        let context = Context::authority_key("ns", 1);
        let values: BTreeSet<[u8; 32]> = (0..20).map(|counter| *context.draw(&seed, counter)).collect();
        assert_eq!(values.len(), 20);
    }
}
