//! Word expansion (XCU 2.6): tilde, parameters, substitutions, arithmetic, field splitting, pathnames, quote removal.

pub mod arithmetic;
pub mod glob;
mod parameter;
pub mod pattern;

use crate::exec::{self, Flow};
use crate::rt::Fut;
use crate::shell::{Shell, Value, Variable};
use crate::syntax::ast::{Part, Word};
use std::collections::BTreeMap;

/// A field while it grows.
#[derive(Default)]
struct Field {
    /// What it is when nothing matches.
    text: String,
    /// The same with quoted characters escaped.
    pattern: String,
    /// It has unquoted pattern characters.
    magic: bool,
}

struct Expander {
    fields: Vec<Field>,
    /// The field that grows; `None` between fields.
    current: Option<Field>,
    /// Whether results of expansions are split.
    split: bool,
}

/// All expansions: the arguments of a command.
///
/// # Errors
/// When the shell must stop: an unset variable under `set -u`, a bad expression.
pub async fn fields(shell: &mut Shell, words: &[Word]) -> Result<Vec<String>, Flow> {
    let mut result = Vec::new();
    for word in words {
        for word in braces(word) {
            let mut expander = Expander {
                fields: Vec::new(),
                current: None,
                split: true,
            };
            expander.parts(shell, &word, false).await?;
            expander.end_field();
            for field in expander.fields {
                let found = if field.magic && !shell.options.noglob {
                    glob::expand(&shell.cwd, &field.pattern)
                } else {
                    Vec::new()
                };
                if found.is_empty() {
                    result.push(field.text)
                } else {
                    result.extend(found)
                }
            }
        }
    }
    Ok(result)
}

/// Without splitting and pathnames: the value of an assignment, a `case` subject, a redirection's target.
///
/// # Errors
/// As [`fields`].
pub async fn text(shell: &mut Shell, word: &Word) -> Result<String, Flow> {
    Ok(single(shell, word).await?.text)
}

/// As [`text`], as a pattern in which what was quoted is escaped.
///
/// # Errors
/// As [`fields`].
pub async fn pattern_of(shell: &mut Shell, word: &Word) -> Result<String, Flow> {
    Ok(single(shell, word).await?.pattern)
}

async fn single(shell: &mut Shell, word: &Word) -> Result<Field, Flow> {
    let mut expander = Expander {
        fields: Vec::new(),
        current: None,
        split: false,
    };
    expander.parts(shell, word, false).await?;
    expander.end_field();
    let mut fields = expander.fields.into_iter();
    let mut whole = fields.next().unwrap_or_default();
    for field in fields {
        whole.text.push(' ');
        whole.text.push_str(&field.text);
        whole.pattern.push(' ');
        whole.pattern.push_str(&field.pattern);
    }
    Ok(whole)
}

/// The value of an arithmetic expression.
///
/// # Errors
/// As [`fields`].
pub async fn number(shell: &mut Shell, expression: &Word) -> Result<i64, Flow> {
    let text = text(shell, expression).await?;
    match arithmetic::evaluate(shell, &text) {
        Ok(value) => Ok(value),
        Err(message) => Err(fatal(shell, &message).await),
    }
}

/// Says why the shell must stop; POSIX wants that of a shell that is not interactive (XCU 2.8.1).
pub async fn fatal(shell: &Shell, message: &str) -> Flow {
    shell.complain(message).await;
    Flow::Exit(2)
}

/// Sets (or appends to) an element of an array.
///
/// # Errors
/// The message, when the variable is readonly.
pub fn set_element(
    shell: &mut Shell,
    name: &str,
    index: usize,
    text: String,
    append: bool,
) -> Result<(), String> {
    shell.check_writable(name)?;
    let variable = shell.variables.entry(name.to_owned()).or_insert(Variable {
        value: Value::Unset,
        exported: false,
        readonly: false,
    });
    let mut elements = match std::mem::replace(&mut variable.value, Value::Unset) {
        Value::Array(elements) => elements,
        Value::Scalar(first) => BTreeMap::from([(0, first)]),
        Value::Unset => BTreeMap::new(),
    };
    let element = elements.entry(index).or_default();
    if !append {
        element.clear();
    }
    element.push_str(&text);
    variable.value = Value::Array(elements);
    Ok(())
}

