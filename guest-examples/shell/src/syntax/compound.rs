//! Compound commands: `if`, loops, `case`, groups, functions, `[[ ]]`, `(( ))`.

use super::ast::{Arm, Condition, Node, Word};
use super::{Parsed, Parser};
use std::rc::Rc;

impl Parser {
    /// The compound command that stands here, if one does.
    pub(super) fn compound(&mut self) -> Parsed<Option<Node>> {
        if self.looking_at("((") {
            let start = self.at;
            self.at += 2;
            if let Ok(expression) = self.arithmetic_until("))") {
                return Ok(Some(Node::Arithmetic(expression)));
            }
            // `((a) | b)`: two subshells.
            self.at = start;
        }
        if self.eat("(") {
            let body = self.body(&[])?;
            self.expect(")")?;
            return Ok(Some(Node::Subshell(body)));
        }
        let word = self.bare_word();
        if !self.at_keyword(&word) {
            return Ok(None);
        }
        let length = word.chars().count();
        let node = match word.as_str() {
            "{" => {
                self.at += length;
                let body = self.body(&["}"])?;
                self.expect_keyword("}")?;
                Node::Redirected(body, Vec::new())
            }
            "if" => {
                self.at += length;
                self.if_command()?
            }
            "while" | "until" => {
                self.at += length;
                let condition = self.body(&["do"])?;
                Node::While(word == "while", condition, self.do_group()?)
            }
            "for" => {
                self.at += length;
                self.for_command()?
            }
            "case" => {
                self.at += length;
                self.case_command()?
            }
            "function" => {
                self.at += length;
                self.skip_blanks();
                let name = self.bare_word();
                self.at += name.chars().count();
                self.skip_blanks();
                if self.eat("(") {
                    self.expect(")")?;
                }
                self.function(name)?
            }
            "[[" => {
                self.at += length;
                let condition = self.condition_or()?;
                self.expect_keyword("]]")?;
                Node::Condition(condition)
            }
            _ => return Ok(None),
        };
        Ok(Some(node))
    }

    fn if_command(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        loop {
            let condition = self.body(&["then"])?;
            self.expect_keyword("then")?;
            branches.push((condition, self.body(&["elif", "else", "fi"])?));
            if self.eat_keyword("elif") {
                continue;
            }
            let otherwise = if self.eat_keyword("else") {
                Some(self.body(&["fi"])?)
            } else {
                None
            };
            self.expect_keyword("fi")?;
            return Ok(Node::If(branches, otherwise));
        }
    }

    fn do_group(&mut self) -> Parsed<Rc<Node>> {
        self.expect_keyword("do")?;
        let body = self.body(&["done"])?;
        self.expect_keyword("done")?;
        Ok(body)
    }

    fn for_command(&mut self) -> Parsed<Node> {
        self.skip_blanks();
        if self.eat("((") {
            let initial = self.arithmetic_until(";")?;
            let condition = self.arithmetic_until(";")?;
            let step = self.arithmetic_until("))")?;
            self.skip_blanks();
            self.eat(";");
            return Ok(Node::ForArithmetic(
                [initial, condition, step],
                self.do_group()?,
            ));
        }
        let name = self.bare_word();
        if name.is_empty() {
            return Err(self.unexpected());
        }
        self.at += name.chars().count();
        self.skip_lines()?;
        let words = if self.eat_keyword("in") {
            let mut words = Vec::new();
            loop {
                self.skip_blanks();
                match self.peek() {
                    None | Some('\n' | ';') => break,
                    Some(_) => words.push(self.word()?),
                }
            }
            Some(words)
        } else {
            None
        };
        self.skip_blanks();
        self.eat(";");
        Ok(Node::For(name, words, self.do_group()?))
    }

    fn case_command(&mut self) -> Parsed<Node> {
        self.skip_blanks();
        let subject = self.word()?;
        self.expect_keyword("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_lines()?;
            if self.eat_keyword("esac") {
                return Ok(Node::Case(subject, arms));
            }
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                patterns.push(self.word()?);
                self.skip_blanks();
                if !self.eat("|") {
                    break;
                }
            }
            self.expect(")")?;
            let body = Rc::new(self.list(&["esac"])?);
            let falls_through = self.eat(";&");
            let ended = falls_through || self.eat(";;");
            arms.push(Arm {
                patterns,
                body,
                falls_through,
            });
            if !ended {
                self.expect_keyword("esac")?;
                return Ok(Node::Case(subject, arms));
            }
        }
    }

    fn condition_or(&mut self) -> Parsed<Condition> {
        let mut left = self.condition_and()?;
        loop {
            self.skip_lines()?;
            if !self.eat("||") {
                return Ok(left);
            }
            left = Condition::Or(Box::new(left), Box::new(self.condition_and()?));
        }
    }

    fn condition_and(&mut self) -> Parsed<Condition> {
        let mut left = self.condition_term()?;
        loop {
            self.skip_lines()?;
            if !self.eat("&&") {
                return Ok(left);
            }
            left = Condition::And(Box::new(left), Box::new(self.condition_term()?));
        }
    }

    fn condition_term(&mut self) -> Parsed<Condition> {
        self.skip_lines()?;
        if self.eat_keyword("!") {
            self.enter()?;
            let inner = self.condition_term()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.eat("(") {
            self.enter()?;
            let inner = self.condition_or()?;
            self.depth -= 1;
            self.skip_lines()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let bare = self.bare_word();
        let is_unary = bare.len() == 2
            && bare.starts_with('-')
            && self.peek_at(2).is_some_and(char::is_whitespace);
        if is_unary {
            self.at += 2;
            self.skip_blanks();
            return Ok(Condition::Unary(bare, self.word()?));
        }
        let left = self.word()?;
        self.skip_blanks();
        let operator = match self.peek() {
            Some(c @ ('<' | '>')) => {
                self.at += 1;
                c.to_string()
            }
            _ => {
                let word = self.bare_word();
                let known = [
                    "=", "==", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot",
                    "-ef",
                ];
                if !known.contains(&word.as_str()) {
                    return Ok(Condition::Word(left));
                }
                self.at += word.chars().count();
                word
            }
        };
        self.skip_blanks();
        let right = if operator == "=~" {
            self.regex_word()?
        } else {
            self.word()?
        };
        Ok(Condition::Binary(left, operator, right))
    }

    /// The right side of `=~`: parentheses and bars belong to it, up to the next blank.
    fn regex_word(&mut self) -> Parsed<Word> {
        let mut nested = 0_usize;
        let mut parts = Vec::new();
        loop {
            parts.append(&mut self.word_or_nothing()?);
            match self.peek() {
                Some(c @ ('(' | '|' | '<' | '>' | '&' | ';')) => {
                    nested += usize::from(c == '(');
                    self.at += 1;
                    parts.push(super::ast::Part::Literal(c.to_string()));
                }
                Some(')') if nested > 0 => {
                    nested -= 1;
                    self.at += 1;
                    parts.push(super::ast::Part::Literal(")".into()));
                }
                Some(' ') if nested > 0 => {
                    self.at += 1;
                    parts.push(super::ast::Part::Literal(" ".into()));
                }
                _ => return Ok(parts),
            }
        }
    }
}
