//! Words: quoting, `$` expansions, braces.

use super::ast::{Operation, Parameter, Part, Place, Word};
use super::{Parsed, Parser, SyntaxError};
use std::rc::Rc;

/// The most words that one `{1..9}` gives; a longer range stays as it is written.
const MAX_RANGE: i64 = 100_000;

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "()<>|&;".contains(c)
}

impl Parser {
    /// The word that stands here; an error where none does.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        let start = self.at;
        let word = self.word_or_nothing()?;
        if self.at == start {
            Err(self.unexpected())
        } else {
            Ok(word)
        }
    }

    /// The word that stands here, or one without parts.
    pub(super) fn word_or_nothing(&mut self) -> Parsed<Word> {
        self.parts(&ends_word, false)
    }

    /// A word that ends only before one of `stops`.
    pub(super) fn word_until(&mut self, stops: &[char]) -> Parsed<Word> {
        let word = self.parts(&|c| stops.contains(&c), false)?;
        if self.peek().is_none() {
            Err(SyntaxError::Incomplete)
        } else {
            Ok(word)
        }
    }

    fn parts(&mut self, stop: &dyn Fn(char) -> bool, in_double: bool) -> Parsed<Word> {
        self.enter()?;
        let mut parts = Vec::new();
        let mut literal = String::new();
        while let Some(c) = self.peek() {
            if stop(c) {
                break;
            }
            let part = match c {
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') => continue,
                        Some(next) if in_double && !"$`\"\\}".contains(next) => {
                            Some(Part::Quoted(format!("\\{next}")))
                        }
                        Some(next) => Some(Part::Quoted(next.to_string())),
                        None => Some(Part::Quoted("\\".into())),
                    }
                }
                '\'' if !in_double => {
                    self.at += 1;
                    let mut text = String::new();
                    loop {
                        match self.next() {
                            None => return Err(SyntaxError::Incomplete),
                            Some('\'') => break,
                            Some(c) => text.push(c),
                        }
                    }
                    Some(Part::Quoted(text))
                }
                '"' => {
                    self.at += 1;
                    Some(Part::Double(self.double_quoted(Some('"'))?))
                }
                '$' | '`' => self.dollar(in_double)?,
                '{' if !in_double => self.brace(stop)?,
                _ => None,
            };
            match part {
                Some(part) => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(part);
                }
                None => {
                    literal.push(c);
                    self.at += 1;
                }
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        self.depth -= 1;
        Ok(parts)
    }

    /// The inside of double quotes, up to and with `end`; without one, up to the end of the text.
    pub(super) fn double_quoted(&mut self, end: Option<char>) -> Parsed<Word> {
        self.enter()?;
        let mut parts = Vec::new();
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                if end.is_some() {
                    return Err(SyntaxError::Incomplete);
                }
                break;
            };
            if Some(c) == end {
                self.at += 1;
                break;
            }
            let part = match c {
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') => {}
                        Some(next) if "$`\\".contains(next) || Some(next) == end => text.push(next),
                        Some(next) => text.extend(['\\', next]),
                        None => text.push('\\'),
                    }
                    continue;
                }
                '$' | '`' => self.dollar(true)?,
                _ => None,
            };
            match part {
                Some(part) => {
                    if !text.is_empty() {
                        parts.push(Part::Quoted(std::mem::take(&mut text)));
                    }
                    parts.push(part);
                }
                None => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
        if !text.is_empty() {
            parts.push(Part::Quoted(text));
        }
        self.depth -= 1;
        Ok(parts)
    }

    /// What starts with `$` or a backquote; nothing when it is that character and no more.
    fn dollar(&mut self, in_double: bool) -> Parsed<Option<Part>> {
        if self.eat("`") {
            let mut script = String::new();
            loop {
                match self.next() {
                    None => return Err(SyntaxError::Incomplete),
                    Some('`') => break,
                    Some('\\') => match self.next() {
                        Some(c) if "$`\\".contains(c) || (in_double && c == '"') => script.push(c),
                        Some(c) => script.extend(['\\', c]),
                        None => return Err(SyntaxError::Incomplete),
                    },
                    Some(c) => script.push(c),
                }
            }
            let mut inner = Self::new(&script);
            inner.depth = self.depth;
            return Ok(Some(Part::Command(Rc::new(inner.list(&[])?))));
        }
        let Some(next) = self.peek_at(1) else {
            return Ok(None);
        };
        if self.looking_at("$((") {
            let start = self.at;
            self.at += 3;
            if let Ok(expression) = self.arithmetic_until("))") {
                return Ok(Some(Part::Arithmetic(expression)));
            }
            self.at = start;
        }
        match next {
            '(' => {
                self.at += 2;
                let list = self.list(&[])?;
                self.expect(")")?;
                Ok(Some(Part::Command(Rc::new(list))))
            }
            '{' => {
                self.at += 2;
                Ok(Some(Part::Parameter(Box::new(self.parameter(in_double)?))))
            }
            '\'' if !in_double => {
                self.at += 2;
                self.ansi_quoted().map(Some)
            }
            '"' if !in_double => {
                self.at += 2;
                Ok(Some(Part::Double(self.double_quoted(Some('"'))?)))
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                self.at += 1;
                let name = self.name();
                Ok(Some(Part::Parameter(Box::new(plain(name)))))
            }
            c if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.at += 2;
                Ok(Some(Part::Parameter(Box::new(plain(c.to_string())))))
            }
            _ => Ok(None),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self
            .peek()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
            self.at += 1;
        }
        name
    }

    /// The rest of `${…}`.
    fn parameter(&mut self, in_double: bool) -> Parsed<Parameter> {
        let mut parameter = plain(String::new());
        if self.peek() == Some('#')
            && !matches!(self.peek_at(1), Some('}' | ':' | '%' | '-' | '=' | '+'))
        {
            self.at += 1;
            parameter.operation = Operation::Length;
        } else if self.peek() == Some('!')
            && self
                .peek_at(1)
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        {
            self.at += 1;
            parameter.indirect = true;
        }
        parameter.name = self.name();
        if parameter.name.is_empty() {
            match self.next() {
                Some(c) if "@*#?-$!".contains(c) => parameter.name.push(c),
                None => return Err(SyntaxError::Incomplete),
                Some(_) => return Err(self.error("Bad substitution")),
            }
        } else if self.eat("[") {
            parameter.index = Some(self.word_until(&[']'])?);
            self.at += 1;
        }
        if matches!(parameter.operation, Operation::Length) || self.peek() == Some('}') {
            self.close_parameter()?;
            return Ok(parameter);
        }
        let colon = self.peek() == Some(':') && self.peek_at(1).is_some_and(|c| "-=?+".contains(c));
        self.at += usize::from(colon);
        let Some(operator) = self.next() else {
            return Err(SyntaxError::Incomplete);
        };
        let doubled = "#%^,/".contains(operator) && self.peek() == Some(operator);
        self.at += usize::from(doubled);
        parameter.operation = match operator {
            '-' => Operation::Default(colon, self.operand(&['}'], in_double)?),
            '=' => Operation::Assign(colon, self.operand(&['}'], in_double)?),
            '?' => Operation::Error(colon, self.operand(&['}'], in_double)?),
            '+' => Operation::Alternative(colon, self.operand(&['}'], in_double)?),
            '#' => Operation::TrimPrefix(doubled, self.operand(&['}'], false)?),
            '%' => Operation::TrimSuffix(doubled, self.operand(&['}'], false)?),
            '^' | ',' => Operation::Case(operator == '^', doubled),
            ':' => {
                let offset = self.operand(&[':', '}'], false)?;
                let length = if self.eat(":") {
                    Some(self.operand(&['}'], false)?)
                } else {
                    None
                };
                Operation::Slice(offset, length)
            }
            '/' => {
                let place = match self.peek() {
                    _ if doubled => Place::All,
                    Some('#') => Place::Start,
                    Some('%') => Place::End,
                    _ => Place::First,
                };
                self.at += usize::from(matches!(place, Place::Start | Place::End));
                let pattern = self.operand(&['/', '}'], false)?;
                let text = if self.eat("/") {
                    self.operand(&['}'], false)?
                } else {
                    Vec::new()
                };
                Operation::Replace(place, pattern, text)
            }
            _ => return Err(self.error("Bad substitution")),
        };
        self.close_parameter()?;
        Ok(parameter)
    }

    fn operand(&mut self, stops: &[char], in_double: bool) -> Parsed<Word> {
        self.parts(&|c| stops.contains(&c), in_double)
    }

    fn close_parameter(&mut self) -> Parsed<()> {
        match self.next() {
            Some('}') => Ok(()),
            None => Err(SyntaxError::Incomplete),
            Some(_) => Err(self.error("Bad substitution")),
        }
    }

    /// An arithmetic expression up to and with `end`, which parentheses inside may hold back.
    pub(super) fn arithmetic_until(&mut self, end: &str) -> Parsed<Word> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut open = 0_usize;
        loop {
            if open == 0 && self.eat(end) {
                break;
            }
            let Some(c) = self.peek() else {
                return Err(SyntaxError::Incomplete);
            };
            match c {
                '(' => open += 1,
                ')' if open == 0 => return Err(self.unexpected()),
                ')' => open -= 1,
                '"' => {
                    self.at += 1;
                    continue;
                }
                '$' | '`' => {
                    if let Some(part) = self.dollar(true)? {
                        parts.push(Part::Quoted(std::mem::take(&mut text)));
                        parts.push(part);
                        continue;
                    }
                }
                _ => {}
            }
            text.push(c);
            self.at += 1;
        }
        parts.push(Part::Quoted(text));
        Ok(parts)
    }

    /// The rest of `$'…'`.
    fn ansi_quoted(&mut self) -> Parsed<Part> {
        let mut raw = String::new();
        loop {
            match self.next() {
                None => return Err(SyntaxError::Incomplete),
                Some('\'') => break,
                Some('\\') => {
                    raw.push('\\');
                    raw.extend(self.next());
                }
                Some(c) => raw.push(c),
            }
        }
        let bytes = crate::escape::unescape(&raw, crate::escape::Style::Quote).0;
        Ok(Part::Quoted(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// `{a,b}` or `{1..3}`; nothing when the brace is only a brace.
    fn brace(&mut self, stop: &dyn Fn(char) -> bool) -> Parsed<Option<Part>> {
        let start = self.at;
        self.at += 1;
        if let Some(range) = self.brace_range() {
            return Ok(Some(Part::Brace(range)));
        }
        self.at = start + 1;
        let mut words = Vec::new();
        let ends = |c: char| c == ',' || c == '}' || ends_word(c) || stop(c);
        while let Ok(word) = self.parts(&ends, false) {
            words.push(word);
            if self.eat(",") {
                continue;
            }
            if words.len() > 1 && self.eat("}") {
                return Ok(Some(Part::Brace(words)));
            }
            break;
        }
        self.at = start;
        Ok(None)
    }

    fn brace_range(&mut self) -> Option<Vec<Word>> {
        let text: String = self
            .text
            .iter()
            .skip(self.at)
            .take_while(|c| **c != '}' && !ends_word(**c))
            .collect();
        if self.text.get(self.at + text.chars().count()) != Some(&'}') {
            return None;
        }
        let ends: Vec<&str> = text.split("..").collect();
        let (first, last, step) = match ends.as_slice() {
            [first, last] => (*first, *last, 1),
            [first, last, step] => (*first, *last, step.parse::<i64>().ok()?.abs().max(1)),
            _ => return None,
        };
        let words: Vec<Word> =
            if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
                let count = first.abs_diff(last) / step.unsigned_abs();
                let count = i64::try_from(count)
                    .ok()
                    .filter(|count| *count < MAX_RANGE)?;
                let sign = if first <= last { step } else { -step };
                (0..=count)
                    .map(|i| vec![Part::Literal((first + i * sign).to_string())])
                    .collect()
            } else {
                let mut letters = [first, last].map(|end| {
                    end.chars()
                        .next()
                        .filter(|c| end.len() == 1 && c.is_ascii_alphabetic())
                });
                let reversed = letters[0] > letters[1];
                letters.sort_unstable();
                let [Some(low), Some(high)] = letters else {
                    return None;
                };
                let mut words: Vec<Word> = (low..=high)
                    .map(|c| vec![Part::Literal(c.to_string())])
                    .collect();
                if reversed {
                    words.reverse();
                }
                words
            };
        self.at += text.chars().count() + 1;
        Some(words)
    }
}

fn plain(name: String) -> Parameter {
    Parameter {
        name,
        index: None,
        indirect: false,
        operation: Operation::None,
    }
}
