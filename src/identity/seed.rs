//! The seed: what every secret of every cluster is derived from, and what of it is refused.
//!
//! Whatever is rendered (certificates, verifiers) lets anyone test a guessed seed without asking a server, at about a
//! tenth of a millisecond per guess. So a seed must be beyond guessing; stretching a password would not make it so.

mod guessable;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use self::guessable::{MIN_BYTES, MIN_LETTERS};

/// Why a seed is refused. No message holds any of it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SeedError {
    /// Fewer than 32 bytes.
    #[error("the seed has {0} bytes, fewer than {MIN_BYTES}, so it can be guessed; make one with `pgrender seed`")]
    Short(usize),
    /// Fewer than 8 different bytes.
    #[error("the seed has only {0} different bytes, so it can be guessed; make one with `pgrender seed`")]
    Monotonous(usize),
    /// A text of at most half its length, again and again.
    #[error("the seed is a short text repeated, so it can be guessed; make one with `pgrender seed`")]
    Repetition,
    /// Bytes in the order of the alphabet or the like.
    #[error("the seed is a sequence like `abc` or `123`, so it can be guessed; make one with `pgrender seed`")]
    Sequence,
    /// A few words.
    #[error(
        "the seed is made of words and has only {0} letters, so it can be guessed; make one with `pgrender seed`, or throw \
         dice for words of at least {MIN_LETTERS} letters"
    )]
    Words(usize),
    /// Base64 or hexadecimal digits of what would be refused itself.
    #[error("the seed is the base64 or hexadecimal form of what can be guessed; make one with `pgrender seed`")]
    Encoded,
}

/// The seed: at least 32 bytes of high-entropy secret. It is wiped from memory when dropped, and has no `Debug`, so that
/// it cannot be printed.
pub struct Seed(Zeroizing<Vec<u8>>);

impl Seed {
    /// Takes the content of a seed file, variable or Secret: the seed is its bytes as they are, without one final newline
    /// (LF or CRLF), which editors and `echo` add.
    ///
    /// Refused are seeds that are surely guessable: shorter than 32 bytes, with fewer than 8 different bytes, repetitions,
    /// sequences, a few words, and the base64 or hexadecimal form of such. Random ones are not, in none of these forms.
    pub fn new(content: &[u8]) -> Result<Self, SeedError> {
        let seed = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
        guessable::check(seed)?;
        Ok(Self(Zeroizing::new(seed.to_vec())))
    }

    /// Makes the text of a new seed, base64 on one line, of random bytes that the caller has drawn.
    pub fn generate(random: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(random))
    }

    /// The seed itself; for [`super::context`] alone.
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
