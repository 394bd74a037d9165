//! Executing the tree (XCU 2.9): lists, pipelines, compound commands, subshells.

pub mod command;
mod condition;
mod redirect;

pub use redirect::open_path;

use crate::expand;
use crate::io::{self, Fd};
use crate::rt::{self, Fut};
use crate::shell::{Job, MAX_CALLS, Shell};
use crate::signals::{self, Interrupted};
use crate::syntax::ast::Node;
use std::cell::RefCell;
use std::rc::Rc;

/// Why commands are left before their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// `break N`.
    Break(usize),
    /// `continue N`.
    Continue(usize),
    /// `return STATUS`.
    Return(i32),
    /// `exit STATUS`, also by `set -e`, and by errors that end a shell.
    Exit(i32),
}

/// An exit status, or the way out.
pub type Done = Result<i32, Flow>;

/// Exit status of a command that wrote to a pipe which nobody reads: 128 + SIGPIPE.
pub const BROKEN_PIPE: i32 = 141;

/// Executes a command; `$?` is its status.
pub fn run<'a>(shell: &'a mut Shell, node: &'a Node) -> Fut<'a, Done> {
    Box::pin(async move {
        let status = match node {
            Node::Simple(simple) => {
                let status = command::simple(shell, simple).await?;
                errexit(shell, status)?
            }
            Node::List(commands) => {
                let mut status = if commands.is_empty() { 0 } else { shell.status };
                for command in commands {
                    status = run(shell, command).await?;
                }
                status
            }
            Node::And(left, right) => match condition_of(shell, left).await? {
                0 => run(shell, right).await?,
                status => status,
            },
            Node::Or(left, right) => match condition_of(shell, left).await? {
                0 => 0,
                _ => run(shell, right).await?,
            },
            Node::Pipeline(negated, stages) => {
                shell.condition_depth += usize::from(*negated);
                let status = pipeline(shell, stages).await;
                shell.condition_depth -= usize::from(*negated);
                let status = status?;
                if *negated {
                    i32::from(status == 0)
                } else {
                    errexit(shell, status)?
                }
            }
            Node::Background(command) => {
                background(shell, command);
                0
            }
            Node::Subshell(body) => {
                let status = subshell(shell.clone(), Rc::clone(body)).await;
                errexit(shell, status)?
            }
            Node::Redirected(body, redirects) => {
                let saved = shell.fds.clone();
                let result = match redirect::apply(shell, redirects).await? {
                    true => run(shell, body).await,
                    false => errexit(shell, 1),
                };
                shell.fds = saved;
                result?
            }
            Node::Function(name, body) => {
                shell.functions.insert(name.clone(), Rc::clone(body));
                0
            }
            Node::Condition(condition) => {
                let status = condition::evaluate(shell, condition).await?;
                errexit(shell, status)?
            }
            Node::Arithmetic(expression) => {
                let status = i32::from(expand::number(shell, expression).await? == 0);
                errexit(shell, status)?
            }
            Node::If(branches, otherwise) => 'chosen: {
                for (condition, body) in branches {
                    if condition_of(shell, condition).await? == 0 {
                        break 'chosen run(shell, body).await?;
                    }
                }
                match otherwise {
                    Some(body) => run(shell, body).await?,
                    None => 0,
                }
            }
            Node::Case(subject, arms) => {
                let subject = expand::text(shell, subject).await?;
                let (mut status, mut falls) = (0, false);
                'arms: for arm in arms {
                    let mut matched = falls;
                    for pattern in &arm.patterns {
                        matched = matched || {
                            let pattern = expand::pattern_of(shell, pattern).await?;
                            expand::pattern::matches(&pattern, &subject)
                        };
                    }
                    if matched {
                        status = run(shell, &arm.body).await?;
                        falls = arm.falls_through;
                        if !falls {
                            break 'arms;
                        }
                    }
                }
                status
            }
            Node::While(..) | Node::For(..) | Node::ForArithmetic(..) => {
                shell.loop_depth += 1;
                let status = repeat(shell, node).await;
                shell.loop_depth -= 1;
                status?
            }
        };
        shell.status = status;
        if shell.process.pending_trap().is_some() {
            signals::run_traps(shell).await?;
        }
        Ok(status)
    })
}

/// `set -e`: a failure ends the shell, unless it is part of a condition.
fn errexit(shell: &mut Shell, status: i32) -> Done {
    shell.status = status;
    if status != 0 && shell.options.errexit && shell.condition_depth == 0 {
        Err(Flow::Exit(status))
    } else {
        Ok(status)
    }
}

/// Runs a command whose failure is an answer, not an error.
async fn condition_of(shell: &mut Shell, node: &Node) -> Done {
    shell.condition_depth += 1;
    let status = run(shell, node).await;
    shell.condition_depth -= 1;
    status
}

