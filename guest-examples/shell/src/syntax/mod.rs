//! From text to the tree: the Shell Command Language of POSIX.1-2024 (XCU chapter 2) with what scripts
//! commonly take from bash: `[[ ]]`, `(( ))`, `for ((;;))`, `function`, indexed arrays, `<<<`, `&>`, `$'…'`.
//!
//! Not done: aliases, coprocesses, process substitution, `select`.

pub mod ast;
mod command;
mod compound;
mod word;

use ast::{Node, Word};
use std::cell::RefCell;
use std::rc::Rc;

/// How deep commands and words may nest: deeper text is an error, not an overflow of the stack.
const MAX_DEPTH: usize = 100;

/// Why a text is no program.
#[derive(Debug)]
pub enum SyntaxError {
    /// It ends too early: more lines may complete it.
    Incomplete,
    /// The message, and the line (from 1).
    At(String, usize),
}

type Parsed<T> = Result<T, SyntaxError>;

/// Parses a whole program.
///
/// # Errors
/// The first place where the text is no program.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser::new(text);
    let program = parser.list(&[])?;
    parser.skip_lines()?;
    if parser.peek().is_some() {
        return Err(parser.unexpected());
    }
    Ok(program)
}

/// Parses text in which only expansions are special, as the body of a here-document or a value of `PS4`.
///
/// # Errors
/// An expansion that is not closed.
pub fn parse_text(text: &str) -> Result<Word, SyntaxError> {
    Parser::new(text).double_quoted(None)
}

/// A here-document whose body stands in the lines that follow.
struct Pending {
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
    body: Rc<RefCell<Word>>,
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
    pending: Vec<Pending>,
}

impl Parser {
    fn new(text: &str) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            depth: 0,
            pending: Vec::new(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(ahead, c)| self.peek_at(ahead) == Some(c))
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn line(&self) -> usize {
        1 + self
            .text
            .iter()
            .take(self.at)
            .filter(|&&c| c == '\n')
            .count()
    }

    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::At(message.into(), self.line())
    }

    /// The error for what stands here: the end, or a token that fits nowhere.
    fn unexpected(&self) -> SyntaxError {
        let Some(first) = self.peek() else {
            return SyntaxError::Incomplete;
        };
        let token: String = match first {
            '\n' => "newline".into(),
            c if "()<>|&;".contains(c) => self
                .text
                .iter()
                .skip(self.at)
                .take(2)
                .take_while(|&&other| other == c)
                .collect(),
            _ => self
                .text
                .iter()
                .skip(self.at)
                .take_while(|c| !c.is_whitespace() && !"()<>|&;".contains(**c))
                .collect(),
        };
        self.error(format!("Syntax error: \"{token}\" unexpected"))
    }

    /// Enters one level of nesting; the caller leaves it with `self.depth -= 1`.
    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(self.error("nested too deeply"))
        } else {
            Ok(())
        }
    }

    /// Skips blanks, continued lines and a comment, but no newline.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and newlines; reads the here-documents that start after a newline.
    fn skip_lines(&mut self) -> Parsed<()> {
        loop {
            self.skip_blanks();
            if self.peek() != Some('\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    fn newline(&mut self) -> Parsed<()> {
        self.at += 1;
        for pending in std::mem::take(&mut self.pending) {
            let mut body = String::new();
            loop {
                if self.peek().is_none() {
                    return Err(SyntaxError::Incomplete);
                }
                let mut line = String::new();
                while let Some(c) = self.next() {
                    if c == '\n' {
                        break;
                    }
                    line.push(c);
                }
                let text = if pending.strip_tabs {
                    line.trim_start_matches('\t')
                } else {
                    &line
                };
                if text == pending.delimiter {
                    break;
                }
                body.push_str(text);
                body.push('\n');
            }
            *pending.body.borrow_mut() = if pending.quoted {
                vec![ast::Part::Quoted(body)]
            } else {
                parse_text(&body)?
            };
        }
        Ok(())
    }

    /// The unquoted word that stands here, if it is one: the form of reserved words.
    fn bare_word(&self) -> String {
        self.text
            .iter()
            .skip(self.at)
            .take_while(|c| !c.is_whitespace() && !"()<>|&;\"'`$\\".contains(**c))
            .collect()
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        let word = self.bare_word();
        word == keyword
            && !self
                .peek_at(word.chars().count())
                .is_some_and(|c| "\"'`$\\".contains(c))
    }

    fn eat_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.at += keyword.chars().count();
        }
        found
    }

    fn expect_keyword(&mut self, keyword: &str) -> Parsed<()> {
        self.skip_lines()?;
        if self.eat_keyword(keyword) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }
}
