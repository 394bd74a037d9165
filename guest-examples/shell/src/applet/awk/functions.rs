//! The functions that awk has by itself.

use super::ast::Expr;
use super::run::{Leave, Machine};
use super::value::Value;
use crate::applet::date::format_time;
use crate::builtin::printf::format_all;
use std::time::{SystemTime, UNIX_EPOCH};

/// Their names.
pub(super) const NAMES: [&str; 24] = [
    "length", "substr", "index", "split", "sub", "gsub", "gensub", "match", "sprintf", "sin",
    "cos", "atan2", "exp", "log", "sqrt", "int", "rand", "srand", "tolower", "toupper", "system",
    "close", "systime", "strftime",
];

impl Machine {
    /// Calls one of [`NAMES`].
    pub(super) fn builtin(&mut self, name: &str, args: &[Expr]) -> Result<Value, Leave> {
        match (name, args) {
            ("length", [Expr::Name(array)]) if self.is_array(array) => {
                let array = self.array_name(array);
                return Ok(Value::Number(float(
                    self.arrays.get(&array).map_or(0, |elements| elements.len()),
                )));
            }
            ("split", [text, Expr::Name(array), rest @ ..]) => {
                let text = self.evaluate(text)?.text();
                let separator = match rest.first() {
                    Some(Expr::Regex(regex)) => regex.clone(),
                    Some(expr) => self.evaluate(expr)?.text(),
                    None => self.variable("FS").text(),
                };
                let parts = self.split(&text, &separator)?;
                let count = parts.len();
                let array = self.array_name(array);
                let elements = parts
                    .into_iter()
                    .enumerate()
                    .map(|(at, part)| ((at + 1).to_string(), Value::from_input(part)));
                self.arrays.insert(array, elements.collect());
                return Ok(Value::Number(float(count)));
            }
            ("sub" | "gsub", [regex, with, rest @ ..]) => {
                return self.substitute(name == "gsub", regex, with, rest.first());
            }
            _ => {}
        }
        if let ("match", [text, regex]) = (name, args) {
            let text = self.evaluate(text)?.text();
            let regex = self.regex_of(regex)?;
            let found = regex.find(&text);
            let start = found.map_or(0, |found| text[..found.start()].chars().count() + 1);
            let length = found.map_or(-1.0, |found| float(found.as_str().chars().count()));
            self.set_variable("RSTART", Value::Number(float(start)));
            self.set_variable("RLENGTH", Value::Number(length));
            return Ok(Value::Number(float(start)));
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(self.evaluate(arg)?);
        }
        let text = |at: usize| values.get(at).map(Value::text).unwrap_or_default();
        let number = |at: usize| values.get(at).map(Value::number).unwrap_or_default();
        Ok(match name {
            "length" => {
                let text = if values.is_empty() {
                    self.field(0).text()
                } else {
                    text(0)
                };
                Value::Number(float(text.chars().count()))
            }
            "substr" => {
                // Characters from round(m) to round(m + n), as far as there are any.
                let start = number(1).round_ties_even();
                let end = if values.len() > 2 {
                    start + number(2).round_ties_even()
                } else {
                    f64::INFINITY
                };
                let inside = |at: usize| float(at + 1) >= start && float(at + 1) < end;
                Value::Text(
                    text(0)
                        .chars()
                        .enumerate()
                        .filter(|(at, _)| inside(*at))
                        .map(|(_, c)| c)
                        .collect(),
                )
            }
            "index" => {
                let whole = text(0);
                Value::Number(
                    whole
                        .find(&text(1))
                        .map_or(0.0, |at| float(whole[..at].chars().count() + 1)),
                )
            }
            "gensub" => {
                let regex = self.regex(&text(0))?;
                let target = if values.len() > 3 {
                    text(3)
                } else {
                    self.field(0).text()
                };
                let all = text(2).starts_with(['g', 'G']);
                let wanted = if all { 1.0 } else { number(2).max(1.0) };
                let (mut result, mut end) = (String::new(), 0);
                for (at, found) in regex.captures_iter(&target).enumerate() {
                    let Some(whole) = found.get(0) else { break };
                    if all || (float(at + 1) - wanted).abs() < 0.5 {
                        result.push_str(&target[end..whole.start()]);
                        result.push_str(&crate::applet::sed::replacement(&text(1), &found));
                        end = whole.end();
                    }
                }
                Value::Text(result + &target[end..])
            }
            "sprintf" => {
                let args: Vec<String> = values.iter().skip(1).map(Value::text).collect();
                Value::Text(self.format(&text(0), &args))
            }
            "sin" => Value::Number(number(0).sin()),
            "cos" => Value::Number(number(0).cos()),
            "atan2" => Value::Number(number(0).atan2(number(1))),
            "exp" => Value::Number(number(0).exp()),
            "log" => Value::Number(number(0).ln()),
            "sqrt" => Value::Number(number(0).sqrt()),
            "int" => Value::Number(number(0).trunc()),
            "rand" => Value::Number(self.random()),
            "srand" => {
                let seed = if values.is_empty() { now() } else { number(0) };
                let before = std::mem::replace(&mut self.seed, seed);
                self.state = seed.to_bits() | 1;
                Value::Number(before)
            }
            "tolower" => Value::Text(text(0).to_lowercase()),
            "toupper" => Value::Text(text(0).to_uppercase()),
            "systime" => Value::Number(now()),
            "strftime" => {
                let format = if values.is_empty() {
                    "%a %b %e %H:%M:%S UTC %Y".into()
                } else {
                    text(0)
                };
                let time = if values.len() > 1 { number(1) } else { now() };
                Value::Text(format_time(
                    &format,
                    format!("{time:.0}").parse().unwrap_or(0),
                    0,
                ))
            }
            "close" => {
                let name = text(0);
                let known =
                    self.files.remove(&name).is_some() | self.readers.remove(&name).is_some();
                Value::Number(if known { 0.0 } else { -1.0 })
            }
            _ => {
                return Err(Leave::Error(format!(
                    "{name}: commands cannot be run from awk here"
                )));
            }
        })
    }