/// One word for each combination of its braces.
fn braces(word: &Word) -> Vec<Word> {
    let Some(at) = word.iter().position(|part| matches!(part, Part::Brace(_))) else {
        return vec![word.clone()];
    };
    let Part::Brace(choices) = &word[at] else {
        return vec![word.clone()];
    };
    let rest = word[at + 1..].to_vec();
    let mut words = Vec::new();
    for choice in choices {
        let combined: Word = word[..at]
            .iter()
            .chain(choice)
            .chain(&rest)
            .cloned()
            .collect();
        words.extend(braces(&combined));
    }
    words
}

impl Expander {
    fn end_field(&mut self) {
        self.fields.extend(self.current.take());
    }

    fn quoted(&mut self, text: &str) {
        let field = self.current.get_or_insert_default();
        field.text.push_str(text);
        field.pattern.push_str(&pattern::escape(text));
    }

    fn literal(&mut self, text: &str) {
        let field = self.current.get_or_insert_default();
        field.text.push_str(text);
        field.pattern.push_str(text);
        field.magic |= text.contains(['*', '?', '[']);
    }

    /// The result of an unquoted expansion: split at `$IFS` (XCU 2.6.5).
    fn unquoted(&mut self, shell: &Shell, text: &str) {
        if !self.split {
            // Its pattern characters count, in `case $x in $pattern)`.
            if !text.is_empty() {
                self.literal(text);
            }
            return;
        }
        let separators = shell.get("IFS").unwrap_or_else(|| " \t\n".into());
        let is_blank = |c: char| c.is_ascii_whitespace() && separators.contains(c);
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if !separators.contains(c) {
                self.literal(c.encode_utf8(&mut [0; 4]));
                // A backslash that comes out of an expansion is a plain character.
                continue;
            }
            let mut hard = !is_blank(c);
            while rest
                .peek()
                .is_some_and(|next| is_blank(*next) || (!hard && separators.contains(*next)))
            {
                hard |= rest.next().is_some_and(|next| !is_blank(next));
            }
            if hard {
                self.current.get_or_insert_default();
            }
            self.end_field();
        }
    }

    fn parts<'a>(
        &'a mut self,
        shell: &'a mut Shell,
        parts: &'a [Part],
        quoted: bool,
    ) -> Fut<'a, Result<(), Flow>> {
        Box::pin(async move {
            for (at, part) in parts.iter().enumerate() {
                match part {
                    Part::Literal(text)
                        if at == 0
                            && !quoted
                            && text.starts_with('~')
                            && self.current.is_none() =>
                    {
                        let (user, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
                        let home = shell
                            .get("HOME")
                            .filter(|_| user == "~" && (parts.len() == 1 || !rest.is_empty()));
                        match home {
                            Some(home) => {
                                self.quoted(&home);
                                self.literal(rest);
                            }
                            None => self.literal(text),
                        }
                    }
                    Part::Literal(text) if quoted => self.quoted(text),
                    Part::Literal(text) => self.literal(text),
                    Part::Quoted(text) => self.quoted(text),
                    Part::Double(inner) => {
                        // `"$@"` without parameters is no field at all; `""` is an empty one.
                        let only_all = !inner.is_empty() && inner.iter().all(parameter::is_all);
                        if !only_all {
                            self.current.get_or_insert_default();
                        }
                        self.parts(shell, inner, true).await?;
                    }
                    Part::Parameter(parameter) => self.parameter(shell, parameter, quoted).await?,
                    Part::Command(list) => {
                        let output = exec::capture(shell, list).await?;
                        self.result(shell, &output, quoted);
                    }
                    Part::Arithmetic(expression) => {
                        let value = number(shell, expression).await?;
                        self.result(shell, &value.to_string(), quoted);
                    }
                    Part::Brace(_) => {}
                }
            }
            Ok(())
        })
    }

    fn result(&mut self, shell: &Shell, text: &str, quoted: bool) {
        if quoted {
            self.quoted(text)
        } else {
            self.unquoted(shell, text)
        }
    }
}
