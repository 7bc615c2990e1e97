//! Refuses seeds that can certainly be guessed. No program can find out whether a text is random. This module refuses what
//! people write who do not know that a seed must be random. It accepts the output of a random generator, raw or in base64 or
//! hexadecimal. The only exceptions that are more frequent than once in 10^9 seeds are 16 to 20 random bytes in one of these
//! encodings: once in about two million seeds all bytes are characters, and they cannot be told from a text that somebody wrote.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::SeedError;

/// The minimum number of bytes in a seed. It is the strength of everything that is derived from the seed (P-256 keys, SHA-256).
pub(super) const MIN_BYTES: usize = 32;

/// The minimum number of different bytes in a seed. 64 random hexadecimal digits are the least varied form of 32 random bytes
/// that people use. They have fewer different bytes once in 10^15 seeds.
pub(super) const MIN_DISTINCT_BYTES: usize = 8;

/// The minimum number of letters in a seed that consists of words: eight words of five letters. If they were chosen by dice
/// from a list of 7776 words (`diceware`), they have 103 bits. Whether they were chosen by dice cannot be checked.
pub(super) const MIN_LETTERS: usize = 40;

/// The 50 most frequent pairs of letters in English, which are 56 % of all pairs (P. Norvig, "English Letter Frequency Counts:
/// Mayzner Revisited"). Related languages have most of them in common.
const FREQUENT_PAIRS: [&[u8; 2]; 50] = [
    b"th", b"he", b"in", b"er", b"an", b"re", b"on", b"at", b"en", b"nd", b"ti", b"es", b"or", b"te", b"of", b"ed",
    b"is", b"it", b"al", b"ar", b"st", b"to", b"nt", b"ng", b"se", b"ha", b"as", b"ou", b"io", b"le", b"ve", b"co",
    b"me", b"de", b"hi", b"ri", b"ro", b"ic", b"ne", b"ea", b"ra", b"ce", b"li", b"ch", b"ll", b"be", b"ma", b"si",
    b"om", b"ur",
];

/// Refuses a seed that can be guessed, and the base64 or hexadecimal form of one.
pub(super) fn check(seed: &[u8]) -> Result<(), SeedError> {
    if seed.len() < MIN_BYTES {
        return Err(SeedError::Short(seed.len()));
    }
    check_pattern(seed)?;
    for bytes in decodings(seed) {
        // Decoded random bytes may be fewer than 32: 32 hexadecimal digits are 16 bytes, which is enough. For a decoded text,
        // the minimum length applies.
        let checked = if is_text(&bytes) { check(&bytes) } else { check_pattern(&bytes) };
        checked.map_err(|_| SeedError::Encoded)?;
    }
    Ok(())
}

fn check_pattern(seed: &[u8]) -> Result<(), SeedError> {
    let distinct = (0..=u8::MAX).filter(|byte| seed.contains(byte)).count();
    if distinct < MIN_DISTINCT_BYTES {
        return Err(SeedError::Monotonous(distinct));
    }
    if is_repetition(seed) {
        return Err(SeedError::Repetition);
    }
    if is_sequence(seed) {
        return Err(SeedError::Sequence);
    }
    let letters = seed.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if letters < MIN_LETTERS && is_words(seed) {
        return Err(SeedError::Words(letters));
    }
    Ok(())
}

/// Whether the seed repeats itself with a period of at most half its length. Up to a quarter of the bytes may differ, for
/// example a counter at the end.
fn is_repetition(seed: &[u8]) -> bool {
    (1..=seed.len() / 2).any(|period| {
        let pairs = seed.iter().zip(&seed[period..]);
        pairs.filter(|(one, other)| one == other).count() * 4 >= (seed.len() - period) * 3
    })
}

/// Whether at least half of the bytes have the same distance from the byte before: `abcdef…`, `97531…`, `aaaa…`.
fn is_sequence(seed: &[u8]) -> bool {
    let mut steps = [0; 256];
    for (one, next) in seed.iter().zip(&seed[1..]) {
        steps[usize::from(next.wrapping_sub(*one))] += 1;
    }
    steps.iter().any(|count| count * 2 >= seed.len() - 1)
}

/// Whether the seed consists of words. At least two fifths of the pairs of neighbouring characters must be frequent pairs.
/// Pairs with a separator are not counted there, but the frequent pairs must also be at least one quarter of all pairs, because
/// a random text that is mostly punctuation has few other pairs.
fn is_words(seed: &[u8]) -> bool {
    let mut all = 0;
    let mut frequent = 0;
    for (one, next) in seed.iter().zip(&seed[1..]).filter(|(one, next)| !is_separator(**one) && !is_separator(**next)) {
        all += 1;
        // An upper-case letter after a lower-case letter begins a new word.
        let within = one.is_ascii_uppercase() || !next.is_ascii_uppercase();
        let pair = [one.to_ascii_lowercase(), next.to_ascii_lowercase()];
        frequent += usize::from(within && FREQUENT_PAIRS.contains(&&pair));
    }
    frequent * 5 >= all * 2 && frequent * 4 >= seed.len() - 1
}