    /// printf's formats; what is no number is 0.
    pub(super) fn format(&mut self, format: &str, args: &[String]) -> String {
        // Unlike the utility, awk uses its format once; a float for %d is cut.
        let mut ignored = Vec::new();
        let args = integers_cut(format, args);
        let count = conversions(format);
        let bytes = format_all(format, args.get(..count).unwrap_or(&args), &mut ignored);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn substitute(
        &mut self,
        global: bool,
        regex: &Expr,
        with: &Expr,
        target: Option<&Expr>,
    ) -> Result<Value, Leave> {
        let regex = self.regex_of(regex)?;
        let with = self.evaluate(with)?.text();
        let whole = Expr::Field(Box::new(Expr::Number(0.0)));
        let target = target.unwrap_or(&whole);
        let text = self.evaluate(target)?.text();
        let (mut result, mut end, mut count) = (String::new(), 0, 0_usize);
        for found in regex.find_iter(&text) {
            result.push_str(&text[end..found.start()]);
            let mut chars = with.chars();
            while let Some(c) = chars.next() {
                match c {
                    '&' => result.push_str(found.as_str()),
                    '\\' => match chars.next() {
                        Some(next @ ('&' | '\\')) => result.push(next),
                        other => {
                            result.push('\\');
                            result.extend(other);
                        }
                    },
                    c => result.push(c),
                }
            }
            end = found.end();
            count += 1;
            if !global {
                break;
            }
        }
        if count > 0 {
            result.push_str(&text[end..]);
            self.assign(target, Value::Text(result))?;
        }
        Ok(Value::Number(float(count)))
    }

    fn random(&mut self) -> f64 {
        // Marsaglia's xorshift with 64 bits.
        let mut x = self.state;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.state = x;
        f64::from(u32::try_from(x >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A count as a number; those of a guest's memory are exact.
pub(super) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64().floor())
}

/// The conversion letters of a format, `*` among them.
fn letters(format: &str) -> Vec<char> {
    let mut letters = Vec::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            continue;
        }
        for c in chars.by_ref() {
            match c {
                '*' => letters.push('*'),
                '%' => break,
                c if c.is_ascii_alphabetic() => {
                    letters.push(c);
                    break;
                }
                _ => {}
            }
        }
    }
    letters
}

fn conversions(format: &str) -> usize {
    letters(format).len()
}

fn integers_cut(format: &str, args: &[String]) -> Vec<String> {
    let letters = letters(format);
    args.iter()
        .enumerate()
        .map(|(at, arg)| match letters.get(at) {
            Some('d' | 'i' | 'o' | 'x' | 'X' | 'u' | '*') => {
                format!("{:.0}", crate::applet::sort::number(arg).trunc())
            }
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G') => crate::applet::sort::number(arg).to_string(),
            Some('c') => match arg.parse::<f64>() {
                Ok(code) => format!("{code:.0}")
                    .parse()
                    .ok()
                    .and_then(char::from_u32)
                    .map_or(arg.clone(), String::from),
                Err(_) => arg.clone(),
            },
            _ => arg.clone(),
        })
        .collect()
}
