//! Where each secret comes from: the contexts of derivation, version `pgrender/v1`.
//!
//! A value is HKDF-SHA-256 (RFC 5869) with the seed as input key, the version as salt, and its context as info. A context
//! is a list of parts; its encoding writes each part as its length (32 bits, big-endian) followed by its bytes, so that no
//! two lists give the same info. Numbers are parts in decimal. The last part is always a counter, for values that need
//! more than one draw; it is 0 for those that do not.
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
//! The members of a cluster have a CA of their own, whose trust domain is `<namespace>/<cluster>`; no other has a slash. The
//! role of a certificate is a word of [`CertificateRole`], its name that of the instance set or else empty. The alphabet of a password is
//! `ascii` or `alphanumeric`. The generation of all passwords takes part from 2 on: it came later. Window start and dates are
//! seconds since 1970.
//!
//! **None of this can ever change**: everybody's passwords and keys would change with it. `fixtures/identity` holds
//! vectors, which another implementation checks as well.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::seed::Seed;
use crate::cluster::{CertificateRole, PasswordGeneration};
use crate::window::Window;

/// The salt of HKDF: the version of this module.
const VERSION: &[u8] = b"pgrender/v1";

/// One context, encoded but for its counter. It is wiped when dropped, because one of them holds a password.
pub(super) struct Context(Zeroizing<Vec<u8>>);

/// Which certificate of which cluster.
pub(super) struct CertificateId<'a> {
    /// The cluster's namespace.
    pub(super) namespace: &'a str,
    /// The cluster's name.
    pub(super) cluster: &'a str,
    /// What the certificate is for.
    pub(super) role: CertificateRole,
    /// The instance set; empty for the roles that a cluster has once.
    pub(super) name: &'a str,
    /// How often it was replaced on purpose, from 1.
    pub(super) generation: u32,
}

impl Context {
    /// Of the private key of a trust domain's CA.
    pub(super) fn authority_key(trust_domain: &str, generation: u32) -> Self {
        Self::of(&["authority/key", trust_domain, &generation.to_string()])
    }

    /// Of the serial of a trust domain's CA.
    pub(super) fn authority_serial(trust_domain: &str, generation: u32) -> Self {
        Self::of(&["authority/serial", trust_domain, &generation.to_string()])
    }

    /// Of the private key of a leaf: a new one in each window, the same for any CA.
    pub(super) fn certificate_key(id: &CertificateId, window: Window) -> Self {
        let CertificateId { namespace, cluster, role, name, generation } = id;
        let (generation, start) = (generation.to_string(), window.start().to_string());
        Self::of(&["certificate/key", namespace, cluster, role.word(), name, &generation, &start])
    }

    /// Of the serial of a leaf. All that the certificate says takes part, because a CA may not use a serial for two
    /// certificates (RFC 5280 4.1.2.2).
    pub(super) fn certificate_serial(
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
        let mut parts = vec!["certificate/serial", namespace, cluster, role.word(), name, &generation, &start];
        parts.extend([trust_domain, &authority_generation, &not_before, &not_after]);
        parts.extend(names.iter().map(String::as_str));
        Self::of(&parts)
    }

    /// Of the password of a Postgres role, or of Patroni's API. The alphabet takes part so that changing it changes the password entirely.
    pub(super) fn password(
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

    /// Of the salt of a SCRAM verifier. The password takes part so that two passwords never share a salt.
    pub(super) fn scram_salt(namespace: &str, cluster: &str, user: &str, password: &str) -> Self {
        Self::of(&["scram/salt", namespace, cluster, user, password])
    }

    /// Of the key of the fingerprints of a cluster's Secrets and ConfigMaps.
    pub(super) fn fingerprint_key(namespace: &str, cluster: &str) -> Self {
        Self::of(&["fingerprint/key", namespace, cluster])
    }

    fn of(parts: &[&str]) -> Self {
        // Room for the counter as well, so that no copy of a password is left behind by growing.
        let size = parts.iter().map(|part| 4 + part.len()).sum::<usize>() + 4 + 10;
        let mut info = Zeroizing::new(Vec::with_capacity(size));
        for part in parts {
            push(&mut info, part);
        }
        Self(info)
    }

    /// Draws `N` bytes, at most 255 times 32, which is HKDF's limit and is checked when compiling.
    pub(super) fn draw<const N: usize>(&self, seed: &Seed, counter: u32) -> Zeroizing<[u8; N]> {
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
    // A part comes from a field that Kubernetes limits to a few thousand bytes.
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