/// Whitespace and punctuation, except the punctuation that base64 uses.
fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || (byte.is_ascii_punctuation() && !matches!(byte, b'+' | b'/' | b'='))
}

fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|char| char.is_control() && !char.is_whitespace()))
}

/// The bytes that the seed is the base64 or hexadecimal form of.
fn decodings(seed: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    [base64(&STANDARD, seed), base64(&URL_SAFE, seed), hexadecimal(seed)].into_iter().flatten()
}

fn base64(alphabet: &Alphabet, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, lenient).decode(text).ok().map(Zeroizing::new)
}

fn hexadecimal(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        bytes.push(byte(pair)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_random_seed_is_refused(random in any::<[u8; 32]>()) {
            let generated = crate::identity::seed::Seed::generate(&random);
            prop_assert_eq!(check(generated.as_bytes()), Ok(()));
            for text in [hex(&random), hex(&random).to_uppercase(), URL_SAFE_NO_PAD.encode(random)] {
                prop_assert_eq!(check(text.as_bytes()), Ok(()), "{}", text);
            }
            prop_assert_eq!(check(&random), Ok(()));
            // `openssl rand -hex 16`, `openssl rand -base64 24`
            for (bytes, text) in [(&random[..16], hex(&random[..16])), (&random[..24], STANDARD.encode(&random[..24]))] {
                let expected = if is_text(bytes) { Err(SeedError::Encoded) } else { Ok(()) };
                prop_assert_eq!(check(text.as_bytes()), expected, "{}", text);
            }
        }
    }

    /// A seed of 16 random bytes all of which are characters. It is refused because it looks like a text of 16 characters.
    #[test]
    fn few_random_bytes_that_are_characters_are_refused() {
        assert_eq!(check(hex(b"r#8V d\n~Q0z<\xc3\xa9K}:").as_bytes()), Err(SeedError::Encoded));
        assert_eq!(check(hex(b"r#8V d\x00~Q0z<\xc3\xa9K}:").as_bytes()), Ok(()));
    }

    /// The results for `text` itself, in base64, in hexadecimal, and in base64 of base64.
    fn refusals(text: &str) -> Vec<Result<(), SeedError>> {
        let once = STANDARD.encode(text);
        let all = [text.to_owned(), URL_SAFE_NO_PAD.encode(text), hex(text.as_bytes()), STANDARD.encode(&once), once];
        all.iter().map(|text| check(text.as_bytes())).collect()
    }

    #[test]
    fn what_people_write_is_refused_in_every_encoding() {
        for (text, error) in [
            ("hunter2hunter2hunter2hunter2hunter2", SeedError::Monotonous(7)),
            ("changeme-changeme-changeme-changeme-1", SeedError::Repetition),
            ("postgres1-postgres2-postgres3-postgres4", SeedError::Repetition),
            ("0123456789abcdefghijklmnopqrstuvwxyz", SeedError::Sequence),
            ("zyxwvutsrqponmlkjihgfedcba9876543210", SeedError::Sequence),
            ("abcdefghijklmnopqrstuvwxyz_my_secret", SeedError::Sequence),
            ("this is the seed of our database 42!", SeedError::Words(26)),
            ("ThisIsTheSecretSeedOfTheDatabase2026", SeedError::Words(32)),
            ("correct horse battery staple, 2026!", SeedError::Words(25)),
            ("internationalisation-administrators", SeedError::Words(34)),
            ("THE PRODUCTION DATABASE MASTER SECRET", SeedError::Words(33)),
        ] {
            let refusals = refusals(text);
            assert_eq!(refusals[0], Err(error), "{text}");
            assert!(refusals.iter().all(Result::is_err), "{text} {refusals:?}");
        }
    }

    #[test]
    fn the_encoding_of_a_short_string_or_of_repeated_bytes_is_refused() {
        for text in [
            STANDARD.encode("a short Xq9!zK-string 7"),
            STANDARD.encode("a short Xq9!zK-string 7").trim_end_matches('=').to_owned(),
            hex(b"Xq9!zK-string-7jW"),
            STANDARD.encode([0; 32]),
            STANDARD.encode([1, 2, 3, 4, 5, 6, 7, 8].repeat(4)),
            hex(&[b'A'; 32]),
            hex(&[0xde, 0xad, 0xbe, 0xef].repeat(8)),
            hex(&(0..32).collect::<Vec<u8>>()),
            STANDARD.encode((0..32).map(|number| number * 7).collect::<Vec<u8>>()),
        ] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn random_punctuation_passes() {
        for text in ["~:]{<^!*&(>;'|@%?$}#_+.,)-[=/\\\"`:", "the~:]{<^!*&(>;'|@%?$}#_+.,)-[=/"] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn eight_words_of_dice_pass() {
        for text in [
            "acorn-velvet-mumble-cobalt-seventy-quarrel-tiger-bookend",
            "gravel oxidize plywood stature thermal unicorn vessel wobbly",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }
}
