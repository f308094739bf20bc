//! Quantities: `500m`, `1Gi`, `1e3`. Exact, and printed in upstream's canonical form.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// How a quantity was written, which decides how it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `k`, `M`, `m` …
    #[default]
    DecimalSi,
    /// `Ki`, `Mi` …
    BinarySi,
    /// `e3`
    DecimalExponent,
}

/// Why a quantity could not be read; the texts are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not of the form of a number with a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// A suffix that means nothing.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// Digits that are no number.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
}

const NANOS: i128 = 1_000_000_000;
/// Upstream caps all quantities at this many whole units.
const MAX: i128 = i64::MAX as i128 * NANOS;

/// An exact number of billionths, at most 2^63-1 whole units either way. Two quantities are equal when their
/// numbers are, however they were written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// None.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: Format::DecimalSi,
    };

    /// Whole units.
    pub const fn of(value: i64, format: Format) -> Self {
        Self {
            nanos: value as i128 * NANOS,
            format,
        }
    }

    /// Thousandths.
    pub const fn of_milli(value: i64) -> Self {
        Self {
            nanos: value as i128 * (NANOS / 1000),
            format: Format::DecimalSi,
        }
    }

    /// Reads text.
    ///
    /// # Errors
    /// Upstream's texts.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let (is_negative, digits) = match text.as_bytes().first() {
            None => return Err(QuantityError::Format),
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            Some(_) => (false, text),
        };
        let (whole, rest) = split_digits(digits);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        let scale = Scale::of(suffix)?;
        let (nanos, format) = match scale {
            Scale::Ten(power, format) => (decimal(whole, fraction, power), format),
            // A fraction of one is shown in decimal, as upstream does.
            Scale::Two(power) => match binary(whole, fraction, power) {
                nanos if nanos > 0 && nanos < NANOS => (nanos, Format::DecimalSi),
                nanos => (nanos, Format::BinarySi),
            },
        };
        Ok(Self {
            nanos: if is_negative { -nanos } else { nanos },
            format,
        })
    }

    /// Reads what JSON has: text or a number; `null` is zero, as upstream decodes it.
    ///
    /// # Errors
    /// When the text, or the text of any other value, is no quantity.
    pub fn from_json(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::Null => Ok(Self::ZERO),
            Value::String(text) => Self::parse(text.trim()),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => Err(QuantityError::Format),
        }
    }

    /// Whole units, rounded away from zero.
    pub fn value(&self) -> i64 {
        self.scaled(NANOS)
    }

    /// Thousandths, rounded away from zero, at most what fits.
    pub fn milli_value(&self) -> i64 {
        self.scaled(NANOS / 1000)
    }

    /// The same, rounded up to thousandths, as upstream defaults resource lists.
    #[must_use]
    pub fn rounded_to_milli(self) -> Self {
        let unit = NANOS / 1000;
        let rest = self.nanos % unit;
        let up = if rest == 0 { 0 } else { unit * self.nanos.signum() };
        Self {
            nanos: (self.nanos - rest + up).clamp(-MAX, MAX),
            format: self.format,
        }
    }

    /// Billionths.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// How it is printed.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// The sign: -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.nanos.signum() as i32
    }

    fn scaled(&self, unit: i128) -> i64 {
        let up = if self.nanos % unit == 0 {
            0
        } else {
            self.nanos.signum()
        };
        let clamped = (self.nanos / unit + up).clamp(i64::MIN.into(), i64::MAX.into());
        i64::try_from(clamped).unwrap_or_default()
    }

    /// Zero takes over the other's way of being written, as upstream has it.
    fn with(self, nanos: i128, other: Self) -> Self {
        Self {
            nanos: nanos.clamp(-MAX, MAX),
            format: if self.is_zero() { other.format } else { self.format },
        }
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(self.nanos + other.nanos, other)
    }
}

impl std::ops::AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(self.nanos - other.nanos, other)
    }
}

impl std::ops::SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, |sum, next| sum + next)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl From<i64> for Quantity {
    fn from(value: i64) -> Self {
        Self::of(value, Format::DecimalSi)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        Value::String(quantity.to_string())
    }
}

