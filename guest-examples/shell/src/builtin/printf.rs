//! `printf` (XCU printf): the format is used again while arguments are left.

use crate::applet::{Call, Fail, Outcome};
use crate::escape::{Style, unescape};

/// A field as wide as this at most: a wider one would only fill memory.
const MAX_WIDTH: usize = 65_536;

/// `printf [-v name] format [argument…]`.
pub async fn printf(call: &mut Call<'_>) -> Outcome {
    let variable =
        (call.args.first().is_some_and(|arg| arg == "-v") && call.args.len() > 2).then(|| {
            call.args.remove(0);
            call.args.remove(0)
        });
    if call.args.first().is_some_and(|arg| arg == "--") {
        call.args.remove(0);
    }
    if call.args.is_empty() {
        return Err(Fail::usage("usage: printf format [arguments]"));
    }
    let format = call.args.remove(0);
    let mut errors = Vec::new();
    let output = format_all(&format, &call.args, &mut errors);
    match variable {
        Some(name) => call
            .shell
            .set(&name, String::from_utf8_lossy(&output).into_owned())
            .map_err(Fail::new)?,
        None => call.put(output).await?,
    }
    for error in &errors {
        call.warn(error).await?;
    }
    Ok(i32::from(!errors.is_empty()))
}

/// The output of a format with its arguments; what is wrong goes to `errors`. Also awk's printf.
pub fn format_all(format: &str, args: &[String], errors: &mut Vec<String>) -> Vec<u8> {
    let mut output = Vec::new();
    let mut rest = args.iter();
    loop {
        let before = rest.len();
        if format_once(format, &mut rest, &mut output, errors)
            || rest.len() == 0
            || rest.len() == before
        {
            return output;
        }
    }
}

/// One pass over the format; true when `\c` ended it.
fn format_once(
    format: &str,
    args: &mut std::slice::Iter<'_, String>,
    output: &mut Vec<u8>,
    errors: &mut Vec<String>,
) -> bool {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        output.extend(unescape(&rest[..at], Style::Quote).0);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            output.push(b'%');
            rest = after;
            continue;
        }
        let mut spec = Spec::default();
        rest = spec.read(rest, args);
        let Some(conversion) = rest.chars().next() else {
            errors.push("missing format character".into());
            return true;
        };
        rest = &rest[conversion.len_utf8()..];
        let arg = args.next().map(String::as_str);
        match conversion {
            'b' => {
                let (bytes, ended) = unescape(arg.unwrap_or_default(), Style::Echo);
                output.extend(
                    spec.pad(String::from_utf8_lossy(&bytes).into_owned(), false)
                        .into_bytes(),
                );
                if ended {
                    return true;
                }
            }
            'q' => output.extend(
                spec.pad(crate::exec::command::quote(arg.unwrap_or_default()), false)
                    .into_bytes(),
            ),
            _ => output.extend(spec.convert(conversion, arg, errors).into_bytes()),
        }
    }
    output.extend(unescape(rest, Style::Quote).0);
    false
}

