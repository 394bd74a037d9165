//! Lists, pipelines, simple commands and redirections.

use super::ast::{Assignment, Node, Part, Redirect, RedirectKind, Simple, Value, Word};
use super::{Parsed, Parser, Pending, SyntaxError};
use std::cell::RefCell;
use std::rc::Rc;

/// Words that end a list where they stand in the place of a command.
const CLOSING: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

impl Parser {
    /// Commands until the end, a `)`, `;;`, or one of the words that close a compound command.
    pub(super) fn list(&mut self, closing: &[&str]) -> Parsed<Node> {
        self.enter()?;
        let mut commands = Vec::new();
        loop {
            self.skip_lines()?;
            match self.peek() {
                None | Some(')') => break,
                Some(';') if self.peek_at(1) == Some(';') || self.peek_at(1) == Some('&') => break,
                _ => {}
            }
            if closing.iter().any(|word| self.at_keyword(word)) {
                break;
            }
            if CLOSING.iter().any(|word| self.at_keyword(word)) {
                return Err(self.unexpected());
            }
            let command = Rc::new(self.and_or()?);
            self.skip_blanks();
            if self.peek() == Some('&') {
                self.at += 1;
                commands.push(Rc::new(Node::Background(command)));
                continue;
            }
            commands.push(command);
            match self.peek() {
                Some(';') if self.peek_at(1) != Some(';') && self.peek_at(1) != Some('&') => {
                    self.at += 1
                }
                Some('\n' | ')' | ';') | None => {}
                _ => return Err(self.unexpected()),
            }
        }
        self.depth -= 1;
        Ok(match (commands.len(), commands.pop()) {
            (1, Some(only)) => {
                Rc::try_unwrap(only).unwrap_or_else(|shared| Node::List(vec![shared]))
            }
            (_, last) => Node::List(commands.into_iter().chain(last).collect()),
        })
    }

    /// A list that must not be empty.
    pub(super) fn body(&mut self, closing: &[&str]) -> Parsed<Rc<Node>> {
        let list = self.list(closing)?;
        if matches!(&list, Node::List(commands) if commands.is_empty()) {
            return Err(self.unexpected());
        }
        Ok(Rc::new(list))
    }

    fn and_or(&mut self) -> Parsed<Node> {
        let mut left = self.pipeline()?;
        loop {
            self.skip_blanks();
            let and = self.eat("&&");
            if !and && !self.eat("||") {
                return Ok(left);
            }
            self.skip_lines()?;
            let right = Rc::new(self.pipeline()?);
            left = if and {
                Node::And(Rc::new(left), right)
            } else {
                Node::Or(Rc::new(left), right)
            };
        }
    }

    fn pipeline(&mut self) -> Parsed<Node> {
        self.skip_blanks();
        let mut negated = false;
        while self.eat_keyword("!") {
            negated = !negated;
            self.skip_blanks();
        }
        let first = self.command()?;
        let mut stages = vec![Rc::new(first)];
        loop {
            self.skip_blanks();
            if self.peek() != Some('|') || self.peek_at(1) == Some('|') {
                break;
            }
            self.at += 1;
            if self.eat("&") {
                // `a |& b` is `a 2>&1 | b`.
                let to_stdout = RedirectKind::Duplicate(vec![Part::Literal("1".into())]);
                if let Some(left) = stages.pop() {
                    stages.push(Rc::new(Node::Redirected(
                        left,
                        vec![Redirect {
                            fd: Some(2),
                            kind: to_stdout,
                        }],
                    )));
                }
            }
            self.skip_lines()?;
            stages.push(Rc::new(self.command()?));
        }
        if stages.len() == 1 && !negated {
            return Ok(stages.pop().map_or(Node::List(Vec::new()), |only| {
                Rc::try_unwrap(only).unwrap_or_else(|shared| Node::List(vec![shared]))
            }));
        }
        Ok(Node::Pipeline(negated, stages))
    }

    fn command(&mut self) -> Parsed<Node> {
        self.enter()?;
        self.skip_blanks();
        let node = match self.compound()? {
            Some(Node::Function(name, body)) => Node::Function(name, body),
            Some(compound) => {
                let mut redirects = Vec::new();
                while let Some(redirect) = self.redirect()? {
                    redirects.push(redirect);
                }
                if redirects.is_empty() {
                    compound
                } else {
                    Node::Redirected(Rc::new(compound), redirects)
                }
            }
            None => self.simple()?,
        };
        self.depth -= 1;
        Ok(node)
    }

