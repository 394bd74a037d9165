//! Parameter expansion (XCU 2.6.2) with bash's replacement, slices, cases and arrays.

use super::{Expander, fatal, number, pattern, pattern_of, text};
use crate::exec::Flow;
use crate::shell::{Shell, Value};
use crate::syntax::ast::{Operation, Parameter, Part, Place, Word};

/// Whether a part is `$@` or `${name[@]}`, which may expand to no field even in quotes.
pub(super) fn is_all(part: &Part) -> bool {
    matches!(part, Part::Parameter(parameter)
        if (parameter.name == "@" || is_subscript(parameter, "@")) && !matches!(parameter.operation, Operation::Length))
}

fn is_subscript(parameter: &Parameter, which: &str) -> bool {
    matches!(parameter.index.as_deref(), Some([Part::Literal(text)]) if text == which)
}

impl Expander {
    pub(super) async fn parameter(
        &mut self,
        shell: &mut Shell,
        parameter: &Parameter,
        quoted: bool,
    ) -> Result<(), Flow> {
        let mut name = parameter.name.clone();
        if parameter.indirect {
            if is_subscript(parameter, "@") || is_subscript(parameter, "*") {
                let indices: Vec<String> = shell
                    .elements(&name)
                    .iter()
                    .map(|(index, _)| index.to_string())
                    .collect();
                self.result(shell, &indices.join(" "), quoted);
                return Ok(());
            }
            name = shell.get(&name).unwrap_or_default();
        }
        let all = ["@", "*"]
            .into_iter()
            .find(|which| name == **which || is_subscript(parameter, which));
        if let Some(which) = all {
            let values = match name.as_str() {
                "@" | "*" => shell.positional.clone(),
                _ => shell
                    .elements(&name)
                    .into_iter()
                    .map(|(_, text)| text)
                    .collect(),
            };
            return self.all(shell, parameter, values, which, quoted).await;
        }
        let value = match &parameter.index {
            Some(index) => {
                let index = number(shell, index).await?;
                let elements = shell.elements(&name);
                let index = if index < 0 {
                    elements
                        .last()
                        .map_or(0, |(last, _)| i64::try_from(*last).unwrap_or(i64::MAX))
                        + 1
                        + index
                } else {
                    index
                };
                elements
                    .into_iter()
                    .find(|(at, _)| i64::try_from(*at) == Ok(index))
                    .map(|(_, text)| text)
            }
            None => special(shell, &name),
        };
        match &parameter.operation {
            Operation::Default(colon, word)
            | Operation::Assign(colon, word)
            | Operation::Error(colon, word)
                if value.as_ref().is_none_or(|text| *colon && text.is_empty()) =>
            {
                match &parameter.operation {
                    Operation::Default(..) => self.parts(shell, word, quoted).await,
                    Operation::Assign(..) => {
                        let new = text(shell, word).await?;
                        if let Err(message) = shell.set(&name, new.clone()) {
                            return Err(fatal(shell, &message).await);
                        }
                        self.result(shell, &new, quoted);
                        Ok(())
                    }
                    _ => {
                        let message = text(shell, word).await?;
                        let message = if message.is_empty() {
                            "parameter not set".into()
                        } else {
                            message
                        };
                        Err(fatal(shell, &format!("{name}: {message}")).await)
                    }
                }
            }
            Operation::Alternative(colon, word) => {
                if value.is_some_and(|text| !*colon || !text.is_empty()) {
                    self.parts(shell, word, quoted).await?;
                }
                Ok(())
            }
            operation => {
                let assigned = matches!(
                    operation,
                    Operation::Default(..) | Operation::Assign(..) | Operation::Error(..)
                );
                if value.is_none() && shell.options.nounset && !assigned {
                    return Err(fatal(shell, &format!("{name}: parameter not set")).await);
                }
                let result = apply(shell, operation, value.unwrap_or_default()).await?;
                self.result(shell, &result, quoted);
                Ok(())
            }
        }
    }

    /// `$@`, `$*`, and all elements of an array.
    async fn all(
        &mut self,
        shell: &mut Shell,
        parameter: &Parameter,
        mut values: Vec<String>,
        which: &str,
        quoted: bool,
    ) -> Result<(), Flow> {
        match &parameter.operation {
            Operation::Length => {
                self.result(shell, &values.len().to_string(), quoted);
                return Ok(());
            }
            Operation::Default(colon, word)
                if values.is_empty() || (*colon && values.iter().all(String::is_empty)) =>
            {
                return self.parts(shell, word, quoted).await;
            }
            Operation::Alternative(_, word) => {
                return if values.is_empty() {
                    Ok(())
                } else {
                    self.parts(shell, word, quoted).await
                };
            }
            Operation::Slice(offset, length) => {
                if parameter.name == "@" || parameter.name == "*" {
                    values.insert(0, shell.name.clone());
                }
                let (start, end) =
                    slice_bounds(shell, offset, length.as_ref(), values.len()).await?;
                values = values.into_iter().take(end).skip(start).collect();
            }
            operation => {
                let mut changed = Vec::with_capacity(values.len());
                for value in values {
                    changed.push(apply(shell, operation, value).await?);
                }
                values = changed;
            }
        }
        if quoted && which == "*" {
            let separator = shell.get("IFS").map_or(Some(' '), |ifs| ifs.chars().next());
            let joined = values.join(&separator.map(String::from).unwrap_or_default());
            self.quoted(&joined);
            return Ok(());
        }
        for (at, value) in values.iter().enumerate() {
            if at > 0 && (self.split || quoted) {
                self.end_field();
            }
            if quoted {
                self.quoted(value);
            } else {
                if at > 0 && !self.split {
                    self.literal(" ");
                }
                self.unquoted(shell, value);
            }
        }
        Ok(())
    }
}