/// Flags, width and precision of one conversion.
#[derive(Default)]
pub struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    /// Reads what stands between `%` and the conversion; gives what follows.
    pub fn read<'f>(
        &mut self,
        format: &'f str,
        args: &mut std::slice::Iter<'_, String>,
    ) -> &'f str {
        let mut rest = format;
        while let Some(flag) = rest.chars().next().filter(|c| "-0+ #".contains(*c)) {
            match flag {
                '-' => self.left = true,
                '0' => self.zero = true,
                '+' => self.plus = true,
                ' ' => self.space = true,
                _ => self.alternate = true,
            }
            rest = &rest[1..];
        }
        let mut number = |rest: &mut &str| -> i64 {
            if let Some(after) = rest.strip_prefix('*') {
                *rest = after;
                return args
                    .next()
                    .and_then(|arg| arg.parse().ok())
                    .unwrap_or_default();
            }
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let value = rest[..digits].parse().unwrap_or_default();
            *rest = &rest[digits..];
            value
        };
        let width = number(&mut rest);
        self.left |= width < 0;
        self.width = usize::try_from(width.unsigned_abs())
            .unwrap_or(MAX_WIDTH)
            .min(MAX_WIDTH);
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            self.precision = usize::try_from(number(&mut rest))
                .ok()
                .map(|precision| precision.min(MAX_WIDTH));
        }
        rest.trim_start_matches(['l', 'h', 'j', 'z', 't', 'L'])
    }

    /// One converted argument.
    pub fn convert(&self, conversion: char, arg: Option<&str>, errors: &mut Vec<String>) -> String {
        let arg = arg.unwrap_or_default();
        match conversion {
            's' => {
                let text = match self.precision {
                    Some(precision) => arg.chars().take(precision).collect(),
                    None => arg.to_owned(),
                };
                self.pad(text, false)
            }
            'c' => self.pad(arg.chars().take(1).collect(), false),
            'd' | 'i' => {
                let value = integer(arg, errors);
                let digits = self.digits(value.unsigned_abs().to_string());
                self.pad(
                    format!("{}{digits}", self.sign(value < 0)),
                    self.precision.is_none(),
                )
            }
            'u' => self.pad(
                self.digits(integer(arg, errors).cast_unsigned().to_string()),
                self.precision.is_none(),
            ),
            'o' => self.pad(self.digits(format!("{:o}", integer(arg, errors))), true),
            'x' => self.pad(
                format!(
                    "{}{}",
                    if self.alternate { "0x" } else { "" },
                    self.digits(format!("{:x}", integer(arg, errors)))
                ),
                true,
            ),
            'X' => self.pad(
                format!(
                    "{}{}",
                    if self.alternate { "0X" } else { "" },
                    self.digits(format!("{:X}", integer(arg, errors)))
                ),
                true,
            ),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let value: f64 = if arg.is_empty() {
                    0.0
                } else {
                    arg.trim().parse().unwrap_or_else(|_| {
                        errors.push(format!("{arg}: expected numeric value"));
                        0.0
                    })
                };
                self.float(conversion, value)
            }
            other => {
                errors.push(format!("%{other}: invalid conversion"));
                String::new()
            }
        }
    }

    /// A number with a decimal point or an exponent.
    pub fn float(&self, conversion: char, value: f64) -> String {
        let precision = self.precision.unwrap_or(6);
        let magnitude = value.abs();
        let digits = match conversion.to_ascii_lowercase() {
            _ if !value.is_finite() => if value.is_nan() { "nan" } else { "inf" }.to_owned(),
            'f' => format!("{magnitude:.precision$}"),
            'e' => exponent(magnitude, precision),
            _ => general(magnitude, precision.max(1), self.alternate),
        };
        let digits = if conversion.is_ascii_uppercase() {
            digits.to_uppercase()
        } else {
            digits
        };
        self.pad(
            format!(
                "{}{digits}",
                self.sign(value.is_sign_negative() && !value.is_nan())
            ),
            value.is_finite(),
        )
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (.., true) => " ",
            _ => "",
        }
    }

    fn digits(&self, digits: String) -> String {
        let least = self.precision.unwrap_or(1);
        format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())))
    }

    fn pad(&self, text: String, numeric: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if missing == 0 {
            text
        } else if self.left {
            text + &" ".repeat(missing)
        } else if self.zero && numeric {
            let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
            format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
        } else {
            " ".repeat(missing) + &text
        }
    }
}

/// The value of an integer operand: decimal, octal, hexadecimal, or a quote and a character.
fn integer(arg: &str, errors: &mut Vec<String>) -> i64 {
    let text = arg.trim_start();
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return quoted.chars().next().map_or(0, |c| i64::from(u32::from(c)));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => (16, hex),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits
        .find(|c: char| !c.is_digit(base))
        .unwrap_or(digits.len());
    if end < digits.len() || (digits.is_empty() && !arg.is_empty()) {
        errors.push(format!("{arg}: expected numeric value"));
    }
    i64::from_str_radix(&digits[..end], base)
        .unwrap_or(if end == 0 { 0 } else { i64::MAX })
        .wrapping_mul(sign)
}

/// `%e`: C wants a sign and at least two digits in the exponent.
fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%g`: the shorter form, without zeros at the end.
pub fn general(value: f64, precision: usize, keep_zeros: bool) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let rounded = exponent(value, precision - 1);
    let power: i64 = rounded
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or_default();
    let significant = i64::try_from(precision).unwrap_or(i64::MAX);
    let strip = |text: &str| match text.contains('.') && !keep_zeros {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= significant {
        let (mantissa, power) = rounded.split_once('e').unwrap_or((&rounded, "+00"));
        return format!("{}e{power}", strip(mantissa));
    }
    let decimals = usize::try_from(significant - 1 - power).unwrap_or_default();
    strip(&format!("{value:.decimals$}"))
}
