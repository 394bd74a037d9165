//! The grammar of awk (XCU awk), by recursive descent on characters.

use super::ast::{Expr, Pattern, Program, Stmt};
use crate::escape::{Style, unescape};

/// How deep expressions and blocks may nest.
const MAX_DEPTH: usize = 100;

/// Parses a program.
///
/// # Errors
/// The message, with the line.
pub(super) fn parse(text: &str) -> Result<Program, String> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        depth: 0,
        no_in: false,
        no_greater: false,
    };
    parser.program().map_err(|message| {
        let line = 1 + parser
            .text
            .iter()
            .take(parser.at)
            .filter(|c| **c == '\n')
            .count();
        format!("line {line}: {message}")
    })
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
    /// In the head of `for`, where `in` belongs to it.
    no_in: bool,
    /// In the arguments of `print`, where `>` is a redirection.
    no_greater: bool,
}

type Parsed<T> = Result<T, String>;

impl Parser {
    fn skip(&mut self, newlines: bool) {
        while let Some(c) = self.text.get(self.at) {
            match c {
                '\n' if newlines => self.at += 1,
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.text.get(self.at + 1) == Some(&'\n') => self.at += 2,
                '#' => {
                    while self.text.get(self.at).is_some_and(|c| *c != '\n') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.skip(false);
        self.text.get(self.at).copied()
    }

    fn looking_at(&mut self, token: &str) -> bool {
        self.skip(false);
        token
            .chars()
            .enumerate()
            .all(|(ahead, c)| self.text.get(self.at + ahead) == Some(&c))
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.looking_at(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("expected `{token}'")))
        }
    }

    fn unexpected(&mut self, what: &str) -> String {
        let near: String = self
            .text
            .iter()
            .skip(self.at)
            .take(12)
            .take_while(|c| **c != '\n')
            .collect();
        format!("syntax error near `{near}': {what}")
    }

    fn word(&mut self) -> String {
        self.skip(false);
        let word = self
            .text
            .iter()
            .skip(self.at)
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_');
        word.collect::<String>()
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.word() == keyword;
        self.at += if found { keyword.len() } else { 0 };
        found
    }

    fn name(&mut self) -> Parsed<String> {
        let name = self.word();
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            self.at += name.len();
            Ok(name)
        } else {
            Err(self.unexpected("expected a name"))
        }
    }

    fn program(&mut self) -> Parsed<Program> {
        let mut program = Program::default();
        loop {
            self.skip(true);
            while self.eat(";") {
                self.skip(true);
            }
            if self.peek().is_none() {
                return Ok(program);
            }
            if self.keyword("BEGIN") {
                program.begin.extend(self.block()?);
            } else if self.keyword("END") {
                program.end.extend(self.block()?);
            } else if self.keyword("function") || self.keyword("func") {
                let name = self.name()?;
                self.expect("(")?;
                let mut parameters = Vec::new();
                while !self.eat(")") {
                    parameters.push(self.name()?);
                    self.eat(",");
                    self.skip(true);
                }
                self.skip(true);
                let body = self.block()?;
                program
                    .functions
                    .insert(name, (parameters, std::rc::Rc::new(body)));
            } else if self.looking_at("{") {
                let body = self.block()?;
                program.rules.push((Pattern::Always, Some(body)));
            } else {
                let first = self.expr()?;
                let pattern = if self.eat(",") {
                    self.skip(true);
                    Pattern::Range(first, self.expr()?)
                } else {
                    Pattern::When(first)
                };
                let body = if self.looking_at("{") {
                    Some(self.block()?)
                } else {
                    None
                };
                program.rules.push((pattern, body));
            }
        }
    }

    fn block(&mut self) -> Parsed<Vec<Stmt>> {
        self.expect("{")?;
        let mut body = Vec::new();
        loop {
            self.skip(true);
            while self.eat(";") {
                self.skip(true);
            }
            if self.eat("}") {
                return Ok(body);
            }
            if self.peek().is_none() {
                return Err("unexpected end of the program: missing `}'".into());
            }
            body.push(self.statement()?);
        }
    }