    fn simple(&mut self) -> Parsed<Node> {
        let mut simple = Simple {
            line: self.line(),
            ..Simple::default()
        };
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            let declares = simple.words.first().is_some_and(|word| {
                matches!(word.as_slice(), [Part::Literal(name)]
                    if matches!(name.as_str(), "export" | "local" | "readonly" | "declare" | "typeset"))
            });
            if (simple.words.is_empty() || declares)
                && let Some(assignment) = self.assignment(declares)?
            {
                simple.assignments.push(assignment);
                continue;
            }
            match self.peek() {
                None | Some('\n' | ';' | '&' | '|' | ')') => break,
                Some('(') => {
                    let name = match (simple.words.as_slice(), simple.assignments.is_empty()) {
                        ([word], true) => match word.as_slice() {
                            [Part::Literal(name)] => Some(name.clone()),
                            _ => None,
                        },
                        _ => None,
                    };
                    let Some(name) = name else {
                        return Err(self.unexpected());
                    };
                    self.at += 1;
                    self.skip_blanks();
                    self.expect(")")?;
                    return self.function(name);
                }
                _ => simple.words.push(self.word()?),
            }
        }
        if simple.words.is_empty() && simple.assignments.is_empty() && simple.redirects.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Node::Simple(simple))
    }

    /// The rest of a function's definition, after `name()`.
    pub(super) fn function(&mut self, name: String) -> Parsed<Node> {
        self.skip_lines()?;
        let body = self.command()?;
        Ok(Node::Function(name, Rc::new(body)))
    }

    /// `name=…` where a command may start. The arguments of `export` and its like are ordinary words unless they
    /// assign an array, which no ordinary word can.
    fn assignment(&mut self, only_arrays: bool) -> Parsed<Option<Assignment>> {
        let start = self.at;
        let mut name = String::new();
        while let Some(c) = self
            .peek()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
            self.at += 1;
        }
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let mut index = None;
        if starts_well && self.peek() == Some('[') {
            let close = self
                .text
                .iter()
                .skip(self.at)
                .position(|&c| c == ']' || c == '\n')
                .map(|i| i + self.at);
            let after = close.and_then(|close| self.text.get(close + 1).copied());
            if close.is_some_and(|close| self.text.get(close) == Some(&']'))
                && matches!(after, Some('=' | '+'))
            {
                self.at += 1;
                index = Some(self.word_until(&[']'])?);
                self.at += 1;
            }
        }
        let append = starts_well && self.eat("+=");
        if !(append || (starts_well && self.eat("="))) || (only_arrays && self.peek() != Some('('))
        {
            self.at = start;
            return Ok(None);
        }
        let value = if self.eat("(") {
            let mut elements = Vec::new();
            loop {
                self.skip_lines()?;
                match self.peek() {
                    None => return Err(SyntaxError::Incomplete),
                    Some(')') => break,
                    Some(_) => elements.push(self.word()?),
                }
            }
            self.at += 1;
            Value::Array(elements)
        } else {
            Value::Scalar(self.word_or_nothing()?)
        };
        Ok(Some(Assignment {
            name,
            index,
            append,
            value,
        }))
    }

    /// A redirection, if one stands here.
    pub(super) fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        self.skip_blanks();
        let start = self.at;
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        let both = digits.is_empty() && self.looking_at("&>");
        if !both && !matches!(self.peek(), Some('<' | '>')) {
            self.at = start;
            return Ok(None);
        }
        let fd = digits.parse().ok();
        let kind = if self.eat("&>>") {
            RedirectKind::Both(self.target()?, true)
        } else if self.eat("&>") {
            RedirectKind::Both(self.target()?, false)
        } else if self.eat("<<<") {
            RedirectKind::HereString(self.target()?)
        } else if self.eat("<<") {
            let strip_tabs = self.eat("-");
            let delimiter = self.target()?;
            let quoted = !delimiter
                .iter()
                .all(|part| matches!(part, Part::Literal(_)));
            let body = Rc::new(RefCell::new(Vec::new()));
            let delimiter = literal_text(&delimiter);
            self.pending.push(Pending {
                delimiter,
                quoted,
                strip_tabs,
                body: Rc::clone(&body),
            });
            RedirectKind::HereDocument(body)
        } else if self.eat("<&") || self.eat(">&") {
            let output = self.text.get(self.at - 2) == Some(&'>');
            let target = self.target()?;
            let number = matches!(target.as_slice(), [Part::Literal(text)]
                if text == "-" || text.trim_end_matches('-').chars().all(|c| c.is_ascii_digit()));
            let expands = matches!(target.as_slice(), [Part::Parameter(_)]);
            if output && fd.is_none() && !number && !expands {
                RedirectKind::Both(target, false)
            } else {
                return Ok(Some(Redirect {
                    fd: fd.or(Some(u32::from(output))),
                    kind: RedirectKind::Duplicate(target),
                }));
            }
        } else if self.eat("<>") {
            RedirectKind::ReadWrite(self.target()?)
        } else if self.eat("<") {
            RedirectKind::Read(self.target()?)
        } else if self.eat(">>") {
            RedirectKind::Append(self.target()?)
        } else {
            self.at += 1;
            let clobber = self.eat("|");
            RedirectKind::Write(self.target()?, clobber)
        };
        Ok(Some(Redirect { fd, kind }))
    }

    fn target(&mut self) -> Parsed<Word> {
        self.skip_blanks();
        self.word()
    }
}

/// The text of a word without expansions, as the delimiter of a here-document is.
fn literal_text(word: &Word) -> String {
    word.iter()
        .map(|part| match part {
            Part::Literal(text) | Part::Quoted(text) => text.clone(),
            Part::Double(inner) => literal_text(inner),
            _ => String::new(),
        })
        .collect()
}
