//! Decides which numbers are integers.

use serde_json::Number;

/// Returns the integer that the server receives for a JSON number. `5432`, `5432.0` and `5.432e3` are the same, because Go
/// writes a float without a fraction as an integer. A number that does not fit into 64 bits is not an integer.
pub(crate) fn integer(number: &Number) -> Option<i64> {
    /// 2^63, the first float that does not fit into an `i64`. It is exact.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;

    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|_| number.is_f64())?;
        let whole = float.fract() == 0.0 && (-LIMIT..LIMIT).contains(&float);
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
        whole.then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<i64> {
        integer(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_float_without_a_fraction_is_an_integer() {
        assert_eq!(of("5432"), Some(5432));
        assert_eq!(of("5432.0"), Some(5432));
        assert_eq!(of("5.432e3"), Some(5432));
        assert_eq!(of("1e16"), Some(10_000_000_000_000_000));
        assert_eq!(of("-1.0"), Some(-1));
        assert_eq!(of("1.5"), None);
        assert_eq!(of("1e-3"), None);
    }

    #[test]
    fn sixty_four_bits_are_the_limit() {
        assert_eq!(of("9223372036854775807"), Some(i64::MAX));
        assert_eq!(of("9223372036854775808"), None);
        assert_eq!(of("1e20"), None);
    }
}
