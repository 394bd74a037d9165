//! `awk` (XCU awk).
//!
//! Not done: pipes to and from commands, `system`, `getline` without a file, locales.
//! What one record prints is held until its rules have ended.

mod ast;
mod functions;
mod parse;
mod run;
mod value;

use super::{Call, Fail, Outcome};
use crate::io::{Fd, strerror};
use run::{Leave, Machine};
use value::Value;

/// `awk [-F separator] [-v name=value…] program|-f file [argument…]`.
pub async fn awk(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "+F:v:f:",
        &[("field-separator", 'F'), ("assign", 'v'), ("file", 'f')],
    )?;
    let mut text = String::new();
    for (_, name) in options.iter().filter(|(option, _)| *option == 'f') {
        let file = call.open(name).map_err(|error| {
            Fail::usage(format!("can't open file {name}: {}", strerror(&error)))
        })?;
        text.push_str(&String::from_utf8_lossy(&file.read_to_end().await?));
        text.push('\n');
    }
    if !options.has('f') {
        if call.args.is_empty() {
            return Err(Fail::usage(
                "usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]",
            ));
        }
        text = call.args.remove(0);
    }
    let program = parse::parse(&text).map_err(Fail::usage)?;
    let mut machine = Machine::new(call.shell.cwd.clone(), call.shell.environment(), &call.args);
    machine.functions.clone_from(&program.functions);
    if let Some(separator) = options.value('F') {
        let separator = if separator == "t" {
            "\t".to_owned()
        } else {
            unescaped(separator)
        };
        machine.set_variable("FS", Value::Text(separator));
    }
    for (_, assignment) in options.iter().filter(|(option, _)| *option == 'v') {
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| Fail::usage("invalid -v argument"))?;
        machine.set_variable(name, Value::from_input(unescaped(value)));
    }

    let mut status = Ok(());
    for statement in &program.begin {
        status = status.and_then(|()| machine.execute(statement));
    }
    print(call, &mut machine).await?;
    let reads = !program.rules.is_empty() || !program.end.is_empty();
    if status.is_ok() && reads {
        status = records(call, &mut machine, &program).await?;
    }
    if matches!(status, Ok(()) | Err(Leave::Exit(_))) {
        let code = match status {
            Err(Leave::Exit(code)) => code,
            _ => 0,
        };
        // An exit in END is the end; one before it still runs END (XCU awk, exit).
        let mut ended = if reads || program.begin.is_empty() {
            Ok(())
        } else {
            Err(Leave::Exit(code))
        };
        for statement in &program.end {
            ended = ended.and_then(|()| machine.execute(statement));
        }
        status = match ended {
            Ok(()) => Err(Leave::Exit(code)),
            other => other,
        };
    }
    print(call, &mut machine).await?;
    match status {
        Err(Leave::Exit(code)) => Ok(code),
        Err(Leave::Error(message)) => Err(Fail::usage(message)),
        _ => Ok(0),
    }
}

fn unescaped(text: &str) -> String {
    String::from_utf8_lossy(&crate::escape::unescape(text, crate::escape::Style::Quote).0)
        .into_owned()
}

/// Writes what the program has printed.
async fn print(call: &mut Call<'_>, machine: &mut Machine) -> Result<(), Fail> {
    call.put(std::mem::take(&mut machine.output)).await?;
    let errors = std::mem::take(&mut machine.errors);
    if !errors.is_empty()
        && let Some(fd) = call.shell.fd(2)
    {
        fd.write(&errors).await?;
    }
    Ok(())
}

/// All records of all operands.
async fn records(
    call: &mut Call<'_>,
    machine: &mut Machine,
    program: &ast::Program,
) -> Result<Result<(), Leave>, Fail> {
    let mut operands = std::mem::take(&mut call.args);
    let is_assignment = |operand: &String| {
        operand.split_once('=').is_some_and(|(name, _)| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    if operands.iter().all(is_assignment) {
        operands.push("-".into());
    }
    let mut active = vec![false; program.rules.len()];
    for operand in operands {
        if is_assignment(&operand) {
            if let Some((name, value)) = operand.split_once('=') {
                machine.set_variable(name, Value::from_input(unescaped(value)));
            }
            continue;
        }
        let input = match call.open(&operand) {
            Ok(input) => input,
            Err(error) => {
                return Ok(Err(Leave::Error(format!(
                    "cannot open \"{operand}\" ({})",
                    strerror(&error)
                ))));
            }
        };
        machine.set_variable(
            "FILENAME",
            Value::Text(if operand == "-" {
                String::new()
            } else {
                operand
            }),
        );
        machine.set_variable("FNR", Value::Number(0.0));
        while let Some(record) = next_record(call, &input, machine).await? {
            machine.start_record(record);
            match machine.rules(program, &mut active) {
                Ok(()) | Err(Leave::Next) => {}
                leave => return Ok(leave),
            }
            print(call, machine).await?;
        }
    }
    Ok(Ok(()))
}

async fn next_record(
    call: &mut Call<'_>,
    input: &Fd,
    machine: &Machine,
) -> Result<Option<String>, Fail> {
    let separator = machine.variable("RS").text();
    match separator.as_bytes() {
        b"\n" => call.next_text(input).await,
        [] => {
            // Records are paragraphs.
            let mut record = String::new();
            while let Some(line) = call.next_text(input).await? {
                if !line.is_empty() {
                    if !record.is_empty() {
                        record.push('\n');
                    }
                    record.push_str(&line);
                } else if !record.is_empty() {
                    break;
                }
            }
            Ok(Some(record).filter(|record| !record.is_empty()))
        }
        [first, ..] => {
            if !input.has_buffered() {
                call.flush().await?;
            }
            let mut bytes = input.read_until(*first).await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            if bytes.last() == Some(first) {
                bytes.pop();
            }
            Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
        }
    }
}
