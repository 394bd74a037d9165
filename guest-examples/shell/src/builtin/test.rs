//! `test` and `[` (XCU test), by the number of their arguments, and the operators that `[[` shares.

use crate::applet::{Call, Fail, Outcome};
use crate::shell::Shell;

/// `test expression`, `[ expression ]`.
pub async fn test(call: &mut Call<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args);
    if call.name == "[" && args.pop().as_deref() != Some("]") {
        return Err(Fail::usage("missing ]"));
    }
    let mut rest: Vec<&str> = args.iter().map(String::as_str).collect();
    let holds = if rest.is_empty() {
        false
    } else {
        or(call.shell, &mut rest).map_err(Fail::usage)?
    };
    match rest.first() {
        Some(extra) => Err(Fail::usage(format!("{extra}: unexpected operator"))),
        None => Ok(i32::from(!holds)),
    }
}

fn or(shell: &Shell, rest: &mut Vec<&str>) -> Result<bool, String> {
    let mut holds = and(shell, rest)?;
    while rest.first() == Some(&"-o") {
        rest.remove(0);
        let right = and(shell, rest)?;
        holds = holds || right;
    }
    Ok(holds)
}

fn and(shell: &Shell, rest: &mut Vec<&str>) -> Result<bool, String> {
    let mut holds = term(shell, rest)?;
    while rest.first() == Some(&"-a") {
        rest.remove(0);
        let right = term(shell, rest)?;
        holds = holds && right;
    }
    Ok(holds)
}

fn term(shell: &Shell, rest: &mut Vec<&str>) -> Result<bool, String> {
    match rest.as_slice() {
        [] => Err("argument expected".into()),
        [left, operator, right, ..] if is_binary(operator) => {
            let holds = binary(shell, left, operator, right)?;
            rest.drain(..3);
            Ok(holds)
        }
        ["!", _, ..] => {
            rest.remove(0);
            Ok(!term(shell, rest)?)
        }
        ["(", _, ..] => {
            rest.remove(0);
            let holds = or(shell, rest)?;
            if rest.first() != Some(&")") {
                return Err("missing )".into());
            }
            rest.remove(0);
            Ok(holds)
        }
        [operator, operand, ..]
            if operator.len() == 2
                && operator.starts_with('-')
                && !matches!(*operand, "-a" | "-o") =>
        {
            let holds = unary(shell, operator, operand)
                .ok_or_else(|| format!("{operator}: unexpected operator"))?;
            rest.drain(..2);
            Ok(holds)
        }
        [word, ..] => {
            let holds = !word.is_empty();
            rest.remove(0);
            Ok(holds)
        }
    }
}

fn is_binary(operator: &str) -> bool {
    matches!(
        operator,
        "=" | "=="
            | "!="
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
    )
}

fn binary(shell: &Shell, left: &str, operator: &str, right: &str) -> Result<bool, String> {
    Ok(match operator {
        "=" | "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "-nt" | "-ot" | "-ef" => files(shell, left, operator, right),
        _ => {
            let number = |text: &str| {
                text.trim()
                    .parse::<i64>()
                    .map_err(|_| format!("Illegal number: {text}"))
            };
            let ordering = number(left)?.cmp(&number(right)?);
            match operator {
                "-eq" => ordering.is_eq(),
                "-ne" => ordering.is_ne(),
                "-lt" => ordering.is_lt(),
                "-le" => ordering.is_le(),
                "-gt" => ordering.is_gt(),
                _ => ordering.is_ge(),
            }
        }
    })
}

/// `-nt`, `-ot`, `-ef`.
pub fn files(shell: &Shell, left: &str, operator: &str, right: &str) -> bool {
    if operator == "-ef" {
        return shell.path(left) == shell.path(right) && shell.path(left).exists();
    }
    let modified = |name: &str| {
        shell
            .path(name)
            .metadata()
            .and_then(|data| data.modified())
            .ok()
    };
    let (left, right) = (modified(left), modified(right));
    if operator == "-nt" {
        left > right
    } else {
        right > left
    }
}

/// A unary operator; `None` when it is not one. WASI has no owners and no permissions: what exists can be read, and
/// what has a program's form can be executed.
pub fn unary(shell: &Shell, operator: &str, operand: &str) -> Option<bool> {
    let path = || shell.path(operand);
    Some(match operator {
        "-n" => !operand.is_empty(),
        "-z" => operand.is_empty(),
        "-e" | "-a" | "-r" | "-w" | "-O" | "-G" | "-N" => exists(shell, operand),
        "-x" => {
            exists(shell, operand)
                || operand.rsplit_once('/').is_some_and(|(_, base)| {
                    crate::applet::exists(base) && operand.contains("bin/")
                })
        }
        "-f" => path().is_file(),
        "-d" => path().is_dir(),
        "-s" => path().metadata().is_ok_and(|data| data.len() > 0),
        "-L" | "-h" => path().is_symlink(),
        "-v" => shell.is_set(operand),
        "-c" => matches!(
            operand,
            "/dev/null" | "/dev/stdin" | "/dev/stdout" | "/dev/stderr"
        ),
        "-b" | "-p" | "-S" | "-k" | "-u" | "-g" | "-o" => false,
        "-t" => {
            let number = operand.trim().parse().ok();
            number
                .and_then(|number| shell.fd(number))
                .is_some_and(|fd| fd.is_terminal())
        }
        _ => return None,
    })
}

fn exists(shell: &Shell, operand: &str) -> bool {
    // An empty name is not the current directory.
    !operand.is_empty() && (shell.path(operand).exists() || operand == "/dev/null")
}
