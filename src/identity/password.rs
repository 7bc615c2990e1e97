//! Passwords with PGO's alphabets and lengths (`internal/util/secrets.go`, `internal/controller/postgrescluster`).

use zeroize::Zeroizing;

use crate::identity::context::Context;
use crate::identity::seed::Seed;

/// The characters of PGO's type `ASCII`, in the order of their codes: printable, without space and without the characters that
/// need escaping in a shell, in a URL, in SQL, or in the user file of pgBouncer.
pub(crate) const ASCII: Alphabet = Alphabet {
    name: "ascii",
    characters: b"()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz{|}",
};

/// The characters of PGO's type `AlphaNumeric`, in the order of their codes.
pub(crate) const ALPHANUMERIC: Alphabet =
    Alphabet { name: "alphanumeric", characters: b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" };

/// The characters of a password.
pub(crate) struct Alphabet {
    /// The name of the alphabet in the context of a password.
    pub(crate) name: &'static str,
    characters: &'static [u8],
}

/// Derives the password of `context`. It has `length` characters. Each character of the alphabet has the same probability.
///
/// Each byte that is drawn gives the character at its remainder. A byte that is not below the largest multiple of the size of
/// the alphabet is skipped, because it would make the first characters more likely.
pub(crate) fn derive(context: &Context, seed: &Seed, alphabet: &Alphabet, length: usize) -> Zeroizing<String> {
    let size = alphabet.characters.len();
    let limit = 256 - 256 % size;
    let mut password = Zeroizing::new(String::with_capacity(length));
    let mut counter = 0;
    while password.len() < length {
        let bytes = context.draw::<64>(seed, counter);
        let characters = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
        let missing = length - password.len();
        password.extend(characters.take(missing).map(|byte| char::from(alphabet.characters[byte % size])));
        counter += 1;
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::context::PasswordGeneration;

    const FIRST: PasswordGeneration = PasswordGeneration { own: 1, all: 1 };

    fn seed() -> Seed {
        Seed::new(b"oT4#rW9-kq2.Zx7!Lm5_vB8*Yc3+Hn6?").ok().unwrap()
    }

    #[test]
    fn the_alphabets_are_those_of_pgo() {
        let letters_and_digits = |character: &u8| character.is_ascii_alphanumeric();
        assert_eq!(ASCII.characters.len(), 84);
        assert_eq!(ASCII.characters.iter().filter(|character| letters_and_digits(character)).count(), 62);
        let others: Vec<u8> =
            ASCII.characters.iter().copied().filter(|character| !letters_and_digits(character)).collect();
        assert_eq!(others, b"()*+,-./:;<=>?@[]^_{|}");
        assert_eq!(ALPHANUMERIC.characters.len(), 62);
        assert!(ALPHANUMERIC.characters.iter().all(letters_and_digits));
        for alphabet in [ASCII, ALPHANUMERIC] {
            assert!(alphabet.characters.is_sorted_by(|one, next| one < next));
        }
    }

    #[test]
    fn every_character_is_equally_likely() {
        for alphabet in [ASCII, ALPHANUMERIC] {
            let per_character = 1000;
            let size = alphabet.characters.len();
            let context = Context::password("ns", "cluster", "user", alphabet.name, FIRST);
            let password = derive(&context, &seed(), &alphabet, size * per_character);
            // Chi-squared with 83 or 61 degrees of freedom is below 160, except once in a million times. A modulo bias of the
            // whole byte (four characters in 256 bytes for three) would give thousands.
            let deviations = alphabet.characters.iter().map(|character| {
                let count = password.bytes().filter(|byte| byte == character).count();
                count.abs_diff(per_character).pow(2)
            });
            assert!(deviations.sum::<usize>() / per_character < 160, "{}", alphabet.name);
        }
    }

    #[test]
    fn a_longer_password_begins_with_the_shorter_one() {
        let context = Context::password("ns", "cluster", "user", ASCII.name, FIRST);
        let [short, long] = [24, 500].map(|length| derive(&context, &seed(), &ASCII, length));
        assert_eq!((short.len(), long.len()), (24, 500));
        assert!(long.starts_with(short.as_str()));
    }
}
