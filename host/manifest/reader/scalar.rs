//! What a scalar is, by the rules that Kubernetes' tools read YAML with.
//!
//! The YAML reader of kubectl and the API server is `sigs.k8s.io/yaml`, a go-yaml v2: YAML 1.1 with
//! Go's spelling of numbers. So `0644`, `0o644` and `0x1A4` are numbers, `0b101` too, `_` may stand
//! between digits, `yes no on off y n` are booleans, and what looks like a number but is none
//! (`1.2.3`, `12h`) is a string. Sexagesimal numbers and timestamps are strings.

/// A scalar, its text, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// The text as written, escapes and folding done.
    pub(crate) text: String,
    /// What it is read as.
    pub(crate) meaning: Meaning,
}

/// What a scalar is read as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    /// Wide enough for both signed and unsigned 64 bits.
    Int(i128),
    Float(f64),
    Str,
}

impl Scalar {
    /// A string, whatever it looks like: a quoted scalar, a block scalar, `!!str`.
    pub(crate) fn string(text: String) -> Self {
        Self {
            text,
            meaning: Meaning::Str,
        }
    }

    /// A plain scalar.
    pub(crate) fn plain(text: String) -> Self {
        let meaning = resolve(&text);
        Self { text, meaning }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        (self.meaning == Meaning::Str).then_some(self.text.as_str())
    }

    pub(crate) fn is_null(&self) -> bool {
        self.meaning == Meaning::Null
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self.meaning {
            Meaning::Null => "null",
            Meaning::Bool(_) => "a boolean",
            Meaning::Int(_) | Meaning::Float(_) => "a number",
            Meaning::Str => "a string",
        }
    }

    /// The value as a message prints it: strings in quotes, booleans as Kubernetes understood them.
    pub(crate) fn display(&self) -> String {
        match self.meaning {
            Meaning::Null => "null".to_owned(),
            Meaning::Bool(value) => value.to_string(),
            Meaning::Int(value) => value.to_string(),
            Meaning::Float(_) => self.text.clone(),
            Meaning::Str => format!("{:?}", self.text),
        }
    }

    /// The text of a mapping key; null has none.
    pub(crate) fn into_key(self) -> Option<String> {
        match self.meaning {
            Meaning::Null => None,
            Meaning::Bool(value) => Some(value.to_string()),
            Meaning::Int(value) => Some(value.to_string()),
            Meaning::Float(_) | Meaning::Str => Some(self.text),
        }
    }
}

/// What a plain scalar means.
pub(crate) fn resolve(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Meaning::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Meaning::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Meaning::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Meaning::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Meaning::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Meaning::Str;
    }
    let digits = text.replace('_', "");
    if let Some(value) = parse_int(&digits) {
        return Meaning::Int(value);
    }
    if is_float(&digits) {
        return digits.parse().map_or(Meaning::Str, Meaning::Float);
    }
    Meaning::Str
}

/// An integer as Go's `strconv.ParseInt(text, 0, 64)` and `ParseUint` read it.
fn parse_int(text: &str) -> Option<i128> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if magnitude.starts_with(['+', '-']) {
        return None;
    }
    let lower = magnitude.to_ascii_lowercase();
    let (digits, radix) = if let Some(hex) = lower.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (lower.as_str(), 8)
    } else {
        (lower.as_str(), 10)
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    let fits = i64::try_from(value).is_ok() || u64::try_from(value).is_ok();
    fits.then_some(value)
}

/// go-yaml's float: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_holds =
        all_digits(whole) && all_digits(fraction) && (!whole.is_empty() || !fraction.is_empty());
    let exponent_holds = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['+', '-']).unwrap_or(e);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_holds && exponent_holds
}

#[cfg(test)]
mod tests {
    use super::{Meaning, resolve};

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("0", 0),
            ("0644", 0o644),
            ("01777", 0o1777),
            ("0o644", 0o644),
            ("0x1F", 31),
            ("0b101", 5),
            ("-12", -12),
            ("+12", 12),
            ("1_000", 1000),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(resolve(text), Meaning::Int(value), "{text}");
        }
    }

    #[test]
    fn what_go_reads_as_a_float_is_one() {
        for (text, value) in [
            ("1.5", 1.5),
            ("089", 89.0),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
        ] {
            assert_eq!(resolve(text), Meaning::Float(value), "{text}");
        }
    }

    #[test]
    fn words_of_yaml_1_1_are_booleans_and_nulls() {
        for text in ["yes", "on", "y", "True", "YES"] {
            assert_eq!(resolve(text), Meaning::Bool(true), "{text}");
        }
        for text in ["no", "off", "N", "FALSE"] {
            assert_eq!(resolve(text), Meaning::Bool(false), "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(resolve(text), Meaning::Null, "{text}");
        }
    }

    #[test]
    fn the_rest_are_strings() {
        for text in [
            "1.2.3",
            "12h",
            "2001-01-01",
            "1:30",
            "nUll",
            "tRue",
            "-",
            "+",
            ".",
            "--1",
            "0x",
            "e3",
            "1e",
            "0b2",
        ] {
            assert_eq!(resolve(text), Meaning::Str, "{text}");
        }
    }
}
