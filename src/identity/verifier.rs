//! Compares an existing verifier with the password in the same Secret. The verifier is reused even if they do not match, as in
//! PGO: the password may be wrong on purpose, and only the verifier counts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::Digest;
use zeroize::Zeroizing;

use crate::identity::scram;

/// The maximum number of iterations that are computed here. The default of Postgres is 4096. A verifier with many more
/// iterations would delay every run.
const ROUNDS_MAX: u32 = 16_384;

/// The result of comparing a verifier with a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is the verifier of this password.
    Fits,
    /// It is the verifier of another password.
    Differs,
    /// It has too many iterations, so it was not compared.
    Unchecked,
    /// It has neither of the formats of Postgres (`get_password_type`), so Postgres would treat it as a password.
    Unknown,
}

/// Compares `verifier` with what Postgres would store of `password` for `user`: either `md5` and the hash of the password and
/// the name, or SCRAM-SHA-256 with the salt and the iterations of the verifier itself.
pub(crate) fn judge(verifier: &str, user: &str, password: &str) -> Verdict {
    let expected = if let Some(digest) = verifier.strip_prefix("md5") {
        if digest.len() != 32 || !digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Verdict::Unknown;
        }
        let digest = Md5::new_with_prefix(password).chain_update(user).finalize();
        Zeroizing::new(digest.iter().fold("md5".to_owned(), |text, byte| format!("{text}{byte:02x}")))
    } else {
        let Some((salt, rounds)) = scram_parameters(verifier) else { return Verdict::Unknown };
        if rounds > ROUNDS_MAX {
            return Verdict::Unchecked;
        }
        scram::verifier_of(password, &salt, rounds)
    };
    if *expected == verifier { Verdict::Fits } else { Verdict::Differs }
}

/// The number of iterations that are computed to judge `verifier`; `None` if it is not compared with SCRAM.
pub(crate) fn checked_rounds(verifier: &str) -> Option<usize> {
    let (_, rounds) = scram_parameters(verifier).filter(|(_, rounds)| *rounds <= ROUNDS_MAX)?;
    usize::try_from(rounds).ok()
}

/// The salt and the iterations of `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>` (Postgres'
/// `parse_scram_secret`).
fn scram_parameters(verifier: &str) -> Option<(Vec<u8>, u32)> {
    let [scheme, parameters, keys] = verifier.split('$').collect::<Vec<_>>().try_into().ok()?;
    let (rounds, salt) = parameters.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let is_key = |text: &str| STANDARD.decode(text).is_ok_and(|key| key.len() == 32);
    let rounds = rounds.parse().ok().filter(|rounds| *rounds > 0)?;
    (scheme == "SCRAM-SHA-256" && is_key(stored) && is_key(server)).then_some((STANDARD.decode(salt).ok()?, rounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_of_both_forms_are_judged_by_their_own_parameters() {
        // `printf secrethippo | md5sum`
        let md5 = "md5ab19cfd76e444567b7a8e3c8ab6c2285";
        assert_eq!(judge(md5, "hippo", "secret"), Verdict::Fits);
        assert_eq!(judge(md5, "rhino", "secret"), Verdict::Differs);
        for (salt, rounds) in
            [(&b"sixteen bytes ok"[..], 4096), (b"short", 1), (b"a salt that is longer than usual", 10_000)]
        {
            let verifier = scram::verifier_of("pencil", salt, rounds);
            assert_eq!(judge(&verifier, "hippo", "pencil"), Verdict::Fits);
            assert_eq!(judge(&verifier, "hippo", "pencils"), Verdict::Differs);
        }
    }

    #[test]
    fn what_postgres_would_take_for_a_password_is_unknown() {
        for text in [
            "",
            "secret",
            "md5",
            "md5zzze2a87b1cbc4a2a7d8ed7b0b7d5c7f0",
            "SCRAM-SHA-256$4096:c2FsdA==$a:b",
            "SCRAM-SHA-256",
        ] {
            assert_eq!(judge(text, "hippo", "secret"), Verdict::Unknown, "{text}");
        }
        let many = scram::verifier_of("pencil", b"salt", 1).replace("$1:", "$2000000000:");
        assert_eq!(judge(&many, "hippo", "pencil"), Verdict::Unchecked);
    }
}