/// The value of a parameter by name, a special or positional one too.
fn special(shell: &Shell, name: &str) -> Option<String> {
    let options = &shell.options;
    match name {
        "?" => Some(shell.status.to_string()),
        "#" => Some(shell.positional.len().to_string()),
        "$" => Some(shell.shell_process.id.to_string()),
        "!" => shell.jobs.last().map(|job| job.process.id.to_string()),
        "0" => Some(shell.name.clone()),
        "-" => Some(
            [
                (options.errexit, 'e'),
                (options.noglob, 'f'),
                (options.nounset, 'u'),
                (options.xtrace, 'x'),
            ]
            .iter()
            .filter_map(|(on, letter)| on.then_some(*letter))
            .collect(),
        ),
        _ => match name.parse::<usize>() {
            Ok(position) => shell.positional.get(position - 1).cloned(),
            Err(_) => shell.get(name),
        },
    }
}

async fn apply(shell: &mut Shell, operation: &Operation, value: String) -> Result<String, Flow> {
    Ok(match operation {
        Operation::Length => value.chars().count().to_string(),
        Operation::TrimPrefix(longest, word) => {
            let glob = pattern_of(shell, word).await?;
            pattern::prefix_end(&glob, &value, *longest)
                .map_or(value.clone(), |end| value[end..].to_owned())
        }
        Operation::TrimSuffix(longest, word) => {
            let glob = pattern_of(shell, word).await?;
            pattern::suffix_start(&glob, &value, *longest)
                .map_or(value.clone(), |start| value[..start].to_owned())
        }
        Operation::Replace(place, word, with) => {
            let glob = pattern_of(shell, word).await?;
            let with = text(shell, with).await?;
            replace(*place, &glob, &with, &value)
        }
        Operation::Slice(offset, length) => {
            let chars: Vec<char> = value.chars().collect();
            let (start, end) = slice_bounds(shell, offset, length.as_ref(), chars.len()).await?;
            chars.into_iter().take(end).skip(start).collect()
        }
        Operation::Case(upper, all) => {
            let change = |text: &str| {
                if *upper {
                    text.to_uppercase()
                } else {
                    text.to_lowercase()
                }
            };
            let first = if *all {
                value.len()
            } else {
                value.chars().next().map_or(0, char::len_utf8)
            };
            change(&value[..first]) + &value[first..]
        }
        _ => value,
    })
}

async fn slice_bounds(
    shell: &mut Shell,
    offset: &Word,
    length: Option<&Word>,
    available: usize,
) -> Result<(usize, usize), Flow> {
    let available = i64::try_from(available).unwrap_or(i64::MAX);
    let from_end = |value: i64| {
        if value < 0 {
            (available + value).max(0)
        } else {
            value.min(available)
        }
    };
    let start = from_end(number(shell, offset).await?);
    let end = match length {
        None => available,
        Some(length) => match number(shell, length).await? {
            negative if negative < 0 => from_end(negative),
            length => start.saturating_add(length).min(available),
        },
    };
    Ok((
        usize::try_from(start).unwrap_or_default(),
        usize::try_from(end).unwrap_or_default(),
    ))
}

fn replace(place: Place, glob: &str, with: &str, value: &str) -> String {
    match place {
        Place::Start => pattern::prefix_end(glob, value, true)
            .map_or(value.to_owned(), |end| format!("{with}{}", &value[end..])),
        Place::End => pattern::suffix_start(glob, value, true).map_or(value.to_owned(), |start| {
            format!("{}{with}", &value[..start])
        }),
        Place::First | Place::All => {
            let mut result = String::new();
            let mut rest = value;
            while let Some(first) = rest.chars().next() {
                match pattern::prefix_end(glob, rest, true).filter(|end| *end > 0) {
                    Some(end) => {
                        result.push_str(with);
                        rest = &rest[end..];
                        if place == Place::First {
                            break;
                        }
                    }
                    None => {
                        result.push(first);
                        rest = &rest[first.len_utf8()..];
                    }
                }
            }
            result + rest
        }
    }
}

impl Shell {
    /// Whether a variable is set, for `[[ -v name ]]`.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables
            .get(name)
            .is_some_and(|variable| !matches!(variable.value, Value::Unset))
    }
}