/// Upstream's canonical form: the largest suffix with which the number stays whole.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        let is_whole = self.nanos % NANOS == 0;
        if self.format == Format::BinarySi && is_whole && self.nanos.abs() >= 1024 * NANOS {
            let (number, power) = reduced(self.nanos / NANOS, 1024, 0);
            let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            return write!(f, "{number}{}", suffix.get(power as usize).unwrap_or(&""));
        }
        let (number, power) = reduced(self.nanos, 1000, -3);
        if self.format == Format::DecimalExponent {
            return match power {
                0 => write!(f, "{number}"),
                _ => write!(f, "{number}e{}", power * 3),
            };
        }
        let suffix = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        write!(f, "{number}{}", suffix.get((power + 3) as usize).unwrap_or(&""))
    }
}

/// Divides by `base` as long as that leaves no rest; counts from `power`.
fn reduced(mut number: i128, base: i128, mut power: i32) -> (i128, i32) {
    while number % base == 0 {
        number /= base;
        power += 1;
    }
    (number, power)
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// What a suffix multiplies with.
enum Scale {
    Ten(i64, Format),
    Two(u32),
}

impl Scale {
    fn of(suffix: &str) -> Result<Self, QuantityError> {
        let letters = suffix
            .find(|c: char| !"eEinumkKMGTP".contains(c))
            .unwrap_or(suffix.len());
        let exponent = suffix.get(letters..).unwrap_or_default();
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        Ok(match suffix {
            "n" => Self::Ten(-9, Format::DecimalSi),
            "u" => Self::Ten(-6, Format::DecimalSi),
            "m" => Self::Ten(-3, Format::DecimalSi),
            "" => Self::Ten(0, Format::DecimalSi),
            "k" => Self::Ten(3, Format::DecimalSi),
            "M" => Self::Ten(6, Format::DecimalSi),
            "G" => Self::Ten(9, Format::DecimalSi),
            "T" => Self::Ten(12, Format::DecimalSi),
            "P" => Self::Ten(15, Format::DecimalSi),
            "E" => Self::Ten(18, Format::DecimalSi),
            "Ki" => Self::Two(10),
            "Mi" => Self::Two(20),
            "Gi" => Self::Two(30),
            "Ti" => Self::Two(40),
            "Pi" => Self::Two(50),
            "Ei" => Self::Two(60),
            _ => {
                let power = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
                let power: i64 = power.parse().map_err(|_| QuantityError::Suffix)?;
                Self::Ten(power.clamp(-1_000_000, 1_000_000), Format::DecimalExponent)
            }
        })
    }
}

/// `whole.fraction × 10^power` in billionths, rounded up, capped.
fn decimal(whole: &str, fraction: &str, power: i64) -> i128 {
    let digits = || {
        whole
            .bytes()
            .chain(fraction.bytes())
            .map(|b| i128::from(b - b'0'))
    };
    // How many digits stand before the billionths' point.
    let kept = whole.len() as i64 + power + 9;
    let mut nanos: i128 = 0;
    for digit in digits().take(usize::try_from(kept).unwrap_or_default()) {
        nanos = nanos * 10 + digit;
        if nanos > MAX {
            return MAX;
        }
    }
    let missing = kept - (whole.len() + fraction.len()) as i64;
    for _ in 0..missing.max(0) {
        nanos *= 10;
        if nanos == 0 || nanos > MAX {
            return nanos.min(MAX);
        }
    }
    let is_cut = digits()
        .skip(usize::try_from(kept).unwrap_or_default())
        .any(|d| d != 0);
    (nanos + i128::from(is_cut)).min(MAX)
}

/// `whole.fraction × 2^power` in billionths, rounded up, capped. Digits behind the 18th of the fraction are
/// less than a billionth of the largest unit's rounding and only round up.
fn binary(whole: &str, fraction: &str, power: u32) -> i128 {
    const FRACTION_DIGITS: usize = 18;
    const FRACTION_UNIT: i128 = 1_000_000_000_000_000_000;
    let units = whole.bytes().try_fold(0_i128, |sum, b| {
        let next = sum * 10 + i128::from(b - b'0');
        (next <= i128::from(i64::MAX)).then_some(next)
    });
    let Some(units) = units else {
        return MAX;
    };
    let padded = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(FRACTION_DIGITS);
    let part = padded.fold(0_i128, |sum, b| sum * 10 + i128::from(b - b'0'));
    let is_cut = fraction.bytes().skip(FRACTION_DIGITS).any(|b| b != b'0');
    let scaled = (part << power) + i128::from(is_cut);
    let units = (units << power) + scaled / FRACTION_UNIT;
    if units >= i128::from(i64::MAX) {
        return MAX;
    }
    let rest = (scaled % FRACTION_UNIT) * NANOS;
    units * NANOS + rest / FRACTION_UNIT + i128::from(rest % FRACTION_UNIT != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn prints_the_canonical_form() {
        for (text, canonical) in [
            ("0", "0"),
            ("0.0Gi", "0"),
            ("1", "1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.", "1"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.1", "100m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000Ki", "1000Ki"),
            ("1024", "1024"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("12000000", "12M"),
            ("1e3", "1e3"),
            ("1000e0", "1e3"),
            ("100e-3", "100e-3"),
            ("1E3", "1e3"),
            ("1E", "1E"),
            ("1n", "1n"),
            ("0.1n", "1n"),
            ("1u", "1u"),
            ("0.0000001", "100n"),
            ("-0.5", "-500m"),
            ("+1", "1"),
            ("0.5Ki", "512"),
            ("0.5Mi", "512Ki"),
            ("0.0001Ki", "102400u"),
            ("100Ei", "9223372036854775807"),
            ("1e50", "9223372036854775807e0"),
            ("1e-50", "1e-9"),
            ("0001", "1"),
            ("3.0", "3"),
            ("128974848", "128974848"),
            ("129e6", "129e6"),
            ("123Mi", "123Mi"),
            ("1023", "1023"),
            ("1Ki", "1Ki"),
            ("-1Gi", "-1Gi"),
            ("Mi", "0"),
        ] {
            let canonical = canonical.strip_suffix("e0").unwrap_or(canonical);
            assert_eq!(Quantity::parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn refuses_with_upstream_words() {
        let format =
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
        for (text, expect) in [
            ("", format),
            ("abc", format),
            ("1 ", format),
            ("1.2.3", format),
            ("1K", "unable to parse quantity's suffix"),
            ("1mm", "unable to parse quantity's suffix"),
            ("1e", "unable to parse quantity's suffix"),
            ("1Gi5", "unable to parse quantity's suffix"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap_err().to_string(), expect, "{text}");
        }
        assert_eq!(Quantity::from_json(&json!(true)), Err(QuantityError::Format));
        assert_eq!(Quantity::from_json(&json!(2)).unwrap().to_string(), "2");
        assert_eq!(Quantity::from_json(&json!(0.25)).unwrap().to_string(), "250m");
    }

    #[test]
    fn counts_and_compares() {
        let parse = |text| Quantity::parse(text).unwrap();
        assert_eq!(parse("1Gi").value(), 1 << 30);
        assert_eq!(parse("1m").value(), 1);
        assert_eq!(parse("1500u").milli_value(), 2);
        assert_eq!(parse("-1500m").value(), -2);
        assert_eq!((parse("1Gi") + parse("512Mi")).to_string(), "1536Mi");
        assert_eq!((Quantity::ZERO + parse("1Ki")).to_string(), "1Ki");
        assert_eq!((parse("1") - parse("100m")).to_string(), "900m");
        assert_eq!(parse("1n").rounded_to_milli().to_string(), "1m");
        assert!(parse("1Gi") > parse("1G"));
        assert_eq!(parse("1000m"), parse("1"));
    }

    proptest! {
        #[test]
        fn the_canonical_form_reads_back_as_itself(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,22})?([numkMGTPE]|[KMGTPE]i|e-?[0-9]{1,3})?") {
            if let Ok(quantity) = Quantity::parse(&text) {
                let canonical = quantity.to_string();
                let again = Quantity::parse(&canonical).unwrap();
                prop_assert_eq!(again, quantity);
                prop_assert_eq!(again.to_string(), canonical);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = Quantity::parse(&text);
        }
    }
}
