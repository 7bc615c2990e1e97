//! What Postgres stores of a password: the SCRAM-SHA-256 verifier (RFC 5802, RFC 7677; `rolpassword` in Postgres' `pg_authid`).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The default number of iterations in Postgres (`SCRAM_SHA_256_DEFAULT_ITERATIONS`), and the number that PGO uses.
const ITERATIONS: u32 = 4096;

/// The verifier of a password with a given salt: `SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>`. The salt and the keys
/// are in base64.
pub fn verifier(password: &str, salt: &[u8; 16]) -> Zeroizing<String> {
    verifier_of(password, salt, ITERATIONS)
}

/// The verifier of a password with a salt and a number of iterations from an existing verifier.
pub(super) fn verifier_of(password: &str, salt: &[u8], iterations: u32) -> Zeroizing<String> {
    let prepared = Zeroizing::new(prepare(password).into_owned());
    let mut salted = Zeroizing::new([0_u8; 32]);
    pbkdf2_hmac::<Sha256>(prepared.as_bytes(), salt, iterations, salted.as_mut_slice());
    let client_key = Zeroizing::new(hmac(&salted, b"Client Key"));
    let server_key = Zeroizing::new(hmac(&salted, b"Server Key"));
    let stored_key = Sha256::digest(client_key.as_slice());
    let [salt, stored_key, server_key] = [salt, &stored_key, server_key.as_slice()].map(|bytes| STANDARD.encode(bytes));
    Zeroizing::new(format!("SCRAM-SHA-256${iterations}:{salt}${stored_key}:{server_key}"))
}

/// The password as client and server normalize it: with SASLprep (RFC 4013), or unchanged if SASLprep refuses it or gives an
/// empty result. Postgres' `pg_saslprep` and PGO's `internal/postgres/password` do the same. Both leave ASCII unchanged.
fn prepare(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        return Cow::Borrowed(password);
    }
    stringprep::saslprep(password).ok().filter(|prepared| !prepared.is_empty()).unwrap_or(Cow::Borrowed(password))
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_that_of_rfc_7677() {
        // RFC 7677 section 3: user `user`, password `pencil`. The RFC prints the signature of the server instead of the keys,
        // so the keys are checked by computing that signature.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = verifier("pencil", &salt);
        let (stored_key, server_key) =
            verifier.strip_prefix("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$").unwrap().split_once(':').unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign = |key: &str| hmac(&STANDARD.decode(key).unwrap().try_into().unwrap(), message.as_bytes());
        assert_eq!(STANDARD.encode(sign(server_key)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // The proof is the client key XOR the client's signature. The stored key is the hash of the client key.
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_key: Vec<u8> = proof.iter().zip(sign(stored_key)).map(|(proof, mask)| proof ^ mask).collect();
        assert_eq!(STANDARD.encode(Sha256::digest(client_key)), stored_key);
    }

    #[test]
    fn passwords_are_prepared_as_postgres_prepares_them() {
        for (password, prepared) in [
            ("plain ascii\u{7f}", "plain ascii\u{7f}"),
            ("a\u{a0}b", "a b"),            // a space that is not ASCII
            ("I\u{ad}X", "IX"),             // a soft hyphen goes
            ("\u{2168}", "IX"),             // NFKC
            ("\u{ad}", "\u{ad}"),           // nothing would be left
            ("\u{e9}\u{7}", "\u{e9}\u{7}"), // a control character is refused
            ("\u{627}1", "\u{627}1"),       // mixed directions are refused
        ] {
            assert_eq!(prepare(password), prepared, "{password:?}");
        }
    }
}
