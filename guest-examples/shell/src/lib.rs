//! The userland of a container, as one program: a POSIX shell and the usual utilities.
//!
//! The name by which it is called decides: `sh` and its relatives are the shell, `cat`, `sleep`, `ls` … are that
//! utility, as in busybox. Nothing is ever executed as another program: utilities are functions of this one, pipelines
//! and jobs are tasks of one thread ([`rt`]), and WASI's missing dup, pipe and fork are done by our own descriptors
//! ([`io`]). Behaviour follows POSIX.1-2024 (XCU 2 and the utilities' pages), and Debian's where they leave a choice.
//!
//! On a terminal it prompts (`PS1`, `PS2`); editing a line is the work of the host's line discipline.
//!
//! Signals come from the host and from `kill` ([`signals`]).
//!
//! Deliberately not done: a line editor, job control, processes other than our own.

pub mod applet;
pub mod builtin;
pub mod escape;
pub mod exec;
pub mod expand;
pub mod io;
pub mod rt;
pub mod shell;
pub mod signals;
pub mod syntax;

use exec::{Done, Flow, command};
use rt::Fut;
use shell::Shell;
use signals::{Interrupted, Signal};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;
use syntax::SyntaxError;

thread_local! {
    /// When the container started: `$SECONDS`, `uptime`.
    pub static START: Instant = Instant::now();
}

/// Runs the program as it was called and gives its exit status.
pub fn main(
    mut argv: Vec<String>,
    cwd: PathBuf,
    environment: impl Iterator<Item = (String, String)>,
) -> i32 {
    START.with(|_| ());
    let mut shell = Shell::new(cwd, environment);
    let mut called = if argv.is_empty() {
        "sh".to_owned()
    } else {
        argv.remove(0)
    };
    // By its own name it takes the utility's from its arguments.
    if matches!(
        called.rsplit('/').next(),
        Some("shell" | "shell.wasm" | "busybox")
    ) {
        called = if argv.is_empty() {
            "sh".to_owned()
        } else {
            argv.remove(0)
        };
    }
    rt::block_on(async move {
        // A login shell's name starts with a dash.
        let result =
            command::call_program(&mut shell, called.trim_start_matches('-').to_owned(), argv)
                .await;
        exec::finish(&mut shell, result).await
    })
}

/// The shell as a program, with its own arguments (XCU sh).
pub fn invoke<'a>(mut shell: Shell, args: Vec<String>) -> Fut<'a, i32> {
    Box::pin(async move {
        let process = Rc::clone(&shell.process);
        let result = match signals::interruptible(
            process,
            Interrupted::Shell,
            with_arguments(&mut shell, args),
        )
        .await
        {
            Ok(result) => result,
            Err(signal) => Err(Flow::Exit(signals::status_of(signal))),
        };
        exec::finish(&mut shell, result).await
    })
}

async fn with_arguments(shell: &mut Shell, args: Vec<String>) -> Done {
    let mut args = args.into_iter().peekable();
    let (mut is_command, mut from_stdin) = (false, false);
    let mut forced_interactive = false;
    while let Some(option) =
        args.next_if(|arg| arg.len() > 1 && (arg.starts_with('-') || arg.starts_with('+')))
    {
        if option == "--" {
            break;
        }
        // bash's --norc, --login, --posix change nothing here.
        if option.starts_with("--") {
            continue;
        }
        let on = option.starts_with('-');
        for letter in option.chars().skip(1) {
            match letter {
                'c' => is_command = true,
                's' => from_stdin = true,
                'i' => forced_interactive = true,
                'l' | 'm' | 'b' | 'h' | 'v' => {}
                'o' => {
                    let name = args.next().unwrap_or_default();
                    if !builtin::options::set_by_name(&mut shell.options, &name, on) {
                        return Err(
                            expand::fatal(shell, &format!("Illegal option -o {name}")).await
                        );
                    }
                }
                _ if builtin::options::set_by_letter(&mut shell.options, letter, on) => {}
                _ => return Err(expand::fatal(shell, &format!("Illegal option -{letter}")).await),
            }
        }
    }
    if is_command {
        let Some(script) = args.next() else {
            return Err(expand::fatal(shell, "-c requires an argument").await);
        };
        if let Some(name) = args.next() {
            shell.name = name;
        }
        shell.positional = args.collect();
        return command::script(shell, &script).await;
    }
    match args.next() {
        Some(file) if !from_stdin => {
            shell.positional = args.collect();
            let text = match std::fs::read(shell.path(&file)) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => {
                    shell
                        .complain(&format!("cannot open {file}: {}", io::strerror(&error)))
                        .await;
                    return Ok(if error.kind() == std::io::ErrorKind::NotFound {
                        127
                    } else {
                        126
                    });
                }
            };
            shell.name = file;
            command::script(shell, &text).await
        }
        first => {
            shell.positional = first.into_iter().chain(args).collect();
            let is_interactive =
                forced_interactive || shell.fd(0).is_some_and(|fd| fd.is_terminal());
            from_input(shell, is_interactive).await
        }
    }
}

