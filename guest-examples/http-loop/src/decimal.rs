//! Numbers as text, appended to a buffer without an allocation.

/// Appends `value` in decimal.
pub fn push_decimal(out: &mut Vec<u8>, value: u64) {
    push_digits(out, value, 10, 1);
}

/// Appends `value` in decimal with at least two digits, as clocks show it.
pub fn push_two_digits(out: &mut Vec<u8>, value: u64) {
    push_digits(out, value, 10, 2);
}

/// Appends `value` in lower-case hexadecimal.
pub fn push_hex(out: &mut Vec<u8>, value: u64) {
    push_digits(out, value, 16, 1);
}

fn push_digits(out: &mut Vec<u8>, mut value: u64, radix: u64, least: usize) {
    // 20 digits hold u64::MAX in decimal.
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        if value == 0 && used >= least {
            break;
        }
        let digit = u8::try_from(value % radix).unwrap_or(0);
        *slot = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + (digit - 10)
        };
        value /= radix;
        used += 1;
    }
    let start = digits.len().saturating_sub(used);
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Reads a decimal number: digits only, no sign, nothing around it; `None` also when it exceeds `u64`.
#[must_use]
pub fn parse_decimal(text: &[u8]) -> Option<u64> {
    parse_digits(text, 10)
}

/// Reads a hexadecimal number of either case, as chunk sizes have it.
#[must_use]
pub fn parse_hex(text: &[u8]) -> Option<u64> {
    parse_digits(text, 16)
}

fn parse_digits(text: &[u8], radix: u32) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        value
            .checked_mul(u64::from(radix))?
            .checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_the_standard_library_prints_them() {
        for value in [0, 1, 9, 10, 99, 100, 65_535, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, value);
            out.push(b' ');
            push_hex(&mut out, value);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("{value} {value:x}")
            );
        }
        let mut out = Vec::new();
        push_two_digits(&mut out, 7);
        push_two_digits(&mut out, 12);
        assert_eq!(out, b"0712");
    }

    #[test]
    fn only_plain_digits_are_numbers() {
        assert_eq!(parse_decimal(b"1023"), Some(1023));
        assert_eq!(parse_hex(b"fF"), Some(255));
        for bad in [
            &b""[..],
            b"+1",
            b"-1",
            b" 1",
            b"1 ",
            b"0x1",
            b"18446744073709551616",
        ] {
            assert_eq!(parse_decimal(bad), None, "{bad:?}");
        }
    }
}