    fn end_of_simple(&mut self) -> Parsed<()> {
        match self.peek() {
            None | Some('}') => Ok(()),
            Some(';' | '\n') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.unexpected("expected the end of a statement")),
        }
    }

    fn body(&mut self) -> Parsed<Box<Stmt>> {
        self.skip(true);
        if self.eat(";") {
            return Ok(Box::new(Stmt::Block(Vec::new())));
        }
        self.statement().map(Box::new)
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deeply".into());
        }
        let statement = self.statement_at_depth();
        self.depth -= 1;
        statement
    }

    fn statement_at_depth(&mut self) -> Parsed<Stmt> {
        if self.looking_at("{") {
            return self.block().map(Stmt::Block);
        }
        if self.keyword("if") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            let yes = self.body()?;
            let before = self.at;
            self.skip(true);
            while self.eat(";") {
                self.skip(true);
            }
            if self.keyword("else") {
                return Ok(Stmt::If(condition, yes, Some(self.body()?)));
            }
            self.at = before;
            return Ok(Stmt::If(condition, yes, None));
        }
        if self.keyword("while") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Stmt::While(false, condition, self.body()?));
        }
        if self.keyword("do") {
            let body = self.body()?;
            self.skip(true);
            if !self.keyword("while") {
                return Err(self.unexpected("expected `while'"));
            }
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            self.end_of_simple()?;
            return Ok(Stmt::While(true, condition, body));
        }
        if self.keyword("for") {
            return self.for_statement();
        }
        let statement = self.simple()?;
        self.end_of_simple()?;
        Ok(statement)
    }

    fn for_statement(&mut self) -> Parsed<Stmt> {
        self.expect("(")?;
        let start = self.at;
        if let Ok(name) = self.name()
            && self.keyword("in")
        {
            let array = self.name()?;
            if self.eat(")") {
                return Ok(Stmt::ForIn(name, array, self.body()?));
            }
        }
        self.at = start;
        let initial = if self.looking_at(";") {
            None
        } else {
            Some(Box::new(self.simple()?))
        };
        self.expect(";")?;
        self.skip(true);
        let condition = if self.looking_at(";") {
            None
        } else {
            Some(self.expr()?)
        };
        self.expect(";")?;
        self.skip(true);
        let step = if self.looking_at(")") {
            None
        } else {
            Some(Box::new(self.simple()?))
        };
        self.expect(")")?;
        Ok(Stmt::For(initial, condition, step, self.body()?))
    }

    fn simple(&mut self) -> Parsed<Stmt> {
        let word = self.word();
        let ends = |parser: &mut Self| matches!(parser.peek(), None | Some(';' | '\n' | '}'));
        match word.as_str() {
            "print" | "printf" => {
                self.at += word.len();
                self.print(word == "printf")
            }
            "next" | "break" | "continue" => {
                self.at += word.len();
                Ok(match word.as_str() {
                    "next" => Stmt::Next,
                    "break" => Stmt::Break,
                    _ => Stmt::Continue,
                })
            }
            "exit" | "return" => {
                self.at += word.len();
                let value = if ends(self) { None } else { Some(self.expr()?) };
                Ok(if word == "exit" {
                    Stmt::Exit(value)
                } else {
                    Stmt::Return(value)
                })
            }
            "delete" => {
                self.at += word.len();
                let name = self.name()?;
                let index = if self.eat("[") {
                    Some(self.list("]")?)
                } else {
                    None
                };
                Ok(Stmt::Delete(name, index))
            }
            _ => self.expr().map(Stmt::Expr),
        }
    }

    fn print(&mut self, formatted: bool) -> Parsed<Stmt> {
        let saved = std::mem::replace(&mut self.no_greater, true);
        let mut arguments = Vec::new();
        // `print (a, b) > file`: parentheses around all arguments.
        let start = self.at;
        if self.eat("(") {
            self.no_greater = false;
            arguments = self.list(")").unwrap_or_default();
            self.no_greater = true;
            if !matches!(self.peek(), None | Some(';' | '\n' | '}' | '>' | '|')) {
                self.at = start;
                arguments.clear();
            }
        }
        if arguments.is_empty() && !matches!(self.peek(), None | Some(';' | '\n' | '}' | '>' | '|'))
        {
            loop {
                arguments.push(self.expr()?);
                if !self.eat(",") {
                    break;
                }
                self.skip(true);
            }
        }
        self.no_greater = saved;
        let append = self.eat(">>");
        let target = if append || self.eat(">") {
            Some((append, self.concatenation()?))
        } else {
            None
        };
        if self.looking_at("|") {
            return Err("pipes to commands are not supported".into());
        }
        Ok(Stmt::Print(arguments, formatted, target))
    }

    /// Expressions between commas, up to and with `end`.
    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let saved = (
            std::mem::take(&mut self.no_in),
            std::mem::take(&mut self.no_greater),
        );
        let mut list = Vec::new();
        self.skip(true);
        while !self.eat(end) {
            list.push(self.expr()?);
            self.skip(true);
            if !self.eat(",") && !self.looking_at(end) {
                return Err(self.unexpected(&format!("expected `,' or `{end}'")));
            }
            self.skip(true);
        }
        (self.no_in, self.no_greater) = saved;
        Ok(list)
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deeply".into());
        }
        let expr = self.assignment();
        self.depth -= 1;
        expr
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let left = self.choice()?;
        if !matches!(left, Expr::Name(_) | Expr::Element(..) | Expr::Field(_)) {
            return Ok(left);
        }
        for (token, operator) in [
            ("+=", "+"),
            ("-=", "-"),
            ("*=", "*"),
            ("/=", "/"),
            ("%=", "%"),
            ("^=", "^"),
        ] {
            if self.eat(token) {
                self.skip(true);
                return Ok(Expr::Assign(
                    Box::new(left),
                    operator,
                    Box::new(self.expr()?),
                ));
            }
        }
        if self.looking_at("=") && !self.looking_at("==") {
            self.at += 1;
            self.skip(true);
            return Ok(Expr::Assign(Box::new(left), "", Box::new(self.expr()?)));
        }
        Ok(left)
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let condition = self.or()?;
        if !self.eat("?") {
            return Ok(condition);
        }
        self.skip(true);
        let yes = self.expr()?;
        self.skip(true);
        self.expect(":")?;
        self.skip(true);
        Ok(Expr::Choice(
            Box::new(condition),
            Box::new(yes),
            Box::new(self.expr()?),
        ))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.eat("||") {
            self.skip(true);
            left = Expr::Binary("||", Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.eat("&&") {
            self.skip(true);
            left = Expr::Binary("&&", Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.keyword("in") {
            left = Expr::In(vec![left], self.name()?);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let positive = !self.looking_at("!~");
            if !self.eat("!~") && !self.eat("~") {
                return Ok(left);
            }
            left = Expr::Match(positive, Box::new(left), Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concatenation()?;
        for operator in ["<=", ">=", "==", "!=", "<", ">"] {
            if self.looking_at("!~") || (operator == ">" && self.no_greater) {
                continue;
            }
            if self.no_greater && operator == ">=" && self.looking_at(">") && !self.looking_at(">=")
            {
                continue;
            }
            if self.eat(operator) {
                return Ok(Expr::Binary(
                    operator,
                    Box::new(left),
                    Box::new(self.concatenation()?),
                ));
            }
        }
        Ok(left)
    }

    fn concatenation(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        loop {
            let starts = match self.peek() {
                Some(c) if c.is_ascii_alphabetic() || c == '_' => self.word() != "in",
                Some(c) => c.is_ascii_digit() || "\"$(.!-+".contains(c),
                None => false,
            };
            // `a -b` is a difference, `a !~ b` a match, `a != b` a comparison.
            let operator = self.looking_at("!~")
                || self.looking_at("!=")
                || matches!(self.peek(), Some('-' | '+'));
            if !starts || operator {
                return Ok(left);
            }
            left = Expr::Binary("", Box::new(left), Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let Some(operator) = ["+", "-"].into_iter().find(|token| self.looking_at(token)) else {
                return Ok(left);
            };
            if self.looking_at("+=") || self.looking_at("-=") {
                return Ok(left);
            }
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let Some(operator) = ["*", "/", "%"]
                .into_iter()
                .find(|token| self.looking_at(token))
            else {
                return Ok(left);
            };
            if self.looking_at("**") || self.looking_at(&format!("{operator}=")) {
                return Ok(left);
            }
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        if !self.looking_at("++") && !self.looking_at("--") {
            for sign in ['!', '-', '+'] {
                if self.peek() == Some(sign) {
                    self.at += 1;
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err("nested too deeply".into());
                    }
                    let inner = self.unary()?;
                    self.depth -= 1;
                    return Ok(Expr::Unary(sign, Box::new(inner)));
                }
            }
        }
        let base = self.postfix()?;
        if (self.looking_at("^") && !self.looking_at("^=")) || self.looking_at("**") {
            self.at += if self.looking_at("**") { 2 } else { 1 };
            return Ok(Expr::Binary("^", Box::new(base), Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        for (token, step) in [("++", 1.0), ("--", -1.0)] {
            if self.eat(token) {
                return Ok(Expr::Step(true, step, Box::new(self.primary()?)));
            }
        }
        let base = self.primary()?;
        if matches!(base, Expr::Name(_) | Expr::Element(..) | Expr::Field(_)) {
            for (token, step) in [("++", 1.0), ("--", -1.0)] {
                if self.eat(token) {
                    return Ok(Expr::Step(false, step, Box::new(base)));
                }
            }
        }
        Ok(base)
    }

    fn delimited(&mut self, end: char) -> Parsed<String> {
        let mut text = String::new();
        let mut bracket = false;
        loop {
            let Some(c) = self.text.get(self.at).copied().filter(|c| *c != '\n') else {
                return Err(format!(
                    "unterminated {}",
                    if end == '"' { "string" } else { "regexp" }
                ));
            };
            self.at += 1;
            match c {
                '\\' => {
                    text.push(c);
                    text.extend(self.text.get(self.at));
                    self.at += 1;
                }
                c if c == end && !bracket => return Ok(text),
                c => {
                    bracket = end == '/' && (c == '[' || (bracket && c != ']'));
                    text.push(c);
                }
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.peek() {
            Some('"') => {
                self.at += 1;
                let raw = self.delimited('"')?;
                let bytes = unescape(&raw.replace("\\/", "/"), Style::Quote).0;
                Ok(Expr::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Some('/') => {
                self.at += 1;
                self.delimited('/').map(Expr::Regex)
            }
            Some('$') => {
                self.at += 1;
                Ok(Expr::Field(Box::new(self.postfix()?)))
            }
            Some('(') => {
                self.at += 1;
                let mut list = self.list(")")?;
                if self.keyword("in") {
                    return Ok(Expr::In(list, self.name()?));
                }
                match (list.pop(), list.is_empty()) {
                    // Not the expression itself: `(a)++` is none, and `(x) = 1` neither.
                    (Some(inner @ (Expr::Name(_) | Expr::Element(..))), true) => Ok(inner),
                    (Some(inner), true) => Ok(inner),
                    _ => Err(self.unexpected("expected an expression")),
                }
            }
            Some(c) if c.is_ascii_digit() || c == '.' => {
                let rest: String = self.text.iter().skip(self.at).take(40).collect();
                let mut end = rest
                    .find(|c: char| !c.is_ascii_digit() && c != '.')
                    .unwrap_or(rest.len());
                if rest[end..].starts_with(['e', 'E']) {
                    let digits = rest[end + 1..].trim_start_matches(['+', '-']);
                    let exponent = digits.len()
                        - digits
                            .trim_start_matches(|c: char| c.is_ascii_digit())
                            .len();
                    if exponent > 0 {
                        end = rest.len() - digits.len() + exponent;
                    }
                }
                self.at += end;
                rest[..end]
                    .parse()
                    .map(Expr::Number)
                    .map_err(|_| format!("bad number `{}'", &rest[..end]))
            }
            _ => {
                let name = self.name()?;
                self.named(name)
            }
        }
    }

    fn named(&mut self, name: String) -> Parsed<Expr> {
        if name == "getline" {
            let starts =
                matches!(self.peek(), Some(c) if c.is_ascii_alphabetic() || c == '_' || c == '$');
            let target = if starts {
                Some(Box::new(self.primary()?))
            } else {
                None
            };
            let file = if self.eat("<") {
                Some(Box::new(self.primary()?))
            } else {
                None
            };
            return Ok(Expr::Getline(target, file));
        }
        // A function of the user has its parenthesis directly behind its name.
        if self.text.get(self.at) == Some(&'(')
            || (super::run::is_function(&name) && self.looking_at("("))
        {
            self.expect("(")?;
            return Ok(Expr::Call(name, self.list(")")?));
        }
        if super::run::is_function(&name) {
            return Ok(Expr::Call(name, Vec::new()));
        }
        if self.text.get(self.at) == Some(&'[') {
            self.at += 1;
            return Ok(Expr::Element(name, self.list("]")?));
        }
        Ok(Expr::Name(name))
    }
}