/// What an interactive shell prints before a command; ours is always root's.
const PRIMARY_PROMPT: &str = "# ";
/// What it prints before a further line of a command.
const SECONDARY_PROMPT: &str = "> ";

async fn prompt(shell: &Shell, name: &str, default: &str) {
    if let Some(fd) = shell.fd(2) {
        let text = shell.get(name).unwrap_or_else(|| default.to_owned());
        // Nowhere is left to report a broken stderr to.
        let _ = fd.write(text.as_bytes()).await;
    }
}

/// Runs something in an interactive shell until `^C` is typed; in others to its end.
async fn unless_typed<T>(
    process: Rc<signals::Process>,
    is_interactive: bool,
    work: impl Future<Output = T>,
) -> Result<T, Signal> {
    if is_interactive {
        signals::interruptible(process, Interrupted::Line, work).await
    } else {
        Ok(work.await)
    }
}

/// What an interactive shell does after `^C`: goes on, in a new line, which the terminal has begun.
fn interrupted(shell: &mut Shell, signal: Signal) -> i32 {
    shell.status = signals::status_of(signal);
    shell.status
}

/// What a command changes while it runs and puts back at its end, which it does not reach when it is interrupted.
struct Depths {
    fds: BTreeMap<u32, io::Fd>,
    positional: Vec<String>,
    condition: usize,
    calls: usize,
    loops: usize,
    locals: usize,
}

impl Depths {
    fn of(shell: &Shell) -> Self {
        Self {
            fds: shell.fds.clone(),
            positional: shell.positional.clone(),
            condition: shell.condition_depth,
            calls: shell.call_depth,
            loops: shell.loop_depth,
            locals: shell.locals.len(),
        }
    }

    fn restore(self, shell: &mut Shell) {
        shell.fds = self.fds;
        shell.positional = self.positional;
        shell.condition_depth = self.condition;
        shell.call_depth = self.calls;
        shell.loop_depth = self.loops;
        shell.locals.truncate(self.locals);
    }
}

/// Commands from stdin, each executed as soon as it is complete: commands may read the lines that follow. An
/// interactive shell goes on after a syntax error.
async fn from_input(shell: &mut Shell, is_interactive: bool) -> Done {
    let mut text = String::new();
    let mut status = 0;
    if is_interactive {
        shell.process.is_interactive();
    }
    while let Some(input) = shell.fd(0) {
        if is_interactive && text.is_empty() {
            prompt(shell, "PS1", PRIMARY_PROMPT).await;
        } else if is_interactive {
            prompt(shell, "PS2", SECONDARY_PROMPT).await;
        }
        let line = input.read_until(b'\n');
        let line = match unless_typed(shell.process.clone(), is_interactive, line).await {
            Ok(line) => line.unwrap_or_default(),
            Err(signal) => {
                status = interrupted(shell, signal);
                text.clear();
                continue;
            }
        };
        let ended = line.is_empty();
        text.push_str(&String::from_utf8_lossy(&line));
        if ended && text.trim().is_empty() {
            break;
        }
        match syntax::parse(&text) {
            Err(SyntaxError::Incomplete) if !ended => continue,
            Ok(program) => {
                let before = Depths::of(shell);
                let process = shell.process.clone();
                let work = exec::run(shell, &program);
                match unless_typed(process, is_interactive, work).await {
                    Ok(Ok(last) | Err(Flow::Return(last))) => status = last,
                    Ok(Err(flow)) => return Err(flow),
                    Err(signal) => {
                        before.restore(shell);
                        status = interrupted(shell, signal);
                    }
                }
            }
            // Running it says what is wrong with it.
            Err(_) => match command::script(shell, &text).await {
                Err(Flow::Exit(last)) if is_interactive => status = last,
                result => return result,
            },
        }
        text.clear();
        if ended {
            break;
        }
    }
    Ok(status)
}
