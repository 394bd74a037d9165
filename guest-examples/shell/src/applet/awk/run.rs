//! Executing awk programs.

use super::ast::{Expr, Pattern, Program, Stmt};
use super::functions::NAMES;
use super::value::Value;
use crate::applet::grep::extended_regex;
use regex_lite::Regex;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::rc::Rc;

/// How deep functions may call each other; the guest's stack is 1 MiB.
const MAX_CALLS: usize = 100;
/// The highest field that can be set: more would only fill memory.
const MAX_FIELD: usize = 100_000;

/// Why a statement ends others.
pub(super) enum Leave {
    /// `next`.
    Next,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `return`.
    Return(Value),
    /// `exit`.
    Exit(i32),
    /// The program cannot go on.
    Error(String),
}

/// A parameter of a function that is being executed.
enum Local {
    Value(Value),
    Array(String),
}

/// The state of a program.
pub(super) struct Machine {
    /// What has been printed and not yet been written.
    pub output: Vec<u8>,
    /// The same for stderr.
    pub errors: Vec<u8>,
    /// By name: parameters and body.
    pub functions: HashMap<String, (Vec<String>, Rc<Vec<Stmt>>)>,
    pub(super) arrays: HashMap<String, BTreeMap<String, Value>>,
    pub(super) files: HashMap<String, File>,
    pub(super) readers: HashMap<String, BufReader<File>>,
    pub(super) seed: f64,
    pub(super) state: u64,
    variables: HashMap<String, Value>,
    frames: Vec<HashMap<String, Local>>,
    record: String,
    fields: Vec<String>,
    regexes: HashMap<String, Rc<Regex>>,
    cwd: PathBuf,
    fresh: usize,
}

