//! Compares quantities: `1Gi`, `500m`, `1e3`.

/// Returns the number that a quantity means, or `None` if the text is not a quantity (Kubernetes' `resource.Quantity`). The
/// number is exact enough to compare two quantities.
pub(crate) fn value(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let suffix = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = suffix.unwrap_or((text, 1.0));
    Some(number.parse::<f64>().ok()? * factor).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_decimal_or_binary() {
        assert_eq!(value("1Gi"), Some(1_073_741_824.0));
        assert_eq!(value("1500m"), Some(1.5));
        assert_eq!(value("1e3"), Some(1000.0));
        assert_eq!(value("2E"), Some(2e18));
        assert_eq!(value("0.5"), Some(0.5));
        assert_eq!(value("x"), None);
    }
}
