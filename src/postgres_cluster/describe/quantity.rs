//! Sums of quantities: `1Gi`, `500m`, `1e3`.

/// A sum, in billionths, which is the smallest unit of Kubernetes.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Sum(i128);

const ONE: i128 = 1_000_000_000;

/// The suffixes, with their values in billionths.
const SUFFIXES: [(&str, i128); 15] = [
    ("Ki", ONE << 10),
    ("Mi", ONE << 20),
    ("Gi", ONE << 30),
    ("Ti", ONE << 40),
    ("Pi", ONE << 50),
    ("Ei", ONE << 60),
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("k", ONE * 1_000),
    ("M", ONE * 1_000_000),
    ("G", ONE * 1_000_000_000),
    ("T", ONE * 1_000_000_000_000),
    ("P", ONE * 1_000_000_000_000_000),
    ("E", ONE * 1_000_000_000_000_000_000),
];

impl Sum {
    /// Reads a valid quantity. Digits below a billionth are rounded up, as in Kubernetes.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('+');
        let suffix = SUFFIXES.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)));
        let exponent =
            || text.split_once(['e', 'E']).and_then(|(number, power)| Some((number, power.parse::<i32>().ok()?)));
        let (number, unit) = match (suffix, exponent()) {
            (Some(found), _) => found,
            (None, Some((number, power @ -9..=18))) => (number, power_of_ten(power)),
            (None, _) => (text, ONE),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("0{whole}{part}").parse().ok()?;
        let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
        let value = digits.checked_mul(unit)?;
        Some(Self(value / scale + i128::from(value % scale != 0)))
    }

    /// This many times.
    pub(super) fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count.into()))
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Cores: `2` or `1500m`.
    pub(super) fn cores(self) -> String {
        let milli = self.0 / 1_000_000 + i128::from(self.0 % 1_000_000 != 0);
        if milli % 1_000 == 0 { (milli / 1_000).to_string() } else { format!("{milli}m") }
    }

    /// Bytes, in the largest unit that gives a whole number.
    pub(super) fn bytes(self) -> String {
        let bytes = self.0 / ONE + i128::from(self.0 % ONE != 0);
        let binary = ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"];
        let decimal = ["E", "P", "T", "G", "M", "k"];
        let unit = |name: &&str| SUFFIXES.iter().find(|(suffix, _)| suffix == name).map(|(_, unit)| unit / ONE);
        let fits = binary.iter().chain(&decimal).filter_map(|name| Some((name, unit(name)?)));
        let best = fits.filter(|(_, unit)| bytes > 0 && bytes % unit == 0).max_by_key(|(_, unit)| *unit);
        best.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
    }
}

fn power_of_ten(power: i32) -> i128 {
    10_i128.pow(u32::try_from(power + 9).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact() {
        let sum = |texts: &[&str]| texts.iter().filter_map(|text| Sum::of(text)).fold(Sum::default(), Sum::plus);
        for (texts, cores) in [
            (&["500m", "0.5"][..], "1"),
            (&["100m", "250m"], "350m"),
            (&["1e3"], "1000"),
            (&["1E-3"], "1m"),
            (&["100u"], "1m"),
            (&[], "0"),
        ] {
            assert_eq!(sum(texts).cores(), cores, "{texts:?}");
        }
        for (texts, bytes) in [
            (&["1Gi", "1Gi"][..], "2Gi"),
            (&["1Gi", "512Mi"], "1536Mi"),
            (&["1.5Gi"], "1536Mi"),
            (&["1G"], "1G"),
            (&["1000"], "1k"),
            (&["1001"], "1001"),
            (&["1E"], "1E"),
            (&["2Ti"], "2Ti"),
            (&["1m"], "1"),
        ] {
            assert_eq!(sum(texts).bytes(), bytes, "{texts:?}");
        }
        assert_eq!(sum(&["1Gi"]).times(3).bytes(), "3Gi");
        assert_eq!(Sum::of("x"), None);
    }
}
