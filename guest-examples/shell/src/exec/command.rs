//! Simple commands: assignments, and finding what a name stands for (XCU 2.9.1).

use super::{BROKEN_PIPE, Done, Flow, redirect, run};
use crate::applet::{self, Call, Fail};
use crate::expand;
use crate::io::strerror;
use crate::rt::Fut;
use crate::shell::{MAX_CALLS, Shell, Value as Held, Variable};
use crate::syntax::ast::{Assignment, Simple, Value};
use crate::syntax::{self, SyntaxError};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Folders whose programs are all built in: `/bin/cat` is `cat`.
const PROGRAM_FOLDERS: [&str; 6] = [
    "/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/sbin",
];

/// Executes a simple command.
pub async fn simple(shell: &mut Shell, simple: &Simple) -> Done {
    shell.line = simple.line;
    shell.captured = None;
    let argv = expand::fields(shell, &simple.words).await?;
    let Some(name) = argv.first() else {
        let saved = shell.fds.clone();
        let redirected = redirect::apply(shell, &simple.redirects).await;
        shell.fds = saved;
        if !redirected? {
            return Ok(1);
        }
        for assignment in &simple.assignments {
            assign(shell, assignment).await?;
        }
        trace(shell, simple, &argv).await;
        return Ok(shell.captured.unwrap_or(0));
    };
    let declares = matches!(
        name.as_str(),
        "export" | "local" | "readonly" | "declare" | "typeset"
    );
    let mut hidden: Vec<(String, Option<Variable>)> = Vec::new();
    for assignment in &simple.assignments {
        if !declares {
            hidden.push((
                assignment.name.clone(),
                shell.variables.get(&assignment.name).cloned(),
            ));
        }
        assign(shell, assignment).await?;
        if let Some(variable) = shell.variables.get_mut(&assignment.name)
            && !declares
        {
            variable.exported = true;
        }
    }
    trace(shell, simple, &argv).await;
    let keeps_fds = name == "exec";
    let saved = (!keeps_fds && !simple.redirects.is_empty()).then(|| shell.fds.clone());
    let result = match redirect::apply(shell, &simple.redirects).await {
        Ok(true) => call(shell, argv).await,
        Ok(false) => Ok(1),
        Err(flow) => Err(flow),
    };
    if let Some(saved) = saved {
        shell.fds = saved;
    }
    for (name, variable) in hidden.into_iter().rev() {
        match variable {
            Some(variable) => shell.variables.insert(name, variable),
            None => shell.variables.remove(&name),
        };
    }
    result
}

async fn trace(shell: &Shell, simple: &Simple, argv: &[String]) {
    if !shell.options.xtrace {
        return;
    }
    let mut line = shell.get("PS4").unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for assignment in &simple.assignments {
        words.push(format!(
            "{}={}",
            assignment.name,
            shell.get(&assignment.name).unwrap_or_default()
        ));
    }
    words.extend(argv.iter().map(|word| quote(word)));
    line.push_str(&words.join(" "));
    line.push('\n');
    if let Some(fd) = shell.fd(2) {
        // Nowhere is left to report a broken stderr to.
        let _ = fd.write(line.as_bytes()).await;
    }
}

/// A word as it could be typed again.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

async fn assign(shell: &mut Shell, assignment: &Assignment) -> Result<(), Flow> {
    let name = assignment.name.as_str();
    let result = match (&assignment.value, &assignment.index) {
        (Value::Array(words), _) => {
            let values = expand::fields(shell, words).await?;
            let mut elements: BTreeMap<usize, String> = if assignment.append {
                shell.elements(name).into_iter().collect()
            } else {
                BTreeMap::new()
            };
            let start = elements.last_key_value().map_or(0, |(last, _)| last + 1);
            elements.extend(
                values
                    .into_iter()
                    .enumerate()
                    .map(|(at, value)| (start + at, value)),
            );
            shell.check_writable(name).map(|()| {
                let value = Held::Array(elements);
                shell.variables.insert(
                    name.to_owned(),
                    Variable {
                        value,
                        exported: false,
                        readonly: false,
                    },
                );
            })
        }
        (Value::Scalar(word), Some(index)) => {
            let index = expand::number(shell, index).await?;
            let text = expand::text(shell, word).await?;
            match usize::try_from(index) {
                Ok(index) => expand::set_element(shell, name, index, text, assignment.append),
                Err(_) => Err(format!("{name}[{index}]: bad array subscript")),
            }
        }
        (Value::Scalar(word), None) => {
            let text = expand::text(shell, word).await?;
            let before = if assignment.append {
                shell.get(name).unwrap_or_default()
            } else {
                String::new()
            };
            shell.set(name, before + &text)
        }
    };
    match result {
        Ok(()) => Ok(()),
        Err(message) => Err(expand::fatal(shell, &message).await),
    }
}