/// Whether a name is a function that awk has by itself.
pub(super) fn is_function(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Machine {
    /// A machine with the variables that every program finds.
    pub(super) fn new(cwd: PathBuf, environment: Vec<(String, String)>, args: &[String]) -> Self {
        let texts = [
            ("FS", " "),
            ("OFS", " "),
            ("ORS", "\n"),
            ("RS", "\n"),
            ("SUBSEP", "\x1c"),
            ("OFMT", "%.6g"),
            ("CONVFMT", "%.6g"),
        ];
        let mut variables: HashMap<String, Value> = texts
            .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())))
            .into();
        variables.insert(
            "ARGC".into(),
            Value::Number(super::functions::float(args.len() + 1)),
        );
        let environment = environment
            .into_iter()
            .map(|(name, value)| (name, Value::from_input(value)))
            .collect();
        let all = std::iter::once("awk".to_owned()).chain(args.iter().cloned());
        let argv = all
            .enumerate()
            .map(|(at, arg)| (at.to_string(), Value::from_input(arg)))
            .collect();
        Self {
            output: Vec::new(),
            errors: Vec::new(),
            functions: HashMap::new(),
            arrays: HashMap::from([("ENVIRON".into(), environment), ("ARGV".into(), argv)]),
            files: HashMap::new(),
            readers: HashMap::new(),
            seed: 0.0,
            state: 0x9e37_79b9_7f4a_7c15,
            variables,
            frames: Vec::new(),
            record: String::new(),
            fields: Vec::new(),
            regexes: HashMap::new(),
            cwd,
            fresh: 0,
        }
    }

    /// Makes a record the current one.
    pub(super) fn start_record(&mut self, record: String) {
        for name in ["NR", "FNR"] {
            let count = self.variable(name).number() + 1.0;
            self.variables.insert(name.to_owned(), Value::Number(count));
        }
        self.set_record(record);
    }

    fn set_record(&mut self, record: String) {
        let separator = self.variable("FS").text();
        // A bad separator was an error when it was set; here it is no separator.
        self.fields = self.split(&record, &separator).unwrap_or_default();
        self.record = record;
        self.variables.insert(
            "NF".into(),
            Value::Number(super::functions::float(self.fields.len())),
        );
    }

    /// Applies all rules to the current record.
    pub(super) fn rules(&mut self, program: &Program, active: &mut [bool]) -> Result<(), Leave> {
        for ((pattern, body), active) in program.rules.iter().zip(active) {
            let applies = match pattern {
                Pattern::Always => true,
                Pattern::When(condition) => self.evaluate(condition)?.is_true(),
                Pattern::Range(from, to) => {
                    let applies = *active || self.evaluate(from)?.is_true();
                    *active = applies && !self.evaluate(to)?.is_true();
                    applies
                }
            };
            match body {
                _ if !applies => {}
                Some(body) => self.block(body)?,
                None => {
                    let separator = self.variable("ORS").text();
                    self.output.extend_from_slice(self.record.as_bytes());
                    self.output.extend_from_slice(separator.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// The value of a variable that is no parameter.
    pub(super) fn variable(&self, name: &str) -> Value {
        self.variables.get(name).cloned().unwrap_or_default()
    }

    /// Sets a variable or parameter; `NF` changes the record.
    pub(super) fn set_variable(&mut self, name: &str, value: Value) {
        if let Some(Local::Value(local)) =
            self.frames.last_mut().and_then(|frame| frame.get_mut(name))
        {
            *local = value;
            return;
        }
        if name == "NF" {
            let count = index(value.number()).min(MAX_FIELD);
            self.fields.resize(count, String::new());
            self.rebuild();
        }
        self.variables.insert(name.to_owned(), value);
    }

    fn rebuild(&mut self) {
        self.record = self.fields.join(&self.variable("OFS").text());
    }

    /// A field; 0 is the record.
    pub(super) fn field(&self, number: usize) -> Value {
        match number {
            0 => Value::from_input(self.record.clone()),
            _ => self
                .fields
                .get(number - 1)
                .map_or(Value::Unset, |field| Value::from_input(field.clone())),
        }
    }

    pub(super) fn is_array(&self, name: &str) -> bool {
        match self.frames.last().and_then(|frame| frame.get(name)) {
            Some(Local::Array(_)) => true,
            Some(Local::Value(_)) => false,
            None => self.arrays.contains_key(name),
        }
    }

    /// The name under which an array is kept: parameters are references.
    pub(super) fn array_name(&mut self, name: &str) -> String {
        match self.frames.last_mut().and_then(|frame| frame.get_mut(name)) {
            Some(Local::Array(kept)) => kept.clone(),
            Some(local) => {
                self.fresh += 1;
                // No name of a program has this character.
                let kept = format!("{name}#{}", self.fresh);
                *local = Local::Array(kept.clone());
                kept
            }
            None => name.to_owned(),
        }
    }

    fn key(&mut self, index: &[Expr]) -> Result<String, Leave> {
        let mut parts = Vec::with_capacity(index.len());
        for expr in index {
            parts.push(self.evaluate(expr)?.text());
        }
        Ok(parts.join(&self.variable("SUBSEP").text()))
    }

    pub(super) fn regex(&mut self, text: &str) -> Result<Rc<Regex>, Leave> {
        if let Some(regex) = self.regexes.get(text) {
            return Ok(Rc::clone(regex));
        }
        let regex = Rc::new(
            extended_regex(text, false)
                .map_err(|error| Leave::Error(format!("bad regex {text}: {error}")))?,
        );
        self.regexes.insert(text.to_owned(), Rc::clone(&regex));
        Ok(regex)
    }

    /// A regex literal, or a value that is used as one.
    pub(super) fn regex_of(&mut self, expr: &Expr) -> Result<Rc<Regex>, Leave> {
        let text = match expr {
            Expr::Regex(text) => text.clone(),
            other => self.evaluate(other)?.text(),
        };
        self.regex(&text)
    }

    pub(super) fn split(&mut self, text: &str, separator: &str) -> Result<Vec<String>, Leave> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let plain = separator.chars().count() == 1 && separator != "\\";
        Ok(match separator {
            " " => text.split_whitespace().map(str::to_owned).collect(),
            "" => text.chars().map(String::from).collect(),
            _ if plain => text.split(separator).map(str::to_owned).collect(),
            _ => self
                .regex(separator)?
                .split(text)
                .map(str::to_owned)
                .collect(),
        })
    }

    fn block(&mut self, body: &[Stmt]) -> Result<(), Leave> {
        body.iter()
            .try_for_each(|statement| self.execute(statement))
    }

    /// The body of a loop; true when the loop ends.
    fn turn(&mut self, body: &Stmt) -> Result<bool, Leave> {
        match self.execute(body) {
            Err(Leave::Break) => Ok(true),
            Ok(()) | Err(Leave::Continue) => Ok(false),
            Err(leave) => Err(leave),
        }
    }

    /// Executes a statement.
    pub(super) fn execute(&mut self, statement: &Stmt) -> Result<(), Leave> {
        match statement {
            Stmt::Expr(expr) => self.evaluate(expr).map(drop),
            Stmt::Print(arguments, formatted, target) => {
                self.print(arguments, *formatted, target.as_ref())
            }
            Stmt::Block(body) => self.block(body),
            Stmt::If(condition, yes, no) => match (self.evaluate(condition)?.is_true(), no) {
                (true, _) => self.execute(yes),
                (false, Some(no)) => self.execute(no),
                (false, None) => Ok(()),
            },
            Stmt::While(body_first, condition, body) => {
                let mut first = *body_first;
                while std::mem::take(&mut first) || self.evaluate(condition)?.is_true() {
                    if self.turn(body)? {
                        break;
                    }
                }
                Ok(())
            }
            Stmt::For(initial, condition, step, body) => {
                if let Some(initial) = initial {
                    self.execute(initial)?;
                }
                loop {
                    if let Some(condition) = condition
                        && !self.evaluate(condition)?.is_true()
                    {
                        return Ok(());
                    }
                    if self.turn(body)? {
                        return Ok(());
                    }
                    if let Some(step) = step {
                        self.execute(step)?;
                    }
                }
            }
            Stmt::ForIn(name, array, body) => {
                let array = self.array_name(array);
                let mut keys: Vec<String> = self
                    .arrays
                    .get(&array)
                    .map(|elements| elements.keys().cloned().collect())
                    .unwrap_or_default();
                // POSIX leaves the order open; that of numbers is what people expect.
                keys.sort_by(
                    |left, right| match (left.parse::<f64>(), right.parse::<f64>()) {
                        (Ok(left), Ok(right)) => left.total_cmp(&right),
                        _ => left.cmp(right),
                    },
                );
                for key in keys {
                    self.set_variable(name, Value::from_input(key));
                    if self.turn(body)? {
                        break;
                    }
                }
                Ok(())
            }
            Stmt::Next => Err(Leave::Next),
            Stmt::Break => Err(Leave::Break),
            Stmt::Continue => Err(Leave::Continue),
            Stmt::Exit(status) => {
                let status = match status {
                    Some(status) => self.evaluate(status)?.number(),
                    None => 0.0,
                };
                Err(Leave::Exit(
                    format!("{status:.0}").parse::<i32>().unwrap_or(0) & 0xff,
                ))
            }
            Stmt::Return(value) => {
                let value = value
                    .as_ref()
                    .map_or(Ok(Value::Unset), |value| self.evaluate(value))?;
                Err(Leave::Return(value))
            }
            Stmt::Delete(name, index) => {
                let array = self.array_name(name);
                match index {
                    Some(index) => {
                        let key = self.key(index)?;
                        self.arrays.entry(array).or_default().remove(&key);
                    }
                    None => drop(self.arrays.insert(array, BTreeMap::new())),
                }
                Ok(())
            }
        }
    }

    fn print(
        &mut self,
        arguments: &[Expr],
        formatted: bool,
        target: Option<&(bool, Expr)>,
    ) -> Result<(), Leave> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.evaluate(argument)?.text());
        }
        let text = if formatted {
            let Some((format, args)) = values.split_first() else {
                return Err(Leave::Error("printf: no format".into()));
            };
            self.format(format, args)
        } else {
            let line = if arguments.is_empty() {
                self.record.clone()
            } else {
                values.join(&self.variable("OFS").text())
            };
            line + &self.variable("ORS").text()
        };
        let Some((append, name)) = target else {
            self.output.extend_from_slice(text.as_bytes());
            return Ok(());
        };
        let name = self.evaluate(name)?.text();
        match name.as_str() {
            "/dev/stdout" => self.output.extend_from_slice(text.as_bytes()),
            "/dev/stderr" => self.errors.extend_from_slice(text.as_bytes()),
            "/dev/null" => {}
            _ => {
                if !self.files.contains_key(&name) {
                    let path = crate::shell::normalize(&self.cwd.join(&name));
                    let opened = OpenOptions::new()
                        .create(true)
                        .append(*append)
                        .write(true)
                        .truncate(!append)
                        .open(path);
                    let file = opened.map_err(|error| {
                        Leave::Error(format!(
                            "cannot open \"{name}\" ({})",
                            crate::io::strerror(&error)
                        ))
                    })?;
                    self.files.insert(name.clone(), file);
                }
                if let Some(file) = self.files.get_mut(&name) {
                    file.write_all(text.as_bytes()).map_err(|error| {
                        Leave::Error(format!("{name}: {}", crate::io::strerror(&error)))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The value of an expression.
    pub(super) fn evaluate(&mut self, expr: &Expr) -> Result<Value, Leave> {
        Ok(match expr {
            Expr::Number(number) => Value::Number(*number),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Regex(text) => Value::from_bool(self.regex(text)?.is_match(&self.record)),
            Expr::Name(name) => match self.frames.last().and_then(|frame| frame.get(name)) {
                Some(Local::Value(value)) => value.clone(),
                Some(Local::Array(_)) => return Err(Leave::Error(format!("{name} is an array"))),
                None => self.variable(name),
            },
            Expr::Element(name, index) => {
                let (array, key) = (self.array_name(name), self.key(index)?);
                // To name an element makes it (XCU awk).
                self.arrays
                    .entry(array)
                    .or_default()
                    .entry(key)
                    .or_default()
                    .clone()
            }
            Expr::Field(number) => {
                let number = self.evaluate(number)?.number();
                if number < 0.0 {
                    return Err(Leave::Error(format!(
                        "trying to access out of range field {number}"
                    )));
                }
                self.field(index(number))
            }
            Expr::Assign(target, operator, value) => {
                let mut value = self.evaluate(value)?;
                if !operator.is_empty() {
                    let left = self.evaluate(target)?.number();
                    value = Value::Number(arithmetic(operator, left, value.number())?);
                }
                self.assign(target, value.clone())?;
                value
            }
            Expr::Choice(condition, yes, no) => {
                let chosen = if self.evaluate(condition)?.is_true() {
                    yes
                } else {
                    no
                };
                self.evaluate(chosen)?
            }
            Expr::Binary("&&", left, right) => {
                Value::from_bool(self.evaluate(left)?.is_true() && self.evaluate(right)?.is_true())
            }
            Expr::Binary("||", left, right) => {
                Value::from_bool(self.evaluate(left)?.is_true() || self.evaluate(right)?.is_true())
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                match *operator {
                    "" => Value::Text(left.text() + &right.text()),
                    "<" => Value::from_bool(left.compare(&right).is_lt()),
                    "<=" => Value::from_bool(left.compare(&right).is_le()),
                    ">" => Value::from_bool(left.compare(&right).is_gt()),
                    ">=" => Value::from_bool(left.compare(&right).is_ge()),
                    "==" => Value::from_bool(left.compare(&right).is_eq()),
                    "!=" => Value::from_bool(left.compare(&right).is_ne()),
                    _ => Value::Number(arithmetic(operator, left.number(), right.number())?),
                }
            }
            Expr::Match(positive, text, regex) => {
                let text = self.evaluate(text)?.text();
                Value::from_bool(self.regex_of(regex)?.is_match(&text) == *positive)
            }
            Expr::In(index, array) => {
                let (array, key) = (self.array_name(array), self.key(index)?);
                Value::from_bool(
                    self.arrays
                        .get(&array)
                        .is_some_and(|elements| elements.contains_key(&key)),
                )
            }
            Expr::Unary('!', inner) => Value::from_bool(!self.evaluate(inner)?.is_true()),
            Expr::Unary('-', inner) => Value::Number(-self.evaluate(inner)?.number()),
            Expr::Unary(_, inner) => Value::Number(self.evaluate(inner)?.number()),
            Expr::Step(before, step, target) => {
                let old = self.evaluate(target)?.number();
                self.assign(target, Value::Number(old + step))?;
                Value::Number(if *before { old + step } else { old })
            }
            Expr::Call(name, args) => self.call(name, args)?,
            Expr::Getline(target, Some(file)) => {
                let name = self.evaluate(file)?.text();
                if !self.readers.contains_key(&name) {
                    match File::open(crate::shell::normalize(&self.cwd.join(&name))) {
                        Ok(file) => drop(self.readers.insert(name.clone(), BufReader::new(file))),
                        Err(_) => return Ok(Value::Number(-1.0)),
                    }
                }
                let mut line = Vec::new();
                let count = self
                    .readers
                    .get_mut(&name)
                    .map_or(Ok(0), |reader| reader.read_until(b'\n', &mut line));
                match count {
                    Ok(0) => return Ok(Value::Number(0.0)),
                    Err(_) => return Ok(Value::Number(-1.0)),
                    Ok(_) => {}
                }
                let text = String::from_utf8_lossy(&line)
                    .trim_end_matches('\n')
                    .to_owned();
                match target {
                    Some(target) => self.assign(target, Value::from_input(text))?,
                    None => self.set_record(text),
                }
                Value::Number(1.0)
            }
            Expr::Getline(_, None) => {
                return Err(Leave::Error("getline is supported only with a file".into()));
            }
        })
    }

    pub(super) fn assign(&mut self, target: &Expr, value: Value) -> Result<(), Leave> {
        match target {
            Expr::Name(name) => self.set_variable(name, value),
            Expr::Element(name, index) => {
                let (array, key) = (self.array_name(name), self.key(index)?);
                self.arrays.entry(array).or_default().insert(key, value);
            }
            Expr::Field(number) => match index(self.evaluate(number)?.number()) {
                0 => self.set_record(value.text()),
                number if number > MAX_FIELD => {
                    return Err(Leave::Error(format!("field {number} is too high")));
                }
                number => {
                    if self.fields.len() < number {
                        self.fields.resize(number, String::new());
                        self.variables
                            .insert("NF".into(), Value::Number(super::functions::float(number)));
                    }
                    self.fields[number - 1] = value.text();
                    self.rebuild();
                }
            },
            _ => return Err(Leave::Error("assignment to what is no variable".into())),
        }
        Ok(())
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> Result<Value, Leave> {
        let Some((parameters, body)) = self.functions.get(name).cloned() else {
            return if is_function(name) {
                self.builtin(name, args)
            } else {
                Err(Leave::Error(format!("calling undefined function {name}")))
            };
        };
        if self.frames.len() >= MAX_CALLS {
            return Err(Leave::Error(format!("{name}: functions nest too deeply")));
        }
        let mut frame = HashMap::new();
        for (at, parameter) in parameters.into_iter().enumerate() {
            let local = match args.get(at) {
                Some(Expr::Name(array)) if self.is_array(array) => {
                    Local::Array(self.array_name(array))
                }
                Some(arg) => Local::Value(self.evaluate(arg)?),
                None => Local::Value(Value::Unset),
            };
            frame.insert(parameter, local);
        }
        self.frames.push(frame);
        let result = self.block(&body);
        self.frames.pop();
        match result {
            Ok(()) => Ok(Value::Unset),
            Err(Leave::Return(value)) => Ok(value),
            Err(leave) => Err(leave),
        }
    }
}

/// A number as the number of a field.
fn index(number: f64) -> usize {
    format!("{:.0}", number.trunc()).parse().unwrap_or(0)
}

fn arithmetic(operator: &str, left: f64, right: f64) -> Result<f64, Leave> {
    Ok(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "^" => left.powf(right),
        _ if right == 0.0 => return Err(Leave::Error("division by zero".into())),
        "/" => left / right,
        _ => left % right,
    })
}
