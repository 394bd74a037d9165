//! `[[ … ]]`: as `test`, but without splitting, with patterns and regular expressions.

use super::Flow;
use crate::builtin::test;
use crate::expand::{self, arithmetic, pattern};
use crate::rt::Fut;
use crate::shell::{Shell, Value, Variable};
use crate::syntax::ast::Condition;
use std::cmp::Ordering;

/// 0 when it holds, 1 when not, 2 when it cannot be told.
pub(super) fn evaluate<'a>(
    shell: &'a mut Shell,
    condition: &'a Condition,
) -> Fut<'a, Result<i32, Flow>> {
    Box::pin(async move {
        let holds = match condition {
            Condition::Not(inner) => evaluate(shell, inner).await? != 0,
            Condition::And(left, right) => {
                evaluate(shell, left).await? == 0 && evaluate(shell, right).await? == 0
            }
            Condition::Or(left, right) => {
                evaluate(shell, left).await? == 0 || evaluate(shell, right).await? == 0
            }
            Condition::Word(word) => !expand::text(shell, word).await?.is_empty(),
            Condition::Unary(operator, word) => {
                let operand = expand::text(shell, word).await?;
                match test::unary(shell, operator, &operand) {
                    Some(holds) => holds,
                    None => {
                        shell
                            .complain(&format!("{operator}: unknown condition"))
                            .await;
                        return Ok(2);
                    }
                }
            }
            Condition::Binary(left, operator, right) => {
                let left = expand::text(shell, left).await?;
                match operator.as_str() {
                    "=" | "==" => pattern::matches(&expand::pattern_of(shell, right).await?, &left),
                    "!=" => !pattern::matches(&expand::pattern_of(shell, right).await?, &left),
                    "=~" => {
                        let right = expand::text(shell, right).await?;
                        match regex_lite::Regex::new(&right) {
                            Ok(regex) => matches_regex(shell, &regex, &left),
                            Err(error) => {
                                shell.complain(&format!("{right}: {error}")).await;
                                return Ok(2);
                            }
                        }
                    }
                    _ => {
                        let right = expand::text(shell, right).await?;
                        match operator.as_str() {
                            "<" => left < right,
                            ">" => left > right,
                            "-nt" | "-ot" | "-ef" => test::files(shell, &left, operator, &right),
                            _ => match (
                                arithmetic::evaluate(shell, &left),
                                arithmetic::evaluate(shell, &right),
                            ) {
                                (Ok(left), Ok(right)) => compare(operator, left.cmp(&right)),
                                (Err(message), _) | (_, Err(message)) => {
                                    shell.complain(&message).await;
                                    return Ok(2);
                                }
                            },
                        }
                    }
                }
            }
        };
        Ok(i32::from(!holds))
    })
}

/// Whether an ordering is what `-eq` and its like ask for.
pub(super) fn compare(operator: &str, ordering: Ordering) -> bool {
    match operator {
        "-eq" => ordering.is_eq(),
        "-ne" => ordering.is_ne(),
        "-lt" => ordering.is_lt(),
        "-le" => ordering.is_le(),
        "-gt" => ordering.is_gt(),
        _ => ordering.is_ge(),
    }
}

fn matches_regex(shell: &mut Shell, regex: &regex_lite::Regex, text: &str) -> bool {
    let found = regex.captures(text);
    let groups = found.iter().flat_map(|captures| captures.iter());
    let groups = groups
        .enumerate()
        .map(|(at, group)| (at, group.map_or(String::new(), |m| m.as_str().to_owned())));
    let value = Value::Array(groups.collect());
    shell.variables.insert(
        "BASH_REMATCH".into(),
        Variable {
            value,
            exported: false,
            readonly: false,
        },
    );
    found.is_some()
}
