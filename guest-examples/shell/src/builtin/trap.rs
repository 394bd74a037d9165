//! `trap` and `kill`, and the utilities that find processes by their name.

use crate::applet::{Call, Fail, Outcome};
use crate::exec::command::quote;
use crate::shell::Shell;
use crate::signals::{self, Error, Process, Signal};
use std::rc::Rc;

/// Conditions of `trap` that are no signals; only `EXIT` ever comes.
const CONDITIONS: [&str; 4] = ["EXIT", "ERR", "DEBUG", "RETURN"];

/// The signal that `SIGTERM`, `term` or `15` stand for.
fn signal_of(text: &str) -> Option<Signal> {
    Signal::parse(&text.to_uppercase())
}

/// `trap [action condition…]`.
pub async fn trap(call: &mut Call<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args);
    args.retain(|arg| arg != "--");
    if args.is_empty() || args.first().is_some_and(|arg| arg == "-p") {
        let mut traps: Vec<_> = call.shell.traps.clone().into_iter().collect();
        traps.sort();
        for (name, action) in traps {
            call.line(format!("trap -- {} {name}", quote(&action)))
                .await?;
        }
        return Ok(0);
    }
    if args.first().is_some_and(|arg| arg == "-l") {
        return list(call).await;
    }
    // A first argument that is a number stands for no action (XCU trap).
    let is_number = |arg: &String| arg.bytes().all(|byte| byte.is_ascii_digit()) && !arg.is_empty();
    let resets = args.len() == 1 || args.first().is_some_and(|arg| arg == "-" || is_number(arg));
    let action = if args.len() == 1 || args.first().is_some_and(is_number) {
        String::new()
    } else {
        args.remove(0)
    };
    for name in args {
        let upper = name.to_uppercase();
        let condition = if upper == "0" { "EXIT" } else { &upper };
        let signal = signal_of(&name);
        let key = match signal {
            Some(signal) => signals::name_of(signal),
            None if CONDITIONS.contains(&condition) => condition.to_owned(),
            None => return Err(Fail::new(format!("{name}: bad trap"))),
        };
        let process = Rc::clone(&call.shell.process);
        if let Some(signal) = signal {
            let is_trapped = !resets && !action.is_empty();
            process.set_action(signal, is_trapped, !resets && action.is_empty());
        } else if key == "EXIT" {
            process.leaves_orderly(!resets && !action.is_empty());
        }
        if resets {
            call.shell.traps.remove(&key);
        } else {
            call.shell.traps.insert(key, action.clone());
        }
    }
    Ok(0)
}

async fn list(call: &mut Call<'_>) -> Outcome {
    let names: Vec<String> = Signal::standard().map(signals::name_of).collect();
    call.line(names.join(" ")).await?;
    Ok(0)
}

/// What `kill` and its relatives are to send: a signal, or nothing (0), only to look.
fn take_signal(args: &mut Vec<String>) -> Result<Option<Signal>, Fail> {
    let option = args.first().and_then(|arg| arg.strip_prefix('-'));
    let Some(option) = option.filter(|option| !option.is_empty()) else {
        return Ok(Some(Signal::TERM));
    };
    let name = match option {
        "-" => {
            args.remove(0);
            return Ok(Some(Signal::TERM));
        }
        "s" | "n" if args.len() > 1 => args.remove(1),
        name => name.to_owned(),
    };
    args.remove(0);
    if args.first().is_some_and(|arg| arg == "--") {
        args.remove(0);
    }
    if name == "0" {
        return Ok(None);
    }
    let signal = signal_of(&name).ok_or_else(|| Fail::new(format!("unknown signal {name}")))?;
    Ok(Some(signal))
}