async fn repeat(shell: &mut Shell, node: &Node) -> Done {
    let mut status = 0;
    match node {
        Node::While(wanted, condition, body) => {
            while (condition_of(shell, condition).await? == 0) == *wanted {
                if turn(shell, body, &mut status).await? {
                    break;
                }
            }
        }
        Node::For(name, words, body) => {
            let values = match words {
                Some(words) => expand::fields(shell, words).await?,
                None => shell.positional.clone(),
            };
            for value in values {
                if let Err(message) = shell.set(name, value) {
                    return Err(expand::fatal(shell, &message).await);
                }
                if turn(shell, body, &mut status).await? {
                    break;
                }
            }
        }
        Node::ForArithmetic([initial, condition, step], body) => {
            expand::number(shell, initial).await?;
            loop {
                let text = expand::text(shell, condition).await?;
                if !text.trim().is_empty() && expand::number(shell, condition).await? == 0 {
                    break;
                }
                if turn(shell, body, &mut status).await? {
                    break;
                }
                expand::number(shell, step).await?;
            }
        }
        _ => {}
    }
    Ok(status)
}

/// One turn of a loop; true when it was the last.
async fn turn(shell: &mut Shell, body: &Node, status: &mut i32) -> Result<bool, Flow> {
    rt::give_way().await;
    match run(shell, body).await {
        Ok(last) => {
            *status = last;
            Ok(false)
        }
        Err(Flow::Break(1)) => {
            *status = 0;
            Ok(true)
        }
        Err(Flow::Continue(1)) => Ok(false),
        Err(Flow::Break(outer)) => Err(Flow::Break(outer - 1)),
        Err(Flow::Continue(outer)) => Err(Flow::Continue(outer - 1)),
        Err(flow) => Err(flow),
    }
}

async fn pipeline(shell: &mut Shell, stages: &[Rc<Node>]) -> Done {
    if let [only] = stages {
        return run(shell, only).await;
    }
    let mut running: Vec<Fut<'_, i32>> = Vec::with_capacity(stages.len());
    let mut input: Option<Fd> = None;
    for (at, stage) in stages.iter().enumerate() {
        let mut child = shell.clone();
        if let Some(reader) = input.take() {
            child.fds.insert(0, reader);
        }
        if at + 1 < stages.len() {
            let (reader, writer) = io::pipe();
            child.fds.insert(1, writer);
            input = Some(reader);
        }
        running.push(Box::pin(subshell(child, Rc::clone(stage))));
    }
    let statuses = rt::join_all(running).await;
    let last = statuses.last().copied().unwrap_or_default();
    if shell.options.pipefail {
        return Ok(statuses
            .into_iter()
            .rev()
            .find(|status| *status != 0)
            .unwrap_or_default());
    }
    Ok(last)
}

fn background(shell: &mut Shell, command: &Rc<Node>) {
    let mut child = shell.clone();
    // A job reads nothing of what the shell would read (XCU 2.9.3).
    child.fds.insert(0, Fd::Null);
    let process = shell.process.child(shell.take_pid());
    child.process = Rc::clone(&process);
    // A single program takes the place of the shell that was forked for it, so that `$!` is the program's number.
    child.is_replaced = matches!(**command, Node::Simple(_));
    let body = match &**command {
        Node::Subshell(body) => body,
        _ => command,
    };
    let job = job(child, Rc::clone(body));
    let result = rt::spawn(signals::until_killed(Rc::clone(&process), job));
    shell
        .jobs
        .retain(|job| job.is_running() || Rc::strong_count(&job.result) > 1);
    shell.jobs.push(Job { process, result });
}

/// Runs a command in a shell of its own and gives its exit status.
pub async fn subshell(mut shell: Shell, body: Rc<Node>) -> i32 {
    shell.process = shell.process.child(shell.take_pid());
    shell.is_replaced = false;
    job(shell, body).await
}

/// As [`subshell`], with the process that the shell has got.
async fn job(mut shell: Shell, body: Rc<Node>) -> i32 {
    // What is ignored stays so (XCU 2.12).
    shell.traps.retain(|_, action| action.is_empty());
    shell.loop_depth = 0;
    let process = Rc::clone(&shell.process);
    let result =
        match signals::interruptible(process, Interrupted::Shell, run(&mut shell, &body)).await {
            Ok(result) => result,
            Err(signal) => Err(Flow::Exit(signals::status_of(signal))),
        };
    finish(&mut shell, result).await
}

/// What a shell exits with, after its `trap … EXIT`.
pub async fn finish(shell: &mut Shell, result: Done) -> i32 {
    let status = match result {
        Ok(status) | Err(Flow::Exit(status) | Flow::Return(status)) => status,
        Err(Flow::Break(_) | Flow::Continue(_)) => shell.status,
    };
    let Some(trap) = shell.traps.remove("EXIT") else {
        return status;
    };
    shell.status = status;
    match command::script(shell, &trap).await {
        Err(Flow::Exit(changed)) => changed,
        _ => status,
    }
}

/// The output of a command without its last newlines: `$(…)`.
///
/// # Errors
/// When substitutions nest too deeply.
pub fn capture<'a>(shell: &'a mut Shell, body: &'a Rc<Node>) -> Fut<'a, Result<String, Flow>> {
    Box::pin(async move {
        let mut child = shell.clone();
        child.call_depth += 1;
        if child.call_depth > MAX_CALLS {
            return Err(expand::fatal(shell, "too many nested commands").await);
        }
        let buffer = Rc::new(RefCell::new(Vec::new()));
        child.fds.insert(1, Fd::Capture(Rc::clone(&buffer)));
        let status = subshell(child, Rc::clone(body)).await;
        shell.status = status;
        shell.captured = Some(status);
        let mut bytes = buffer.take();
        bytes.retain(|byte| *byte != 0);
        while bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}
