//! Numbers that may be given as percentages of something.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Where a percentage does not come out even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    Up,
    Down,
}

/// The number, or the percentage of `total`; 0 where it is neither.
pub(crate) fn scaled(value: &IntOrString, total: i64, rounding: Rounding) -> i64 {
    match value {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(text) => {
            let percent: i64 = text
                .strip_suffix('%')
                .and_then(|number| number.parse().ok())
                .unwrap_or_default();
            let product = percent.saturating_mul(total);
            match rounding {
                Rounding::Up => product.saturating_add(99).div_euclid(100),
                Rounding::Down => product.div_euclid(100),
            }
        }
    }
}
