//! Arithmetic expansion: the integer expressions of C (XCU 2.6.4) with bash's `**`, in 64 bits that wrap.

use crate::shell::Shell;

/// How deep parentheses and names whose values are expressions may nest.
const MAX_DEPTH: usize = 40;

/// The value of an expression; assignments in it change the shell's variables.
///
/// # Errors
/// The message: what is no expression, or a division by zero.
pub fn evaluate(shell: &mut Shell, text: &str) -> Result<i64, String> {
    evaluate_at(shell, text, 0)
}

fn evaluate_at(shell: &mut Shell, text: &str, depth: usize) -> Result<i64, String> {
    let mut evaluator = Evaluator {
        shell,
        text: text.as_bytes(),
        at: 0,
        depth,
        skip: 0,
    };
    if evaluator.peek().is_none() {
        return Ok(0);
    }
    let value = evaluator.comma()?;
    match evaluator.peek() {
        None => Ok(value),
        Some(_) => Err(evaluator.error()),
    }
}

struct Evaluator<'a> {
    shell: &'a mut Shell,
    text: &'a [u8],
    at: usize,
    depth: usize,
    /// Above 0 in a branch that is not taken: no assignment, no division by zero.
    skip: usize,
}

/// Binary operators with their precedence, longest first.
const BINARY: [(&str, u8); 18] = [
    ("||", 1),
    ("&&", 2),
    ("==", 6),
    ("!=", 6),
    ("<=", 7),
    (">=", 7),
    ("<<", 8),
    (">>", 8),
    ("**", 11),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
];

