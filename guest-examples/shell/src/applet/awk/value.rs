//! Values: a text, a number, or a text that came from outside and may look like a number.

use crate::applet::sort::number;
use crate::builtin::printf::general;
use std::cmp::Ordering;

/// A value.
#[derive(Clone, Debug, Default)]
pub(super) enum Value {
    /// Of a variable that was never set: "" and 0.
    #[default]
    Unset,
    /// A number.
    Number(f64),
    /// A text of the program.
    Text(String),
    /// A text from input that looks like a number.
    Numeric(String, f64),
}

impl Value {
    /// What comes from outside: a field, an argument, a variable of the environment.
    pub(super) fn from_input(text: String) -> Self {
        let trimmed = text.trim();
        let looks = !trimmed.is_empty()
            && trimmed.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && trimmed.ends_with(|c: char| c.is_ascii_digit() || c == '.');
        match trimmed.parse::<f64>() {
            Ok(number) if looks => Self::Numeric(text, number),
            _ => Self::Text(text),
        }
    }

    /// As a truth value.
    pub(super) fn from_bool(holds: bool) -> Self {
        Self::Number(f64::from(u8::from(holds)))
    }

    /// As a number.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Unset => 0.0,
            Self::Number(number) | Self::Numeric(_, number) => *number,
            Self::Text(text) => number(text),
        }
    }

    /// As a text, numbers in the form of `CONVFMT`'s default.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unset => String::new(),
            Self::Number(number) => format_number(*number),
            Self::Text(text) | Self::Numeric(text, _) => text.clone(),
        }
    }

    /// Whether a condition holds.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Number(number) | Self::Numeric(_, number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    /// As numbers when both are, else as texts.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        if matches!(self, Self::Text(_)) || matches!(other, Self::Text(_)) {
            return self.text().cmp(&other.text());
        }
        self.number()
            .partial_cmp(&other.number())
            .unwrap_or(Ordering::Equal)
    }
}

/// Integers without a point, others with six digits (`%.6g`).
pub(super) fn format_number(number: f64) -> String {
    // Up to 2^53 a float holds every integer.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        // There is no "-0".
        return if number == 0.0 {
            "0".into()
        } else {
            format!("{number:.0}")
        };
    }
    if number.is_finite() {
        format!(
            "{}{}",
            if number < 0.0 { "-" } else { "" },
            general(number.abs(), 6, false)
        )
    } else {
        format!("{number}").to_lowercase()
    }
}
