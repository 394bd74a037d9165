//! `set`, `return`, `rewrite`, `break` and `if`.

use super::build::{Builder, regex};
use super::error::{ConfigError, Place};
use super::model::{Condition, RewriteFlag, Rule};
use super::tree::Node;

/// The rewriting directives of a block, in their order.
pub(super) fn rules(builder: &Builder<'_>, nodes: &[Node]) -> Result<Vec<Rule>, ConfigError> {
    let mut rules = Vec::new();
    for node in nodes {
        let args: Vec<&str> = node.args.iter().map(String::as_str).collect();
        rules.push(match (node.name.as_str(), args.as_slice()) {
            ("set", [name, text]) => {
                let Some(name) = name.strip_prefix('$') else {
                    return Err(ConfigError::at(
                        &node.place,
                        format!("invalid variable name \"{name}\""),
                    ));
                };
                Rule::Set(
                    builder.set.number(name),
                    builder.template(text, &node.place)?,
                )
            }
            ("return", [code, rest @ ..]) => {
                returned(builder, code, rest.first().copied(), &node.place)?
            }
            ("rewrite", [pattern, replacement, rest @ ..]) => {
                let flag = match rest {
                    [] => RewriteFlag::Next,
                    ["last"] => RewriteFlag::Last,
                    ["break"] => RewriteFlag::Break,
                    ["redirect"] => RewriteFlag::Redirect,
                    ["permanent"] => RewriteFlag::Permanent,
                    _ => {
                        return Err(ConfigError::at(
                            &node.place,
                            format!("invalid parameter \"{}\"", rest.concat()),
                        ));
                    }
                };
                let pattern = regex(pattern, false, &node.place)?;
                Rule::Rewrite(pattern, builder.template(replacement, &node.place)?, flag)
            }
            ("break", _) => Rule::Break,
            ("if", args) => {
                let condition = condition(builder, args, &node.place)?;
                if let Some(other) = node.children.iter().find(|child| {
                    !matches!(child.name.as_str(), "set" | "return" | "rewrite" | "break")
                }) {
                    let message = format!(
                        "\"{}\" directive inside \"if\" is not supported here",
                        other.name
                    );
                    return Err(ConfigError::at(&other.place, message));
                }
                Rule::If(condition, self::rules(builder, &node.children)?)
            }
            _ => continue,
        });
    }
    Ok(rules)
}

fn returned(
    builder: &Builder<'_>,
    code: &str,
    text: Option<&str>,
    place: &Place,
) -> Result<Rule, ConfigError> {
    let invalid = || ConfigError::at(place, format!("invalid return code \"{code}\""));
    match (code.parse::<u16>(), text) {
        (Ok(code), text) if code < 1000 => {
            let text = text.map(|text| builder.template(text, place)).transpose()?;
            Ok(Rule::Return(code, text))
        }
        // A URL alone is a temporary redirect.
        (Err(_), None)
            if code.starts_with("http://")
                || code.starts_with("https://")
                || code.starts_with('$') =>
        {
            Ok(Rule::Return(302, Some(builder.template(code, place)?)))
        }
        _ => Err(invalid()),
    }
}

fn condition(
    builder: &Builder<'_>,
    args: &[&str],
    place: &Place,
) -> Result<Condition, ConfigError> {
    let whole = args.join(" ");
    let inner = whole
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .map(str::trim);
    let Some(inner) = inner else {
        return Err(ConfigError::at(
            place,
            format!("invalid condition \"{whole}\""),
        ));
    };
    let template = |text: &str| builder.template(text.trim(), place);
    for (test, kind, negated) in [
        ("!-f ", 'f', true),
        ("!-d ", 'd', true),
        ("!-e ", 'e', true),
        ("-f ", 'f', false),
        ("-d ", 'd', false),
        ("-e ", 'e', false),
    ] {
        if let Some(path) = inner.strip_prefix(test) {
            return Ok(Condition::File(kind, template(path)?, negated));
        }
    }
    let invalid = || ConfigError::at(place, format!("invalid condition \"{inner}\""));
    if !inner.starts_with('$') {
        return Err(invalid());
    }
    let Some((left, rest)) = inner.split_once(char::is_whitespace) else {
        return Ok(Condition::True(template(inner)?));
    };
    let (operator, right) = rest
        .trim_start()
        .split_once(char::is_whitespace)
        .unwrap_or((rest.trim_start(), ""));
    let right = right.trim();
    Ok(match operator {
        "=" => Condition::Equal(template(left)?, template(right)?, false),
        "!=" => Condition::Equal(template(left)?, template(right)?, true),
        "~" => Condition::Match(template(left)?, regex(right, false, place)?, false),
        "~*" => Condition::Match(template(left)?, regex(right, true, place)?, false),
        "!~" => Condition::Match(template(left)?, regex(right, false, place)?, true),
        "!~*" => Condition::Match(template(left)?, regex(right, true, place)?, true),
        _ => {
            return Err(ConfigError::at(
                place,
                format!("unexpected \"{operator}\" in condition"),
            ));
        }
    })
}