impl Evaluator<'_> {
    fn error(&self) -> String {
        format!(
            "arithmetic expression: syntax error: \"{}\"",
            String::from_utf8_lossy(self.text).trim()
        )
    }

    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, token: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(token.as_bytes());
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn comma(&mut self) -> Result<i64, String> {
        let mut value = self.ternary()?;
        while self.eat(",") {
            value = self.ternary()?;
        }
        Ok(value)
    }

    fn ternary(&mut self) -> Result<i64, String> {
        let condition = self.binary(1)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let yes = self.branch(condition == 0, Self::comma)?;
        if !self.eat(":") {
            return Err(self.error());
        }
        let no = self.branch(condition != 0, Self::ternary)?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn branch(
        &mut self,
        skip: bool,
        parse: fn(&mut Self) -> Result<i64, String>,
    ) -> Result<i64, String> {
        self.skip += usize::from(skip);
        let value = parse(self);
        self.skip -= usize::from(skip);
        value
    }

    fn operator(&mut self, lowest: u8) -> Option<(&'static str, u8)> {
        self.peek();
        let rest = &self.text[self.at..];
        let found = BINARY
            .iter()
            .chain([&("%", 10)])
            .find(|(token, _)| rest.starts_with(token.as_bytes()))?;
        // `a += 1`, `a <<= 1`: no binary operator, but an assignment, which only a name may have in front.
        let next = rest.get(found.0.len());
        let assigns =
            next == Some(&b'=') && !matches!(found.0, "==" | "!=" | "<=" | ">=" | "&&" | "||");
        (found.1 >= lowest && !assigns).then_some(*found)
    }

    fn binary(&mut self, lowest: u8) -> Result<i64, String> {
        let mut left = self.unary()?;
        while let Some((token, precedence)) = self.operator(lowest) {
            self.at += token.len();
            let skip = (token == "&&" && left == 0) || (token == "||" && left != 0);
            self.skip += usize::from(skip);
            // `**` binds to the right.
            let right = self.binary(if token == "**" {
                precedence
            } else {
                precedence + 1
            });
            self.skip -= usize::from(skip);
            left = self.apply(token, left, right?)?;
        }
        Ok(left)
    }

    fn apply(&self, token: &str, left: i64, right: i64) -> Result<i64, String> {
        let shift = u32::try_from(right & 63).unwrap_or_default();
        Ok(match token {
            "||" => i64::from(left != 0 || right != 0),
            "&&" => i64::from(left != 0 && right != 0),
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<<" => left.wrapping_shl(shift),
            ">>" => left.wrapping_shr(shift),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "**" => left
                .wrapping_pow(u32::try_from(right).map_err(|_| "exponent less than 0".to_owned())?),
            _ if right == 0 && self.skip > 0 => 0,
            _ if right == 0 => return Err("arithmetic expression: division by zero".into()),
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("arithmetic expression: nested too deeply".into());
        }
        let value = self.unary_at_depth();
        self.depth -= 1;
        value
    }

    fn unary_at_depth(&mut self) -> Result<i64, String> {
        for (token, step) in [("++", 1), ("--", -1)] {
            if self.eat(token) {
                let Some((name, index)) = self.name()? else {
                    // `--5` is `-(-5)`.
                    return self.unary();
                };
                let value = self.read(&name, index)?.wrapping_add(step);
                return self.assign(&name, index, value);
            }
        }
        if self.eat("!") {
            return Ok(i64::from(self.unary()? == 0));
        }
        if self.eat("~") {
            return Ok(!self.unary()?);
        }
        if self.eat("-") {
            return Ok(self.unary()?.wrapping_neg());
        }
        if self.eat("+") {
            return self.unary();
        }
        if self.eat("(") {
            let value = self.comma()?;
            return if self.eat(")") {
                Ok(value)
            } else {
                Err(self.error())
            };
        }
        if let Some((name, index)) = self.name()? {
            return self.variable(&name, index);
        }
        self.number()
    }

    /// A name, and the index behind it.
    fn name(&mut self) -> Result<Option<(String, Option<usize>)>, String> {
        if !self
            .peek()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        {
            return Ok(None);
        }
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_')
        {
            self.at += 1;
        }
        let name = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        if self.text.get(self.at) != Some(&b'[') {
            return Ok(Some((name, None)));
        }
        self.at += 1;
        let index = self.comma()?;
        if !self.eat("]") {
            return Err(self.error());
        }
        let index =
            usize::try_from(index).map_err(|_| format!("{name}[{index}]: bad array subscript"))?;
        Ok(Some((name, Some(index))))
    }

    fn variable(&mut self, name: &str, index: Option<usize>) -> Result<i64, String> {
        for token in ["+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|="] {
            if self.eat(token) {
                let right = self.ternary()?;
                let left = self.read(name, index)?;
                let value = self.apply(token.trim_end_matches('='), left, right)?;
                return self.assign(name, index, value);
            }
        }
        self.peek();
        if self.text[self.at..].starts_with(b"=") && !self.text[self.at..].starts_with(b"==") {
            self.at += 1;
            let value = self.ternary()?;
            return self.assign(name, index, value);
        }
        let value = self.read(name, index)?;
        for (token, step) in [("++", 1_i64), ("--", -1)] {
            if self.eat(token) {
                self.assign(name, index, value.wrapping_add(step))?;
            }
        }
        Ok(value)
    }

    /// The value of a variable, which may be an expression itself.
    fn read(&mut self, name: &str, index: Option<usize>) -> Result<i64, String> {
        let text = match index {
            Some(index) => self
                .shell
                .elements(name)
                .into_iter()
                .find(|(at, _)| *at == index)
                .map(|(_, text)| text),
            None => self.shell.get(name),
        };
        match text {
            None if self.shell.options.nounset && self.skip == 0 => {
                Err(format!("{name}: parameter not set"))
            }
            None => Ok(0),
            Some(text) => match text.trim().parse() {
                Ok(value) if !text.trim().starts_with('0') => Ok(value),
                _ => evaluate_at(self.shell, &text, self.depth + 1),
            },
        }
    }

    fn assign(&mut self, name: &str, index: Option<usize>, value: i64) -> Result<i64, String> {
        if self.skip == 0 {
            match index {
                Some(index) => {
                    super::set_element(self.shell, name, index, value.to_string(), false)?
                }
                None => self.shell.set(name, value.to_string())?,
            }
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<i64, String> {
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'#')
        {
            self.at += 1;
        }
        let digits = String::from_utf8_lossy(&self.text[start..self.at]);
        let parsed = if let Some(hex) = digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"))
        {
            i64::from_str_radix(hex, 16)
        } else if let Some((base, digits)) = digits.split_once('#') {
            let base = base
                .parse()
                .ok()
                .filter(|base| (2..=36).contains(base))
                .ok_or_else(|| self.error())?;
            i64::from_str_radix(digits, base)
        } else if digits.len() > 1 && digits.starts_with('0') {
            i64::from_str_radix(&digits, 8)
        } else {
            digits.parse()
        };
        parsed.map_err(|_| self.error())
    }
}