/// Runs a command that is already expanded: a function, a built-in, a utility, or a script found in `$PATH`.
pub fn call<'a>(shell: &'a mut Shell, mut argv: Vec<String>) -> Fut<'a, Done> {
    Box::pin(async move {
        if argv.is_empty() {
            return Ok(0);
        }
        let name = argv.remove(0);
        if let Some(body) = shell.functions.get(&name).cloned() {
            return function(shell, &body, argv).await;
        }
        call_program(shell, name, argv).await
    })
}

/// As [`call`], but never a function: `command NAME`.
pub async fn call_program(shell: &mut Shell, name: String, args: Vec<String>) -> Done {
    let utility = utility_name(&name).to_owned();
    if is_shell(&utility) {
        let child = Shell {
            name: utility,
            ..new_program(shell)
        };
        return Ok(Box::pin(crate::invoke(child, args)).await);
    }
    if applet::exists(&utility) {
        let mut call = Call::new(shell, utility, args);
        let result = applet::run(&mut call).await;
        let flushed = if result.is_ok() {
            call.flush().await
        } else {
            Ok(())
        };
        let result = flushed.and(result);
        return settle(shell, &name, result).await;
    }
    file(shell, &name, args).await
}

/// The name without its folder, if that is where images have such a program.
fn utility_name(name: &str) -> &str {
    match name.rsplit_once('/') {
        // The image of this name has its program at the root.
        Some(("", "pause")) => "pause",
        Some((folder, base)) if PROGRAM_FOLDERS.contains(&folder) && is_program(base) => base,
        _ => name,
    }
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "ash" | "dash")
}

fn is_program(name: &str) -> bool {
    is_shell(name) || applet::exists(name)
}

/// What the outcome of a built-in or utility means for the shell.
async fn settle(shell: &mut Shell, name: &str, result: Result<i32, Fail>) -> Done {
    let (message, status) = match result {
        Ok(status) => return Ok(status),
        Err(Fail::Flow(flow)) => return Err(flow),
        Err(Fail::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            // A built-in writes in the shell itself, which SIGPIPE would end.
            return if applet::is_builtin(name) {
                Err(Flow::Exit(BROKEN_PIPE))
            } else {
                Ok(BROKEN_PIPE)
            };
        }
        Err(Fail::Io(error)) => (strerror(&error), 1),
        Err(Fail::Message(message, status)) => (message, status),
    };
    let base = name.rsplit('/').next().unwrap_or(name);
    if let Some(fd) = shell.fd(2) {
        // Nowhere is left to report a broken stderr to.
        let _ = fd.write(format!("{base}: {message}\n").as_bytes()).await;
    }
    Ok(status)
}

/// The state that a program started by this shell has: exported variables, descriptors, where it is.
fn new_program(shell: &Shell) -> Shell {
    let mut program = Shell::new(shell.cwd.clone(), shell.environment().into_iter());
    program.fds.clone_from(&shell.fds);
    program.next_pid = Rc::clone(&shell.next_pid);
    program.process = if shell.is_replaced {
        shell.process.exec();
        Rc::clone(&shell.process)
    } else {
        shell.process.child(shell.take_pid())
    };
    program.shell_process = Rc::clone(&program.process);
    program.is_replaced = false;
    program.call_depth = shell.call_depth + 1;
    program
}