/// `kill [-signal] process…`: a job, this shell, process 1 of the container.
pub async fn kill(call: &mut Call<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args);
    if args.first().is_some_and(|arg| arg == "-l") {
        return match args.get(1) {
            None => list(call).await,
            Some(status) => {
                let number = status.parse::<i32>().unwrap_or(0);
                let number = if number > signals::STATUS_BASE {
                    number - signals::STATUS_BASE
                } else {
                    number
                };
                let signal = u8::try_from(number).ok().and_then(Signal::of_number);
                let signal = signal.ok_or_else(|| Fail::new(format!("unknown signal {status}")))?;
                call.line(signals::name_of(signal)).await?;
                Ok(0)
            }
        };
    }
    let signal = take_signal(&mut args)?;
    if args.is_empty() {
        return Err(Fail::usage("usage: kill [-s signal | -signal] process..."));
    }
    let mut status = 0;
    for arg in args {
        // What was printed so far must be out, should the signal end this shell.
        call.flush().await?;
        let sent = match target(call.shell, &arg) {
            Target::Own(process) => signal.map_or(Ok(()), |signal| process.send(signal)),
            Target::Other(id) => {
                signal.map_or_else(|| signals::find(id), |signal| signals::send(id, signal))
            }
            Target::None => Err(Error::NoSuchProcess),
            Target::Wrong => {
                call.warn(format!("Illegal number: {arg}")).await?;
                status = 2;
                continue;
            }
        };
        if let Err(error) = sent {
            let reason = match error {
                Error::NoSuchProcess => "No such process",
                Error::NotPermitted => "Operation not permitted",
                _ => "Invalid argument",
            };
            call.warn(format!("({arg}) - {reason}")).await?;
            status = 1;
        }
    }
    Ok(status)
}

/// What a process number names.
enum Target {
    /// A shell or job of this program.
    Own(Rc<Process>),
    /// Perhaps a process of the container.
    Other(u32),
    /// Nobody.
    None,
    /// It is no process number.
    Wrong,
}

fn target(shell: &Shell, name: &str) -> Target {
    if let Some(number) = name.strip_prefix('%') {
        let at = number
            .parse::<usize>()
            .ok()
            .and_then(|at| at.checked_sub(1));
        let job = at
            .and_then(|at| shell.jobs.get(at))
            .filter(|job| job.is_running());
        return job.map_or(Target::None, |job| Target::Own(Rc::clone(&job.process)));
    }
    let Ok(id) = name.parse::<u32>() else {
        return Target::Wrong;
    };
    let program = Process::program();
    let own = [&shell.process, &shell.shell_process, &program];
    // 0 is this shell's process group, of which nothing but the shell would notice.
    if let Some(own) = own.into_iter().find(|own| own.id == id || id == 0) {
        return Target::Own(Rc::clone(own));
    }
    match shell.jobs.iter().find(|job| job.process.id == id) {
        Some(job) if job.is_running() => Target::Own(Rc::clone(&job.process)),
        Some(_) => Target::None,
        None if cfg!(target_os = "wasi") => Target::Other(id),
        // Natively the processes of the machine are none of a container's.
        None => Target::None,
    }
}

/// `killall`, `pkill`, `pgrep`, `pidof`: the container has one process with a name of its own, process 1.
pub async fn by_name(call: &mut Call<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args);
    let kills = call.name.ends_with("kill") || call.name == "killall";
    let mut is_quiet = false;
    let mut whole = call.name == "killall" || call.name == "pidof";
    let mut in_arguments = false;
    args.retain(|arg| {
        match arg.as_str() {
            "-q" => is_quiet = true,
            "-x" => whole = true,
            "-f" => in_arguments = true,
            _ => return true,
        }
        false
    });
    let signal = if kills { take_signal(&mut args)? } else { None };
    let command = signals::main_command();
    let program = command.first().map(String::as_str).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let shown = if in_arguments {
        command.join(" ")
    } else {
        program
    };
    let main = wasmpod_lifecycle::signals::MAIN_PROCESS;
    let mut status = 1;
    for name in args.iter().filter(|arg| !arg.starts_with('-')) {
        let is_it = if whole {
            shown == name.rsplit('/').next().unwrap_or(name)
        } else {
            regex_lite::Regex::new(name).is_ok_and(|pattern| pattern.is_match(&shown))
        };
        if !is_it {
            if call.name == "killall" && !is_quiet {
                call.warn(format!("{name}: no process found")).await?;
            }
            continue;
        }
        status = 0;
        if !kills {
            call.line(main.to_string()).await?;
        } else if let Some(signal) = signal {
            call.flush().await?;
            let sent = match target(call.shell, &main.to_string()) {
                Target::Own(process) => process.send(signal),
                _ => signals::send(main, signal),
            };
            if sent.is_err() {
                status = 1;
            }
        }
    }
    Ok(status)
}
