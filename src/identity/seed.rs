//! The seed, from which every secret of every cluster is derived, and the checks that refuse an unsafe seed.
//!
//! With the output (certificates, verifiers), anyone can test a guessed seed without asking a server, at about a tenth of a
//! millisecond per guess. So a seed must be impossible to guess. Stretching a password would not achieve this.

mod guessable;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use self::guessable::{MIN_BYTES, MIN_LETTERS};

/// Why a seed is refused. No message contains a part of the seed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SeedError {
    /// It has fewer than 32 bytes. The value is their number.
    #[error("the seed has {0} bytes, fewer than {MIN_BYTES}, so it can be guessed; create one with `pgrender seed`")]
    Short(usize),
    /// It has fewer than 8 different bytes. The value is their number.
    #[error("the seed has only {0} different bytes, so it can be guessed; create one with `pgrender seed`")]
    Monotonous(usize),
    /// It is a text, of at most half the length of the seed, repeated.
    #[error("the seed is a short text repeated, so it can be guessed; create one with `pgrender seed`")]
    Repetition,
    /// Its bytes are a sequence, for example the alphabet.
    #[error("the seed is a sequence like `abc` or `123`, so it can be guessed; create one with `pgrender seed`")]
    Sequence,
    /// It consists of a few words. The value is the number of its letters.
    #[error(
        "the seed consists of words and has only {0} letters, so it can be guessed; create one with `pgrender seed`, \
         or choose random words with at least {MIN_LETTERS} letters in total"
    )]
    Words(usize),
    /// It is the base64 or hexadecimal form of a seed that would be refused.
    #[error(
        "the seed is the base64 or hexadecimal encoding of a text that can be guessed; create one with `pgrender seed`"
    )]
    Encoded,
}

/// The seed: a secret of at least 32 bytes with high entropy. It is wiped from memory when it is dropped. It does not implement
/// `Debug`, so that it cannot be printed.
pub struct Seed(Zeroizing<Vec<u8>>);

impl Seed {
    /// Reads the content of a file, a variable or a Secret. The seed is its bytes, unchanged, without one final newline (LF or
    /// CRLF), which editors and `echo` add.
    ///
    /// An error if the seed can certainly be guessed: if it is shorter than 32 bytes, has fewer than 8 different bytes, is a
    /// repetition, a sequence or a few words, or is the base64 or hexadecimal form of one of these. A random seed is never
    /// refused, in any of these forms.
    pub fn new(content: &[u8]) -> Result<Self, SeedError> {
        let seed = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
        guessable::check(seed)?;
        Ok(Self(Zeroizing::new(seed.to_vec())))
    }

    /// The text of a new seed: base64 on one line, from random bytes that the caller has drawn.
    pub fn generate(random: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(random))
    }

    /// The bytes of the seed. Only [`crate::identity::context`] uses them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"oT4#rW9-kq2.Zx7!Lm5_vB8*Yc3+Hn6?";

    fn refusal(content: &[u8]) -> SeedError {
        Seed::new(content).err().expect("refused")
    }

    #[test]
    fn exactly_one_final_newline_is_no_part_of_the_seed() {
        for (ending, rest) in [("", ""), ("\n", ""), ("\r\n", ""), ("\n\n", "\n"), ("\r", "\r"), (" \n", " ")] {
            let seed = Seed::new(&[GOOD, ending.as_bytes()].concat()).ok().unwrap();
            assert_eq!(seed.bytes(), [GOOD, rest.as_bytes()].concat(), "{ending:?}");
        }
        let seed = Seed::new(&[b"\n ", GOOD].concat()).ok().unwrap();
        assert_eq!(seed.bytes(), [b"\n ", GOOD].concat());
    }

    #[test]
    fn a_short_seed_is_refused_after_trimming() {
        assert!(Seed::new(&GOOD[..32]).is_ok());
        assert_eq!(refusal(&GOOD[..31]), SeedError::Short(31));
        assert_eq!(refusal(&[&GOOD[..31], b"\n"].concat()), SeedError::Short(31));
        assert_eq!(refusal(b""), SeedError::Short(0));
    }

    #[test]
    fn a_generated_seed_is_one_line_and_accepted() {
        let random = std::array::from_fn(|index| u8::try_from(index * index * 7 % 251).unwrap());
        let text = Seed::generate(&random);
        assert_eq!(STANDARD.decode(text.as_bytes()).unwrap(), random);
        assert!(Seed::new(text.as_bytes()).is_ok());
    }
}