/// A script: with a slash in its name where that says, else in `$PATH`.
async fn file(shell: &mut Shell, name: &str, args: Vec<String>) -> Done {
    let path = if name.contains('/') {
        Some(shell.path(name))
    } else {
        let folders = shell.get("PATH").unwrap_or_default();
        folders
            .split(':')
            .map(|folder| shell.path(folder).join(name))
            .find(|path| path.is_file())
    };
    let Some(path) = path else {
        shell.complain(&format!("{name}: not found")).await;
        return Ok(127);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let found = path.exists();
            let reason = if found {
                strerror(&error)
            } else {
                "not found".into()
            };
            shell.complain(&format!("{name}: {reason}")).await;
            return Ok(if found { 126 } else { 127 });
        }
    };
    if bytes.starts_with(b"\0asm") {
        shell
            .complain(&format!(
                "{name}: a WebAssembly module cannot be started from inside a container"
            ))
            .await;
        return Ok(126);
    }
    // As bash tells a script from a program of another machine: by the bytes of its first line.
    if bytes
        .iter()
        .take_while(|byte| **byte != b'\n')
        .any(|byte| *byte == 0)
    {
        shell.complain(&format!("{name}: Exec format error")).await;
        return Ok(126);
    }
    let text = String::from_utf8_lossy(&bytes);
    let interpreter = text
        .strip_prefix("#!")
        .and_then(|rest| rest.lines().next())
        .unwrap_or("/bin/sh");
    let words: Vec<&str> = interpreter.split_whitespace().collect();
    let words = if words.first().is_some_and(|first| first.ends_with("/env")) {
        &words[1..]
    } else {
        &words[..]
    };
    let base = words
        .first()
        .and_then(|first| first.rsplit('/').next())
        .unwrap_or("sh");
    if !is_program(base) {
        shell
            .complain(&format!("{name}: {base}: bad interpreter: not found"))
            .await;
        return Ok(126);
    }
    let mut argv = vec![base.to_owned()];
    argv.extend(words.iter().skip(1).map(|word| (*word).to_owned()));
    argv.push(if name.contains('/') {
        name.to_owned()
    } else {
        path.to_string_lossy().into_owned()
    });
    argv.extend(args);
    let base = argv.remove(0);
    Box::pin(call_program(shell, base, argv)).await
}

async fn function(shell: &mut Shell, body: &crate::syntax::ast::Node, args: Vec<String>) -> Done {
    if shell.call_depth >= MAX_CALLS {
        return Err(expand::fatal(shell, "too many nested calls").await);
    }
    let positional = std::mem::replace(&mut shell.positional, args);
    let loop_depth = std::mem::take(&mut shell.loop_depth);
    shell.call_depth += 1;
    shell.locals.push(Vec::new());
    let result = run(shell, body).await;
    for (name, variable) in shell.locals.pop().unwrap_or_default().into_iter().rev() {
        match variable {
            Some(variable) => shell.variables.insert(name, variable),
            None => shell.variables.remove(&name),
        };
    }
    shell.call_depth -= 1;
    shell.loop_depth = loop_depth;
    shell.positional = positional;
    match result {
        Err(Flow::Return(status)) => Ok(status),
        other => other,
    }
}

/// Parses and runs text in this shell: `eval`, `.`, traps, `-c`.
pub fn script<'a>(shell: &'a mut Shell, text: &'a str) -> Fut<'a, Done> {
    Box::pin(async move {
        if shell.call_depth >= MAX_CALLS {
            return Err(expand::fatal(shell, "too many nested calls").await);
        }
        match syntax::parse(text) {
            Ok(_) if shell.options.noexec => Ok(0),
            Ok(program) => {
                shell.call_depth += 1;
                let result = run(shell, &program).await;
                shell.call_depth -= 1;
                result
            }
            Err(SyntaxError::Incomplete) => {
                shell.line = text.lines().count().max(1);
                Err(expand::fatal(shell, "Syntax error: end of file unexpected").await)
            }
            Err(SyntaxError::At(message, line)) => {
                shell.line = line;
                Err(expand::fatal(shell, &message).await)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_where_images_have_them() {
        for (name, utility) in [
            ("cat", "cat"),
            ("/bin/cat", "cat"),
            ("/usr/bin/sh", "sh"),
            ("/bin/no-such", "/bin/no-such"),
            ("/cat", "/cat"),
            ("./cat", "./cat"),
            ("/pause", "pause"),
        ] {
            assert_eq!(utility_name(name), utility);
        }
    }
}
