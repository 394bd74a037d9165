//! Quantities as Kubernetes writes them: `128Mi`, `500m`, `1e3`, `0.5`.
//!
//! The grammar is that of apimachinery's `resource.Quantity`: a signed decimal number and one
//! suffix of the binary (`Ki Mi Gi Ti Pi Ei`) or decimal (`n u m k M G T P E`) series, or a decimal
//! exponent (`e3`, `E-2`). Values that do not come out even are rounded up, as Kubernetes rounds
//! them. This module keeps no original spelling: that is the manifest's text.

use thiserror::Error;

/// Digits that a number may have before and after its point together.
/// Source: ours; more cannot matter to a value of 64 bits. A longer one is [`QuantityError::Syntax`].
pub const MAX_DIGITS: usize = 36;

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// It does not follow the grammar.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Syntax,
    /// It is below zero where that has no meaning.
    #[error("must be greater than or equal to 0")]
    Negative,
    /// It does not fit into 64 bits.
    #[error("must be less than 2^64")]
    TooLarge,
}

/// A parsed quantity in thousandths, the smallest step that Kubernetes' resources are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount {
    milli: i128,
}

impl Amount {
    /// The value in thousandths of its unit; for CPU, millicores.
    #[must_use]
    pub const fn milli(self) -> i128 {
        self.milli
    }

    /// The value in whole units, rounded up.
    #[must_use]
    pub const fn ceil(self) -> i128 {
        let whole = self.milli.div_euclid(1000);
        if self.milli.rem_euclid(1000) == 0 {
            whole
        } else {
            whole + 1
        }
    }

    /// Whether the value has no fraction.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.milli.rem_euclid(1000) == 0
    }
}

/// Reads a quantity.
///
/// # Errors
/// [`QuantityError::Syntax`] when the text breaks the grammar.
///
/// ```
/// let half = wasmpod_manifest::quantity::parse("500m").unwrap();
/// assert_eq!(half.milli(), 500);
/// ```
pub fn parse(text: &str) -> Result<Amount, QuantityError> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let digits_end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(QuantityError::Syntax);
    }
    let (base, exponent) = suffix_scale(suffix).ok_or(QuantityError::Syntax)?;
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    if whole.len() + fraction.len() > MAX_DIGITS {
        return Err(QuantityError::Syntax);
    }
    let mut mantissa: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        mantissa = mantissa
            .checked_mul(10)
            .and_then(|m| m.checked_add(i128::from(digit - b'0')))
            .unwrap_or(i128::MAX);
    }
    // The value is mantissa * base * 10^power, in thousandths.
    let power = exponent - i32::try_from(fraction.len()).unwrap_or(i32::MAX) + 3;
    let scaled = mantissa.saturating_mul(base);
    let milli = if power >= 0 {
        let factor = 10_i128.checked_pow(power.unsigned_abs());
        if scaled == 0 {
            0
        } else {
            factor.map_or(i128::MAX, |f| scaled.saturating_mul(f))
        }
    } else {
        divide_away_from_zero(scaled, power.unsigned_abs())
    };
    Ok(Amount {
        milli: if negative { -milli } else { milli },
    })
}

/// Reads a number of bytes, rounded up to a whole one.
///
/// # Errors
/// What [`parse`] says, and [`QuantityError::Negative`] or [`QuantityError::TooLarge`].
///
/// ```
/// assert_eq!(wasmpod_manifest::quantity::parse_bytes("64Mi"), Ok(67_108_864));
/// ```
pub fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    non_negative(parse(text)?.ceil())
}

/// Reads an amount of CPU in millicores, rounded up.
///
/// # Errors
/// What [`parse`] says, and [`QuantityError::Negative`] or [`QuantityError::TooLarge`].
pub fn parse_millicores(text: &str) -> Result<u64, QuantityError> {
    non_negative(parse(text)?.milli())
}

fn non_negative(value: i128) -> Result<u64, QuantityError> {
    if value < 0 {
        return Err(QuantityError::Negative);
    }
    u64::try_from(value).map_err(|_| QuantityError::TooLarge)
}

fn divide_away_from_zero(value: i128, power: u32) -> i128 {
    match 10_i128.checked_pow(power) {
        Some(divisor) => value / divisor + i128::from(value % divisor != 0),
        None => i128::from(value != 0),
    }
}

/// The factor and the power of ten of a suffix.
fn suffix_scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => return decimal_exponent(suffix).map(|exponent| (1, exponent)),
    })
}

fn decimal_exponent(suffix: &str) -> Option<i32> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    // i8 bounds the power that is computed; every exponent beyond it is far outside 64 bits.
    digits.parse::<i8>().ok().map(i32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_has_its_factor() {
        for (text, milli) in [
            ("0", 0),
            ("1", 1_000),
            ("+1", 1_000),
            ("-1", -1_000),
            ("1.5", 1_500),
            (".5", 500),
            ("5.", 5_000),
            ("100m", 100),
            ("1n", 1),
            ("2000u", 2),
            ("1k", 1_000_000),
            ("1Ki", 1_024_000),
            ("1.5Gi", 1_610_612_736_000),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("1e-3", 1),
            ("1e+2", 100_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("0.0001", 1),
        ] {
            assert_eq!(parse(text).map(Amount::milli), Ok(milli), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "", ".", "-", "1.2.3", "1 Gi", "1GB", "1ki", "1KI", "Mi", "0x10", "1e", "e3", "1e999",
            "½", "1mm",
        ] {
            assert_eq!(parse(text), Err(QuantityError::Syntax), "{text}");
        }
    }

    #[test]
    fn bytes_are_rounded_up_and_held_within_64_bits() {
        assert_eq!(parse_bytes("0.5"), Ok(1));
        assert_eq!(parse_bytes("150M"), Ok(150_000_000));
        assert_eq!(parse_bytes("16E"), Ok(16_000_000_000_000_000_000));
        assert_eq!(parse_bytes("16Ei"), Err(QuantityError::TooLarge));
        assert_eq!(parse_bytes("1e100"), Err(QuantityError::TooLarge));
        assert_eq!(parse_bytes("-1"), Err(QuantityError::Negative));
    }

    #[test]
    fn millicores_are_thousandths() {
        assert_eq!(parse_millicores("0.1"), Ok(100));
        assert_eq!(parse_millicores("2"), Ok(2_000));
        assert_eq!(parse_millicores("1u"), Ok(1));
    }
}
