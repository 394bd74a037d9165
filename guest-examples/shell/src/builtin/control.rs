//! Built-ins about what is executed: `exit`, `eval`, `exec`, jobs, traps.

use crate::applet::{self, Call, Fail, Outcome};
use crate::exec::{Flow, command as commands};
use crate::rt;
use crate::shell::Job;
use crate::signals;
use std::rc::Rc;

/// `:`, `true`, and what has nothing to do here.
pub async fn colon(_: &mut Call<'_>) -> Outcome {
    Ok(0)
}

/// `false`.
pub async fn fails(_: &mut Call<'_>) -> Outcome {
    Ok(1)
}

fn status_argument(call: &Call<'_>) -> Result<i32, Fail> {
    match call.args.first() {
        None => Ok(call.shell.status),
        Some(text) => text
            .parse::<i32>()
            .map(|status| status & 0xff)
            .map_err(|_| Fail::usage(format!("Illegal number: {text}"))),
    }
}

/// `exit [status]`.
pub async fn exit(call: &mut Call<'_>) -> Outcome {
    Err(Flow::Exit(status_argument(call)?).into())
}

/// `return [status]`.
pub async fn return_(call: &mut Call<'_>) -> Outcome {
    Err(Flow::Return(status_argument(call)?).into())
}

/// `break [n]` and `continue [n]`; outside of a loop they do nothing.
pub async fn leave_loop(call: &mut Call<'_>) -> Outcome {
    let count = match call.args.first() {
        None => 1,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| Fail::usage(format!("Illegal number: {text}")))?,
    };
    match count.min(call.shell.loop_depth) {
        0 => Ok(0),
        levels if call.name == "break" => Err(Flow::Break(levels).into()),
        levels => Err(Flow::Continue(levels).into()),
    }
}

/// `eval [argument…]`.
pub async fn eval(call: &mut Call<'_>) -> Outcome {
    let text = call.args.join(" ");
    Ok(commands::script(call.shell, &text).await?)
}

/// `. file [argument…]`.
pub async fn source(call: &mut Call<'_>) -> Outcome {
    let Some(name) = call.args.first().cloned() else {
        return Err(Fail::usage("filename argument required"));
    };
    let folders = if name.contains('/') {
        String::new()
    } else {
        call.shell.get("PATH").unwrap_or_default()
    };
    let candidates = folders
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| format!("{folder}/{name}"));
    let path = candidates
        .map(|path| call.path(&path))
        .find(|path| path.is_file())
        .unwrap_or_else(|| call.path(&name));
    let bytes = std::fs::read(path).map_err(|error| {
        Fail::Message(
            format!("cannot open {name}: {}", crate::io::strerror(&error)),
            2,
        )
    })?;
    let args = call.args.split_off(1);
    let replaced = (!args.is_empty()).then(|| std::mem::replace(&mut call.shell.positional, args));
    let result = commands::script(call.shell, &String::from_utf8_lossy(&bytes)).await;
    if let Some(positional) = replaced {
        call.shell.positional = positional;
    }
    match result {
        Err(Flow::Return(status)) => Ok(status),
        other => Ok(other?),
    }
}

/// `exec [command [argument…]]`: the command is the last thing that this shell does.
pub async fn exec(call: &mut Call<'_>) -> Outcome {
    if call.args.first().is_some_and(|arg| arg == "--") {
        call.args.remove(0);
    }
    if call.args.is_empty() {
        return Ok(0);
    }
    // The shell is replaced: its traps are gone.
    call.shell.traps.clear();
    call.shell.process.exec();
    call.shell.is_replaced = true;
    let argv = std::mem::take(&mut call.args);
    let status = call.run(argv).await?;
    Err(Flow::Exit(status).into())
}

/// `command [-v|-V] name [argument…]`, `builtin name …`.
pub async fn command(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+vVp", &[])?;
    if options.has('v') || options.has('V') {
        return describe(call, options.has('V')).await;
    }
    let argv = std::mem::take(&mut call.args);
    call.run(argv).await
}

/// `type name…`.
pub async fn type_(call: &mut Call<'_>) -> Outcome {
    call.args.retain(|arg| !arg.starts_with('-'));
    describe(call, true).await
}

async fn describe(call: &mut Call<'_>, long: bool) -> Outcome {
    let keywords = [
        "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for",
        "in", "{", "}", "!",
    ];
    let mut status = 0;
    for name in std::mem::take(&mut call.args) {
        let folders = call.shell.get("PATH").unwrap_or_default();
        let script = folders
            .split(':')
            .map(|folder| format!("{folder}/{name}"))
            .find(|path| call.path(path).is_file());
        let (short, text) = if keywords.contains(&name.as_str()) {
            (name.clone(), format!("{name} is a shell keyword"))
        } else if call.shell.functions.contains_key(&name) {
            (name.clone(), format!("{name} is a function"))
        } else if applet::is_builtin(&name) {
            (name.clone(), format!("{name} is a shell builtin"))
        } else if applet::exists(&name) || matches!(name.as_str(), "sh" | "bash" | "ash" | "dash") {
            (format!("/bin/{name}"), format!("{name} is /bin/{name}"))
        } else if let Some(path) = script
            .or_else(|| (name.contains('/') && call.path(&name).is_file()).then(|| name.clone()))
        {
            (path.clone(), format!("{name} is {path}"))
        } else {
            status = 127;
            if long {
                call.line(format!("{name}: not found")).await?;
            }
            continue;
        };
        call.line(if long { text } else { short }).await?;
    }
    Ok(status)
}

/// `wait [pid…]`: until jobs have ended, or a signal has come that has a trap.
pub async fn wait(call: &mut Call<'_>) -> Outcome {
    call.flush().await?;
    let jobs = call.shell.jobs.clone();
    let process = Rc::clone(&call.shell.process);
    if call.args.is_empty() || call.args.first().is_some_and(|arg| arg == "-n") {
        let any = !call.args.is_empty();
        rt::wait(|| {
            let mut ended = jobs.iter().map(|job| !job.is_running());
            let is_over = if any {
                ended.any(|ended| ended) || jobs.is_empty()
            } else {
                ended.all(|ended| ended)
            };
            is_over || process.pending_trap().is_some()
        })
        .await;
        if let Some(signal) = process.pending_trap() {
            return Ok(signals::status_of(signal));
        }
        let status = jobs
            .iter()
            .find_map(|job| job.result.get())
            .filter(|_| any)
            .unwrap_or(0);
        call.shell.jobs.retain(Job::is_running);
        return Ok(status);
    }
    let mut status = NO_SUCH_JOB;
    for arg in std::mem::take(&mut call.args) {
        let Some(job) = job(&jobs, &arg) else {
            status = NO_SUCH_JOB;
            continue;
        };
        rt::wait(|| !job.is_running() || process.pending_trap().is_some()).await;
        if let (Some(signal), true) = (process.pending_trap(), job.is_running()) {
            return Ok(signals::status_of(signal));
        }
        status = job.result.get().unwrap_or_default();
    }
    Ok(status)
}

/// What `wait` gives for a job that is none of this shell's (XCU wait).
const NO_SUCH_JOB: i32 = 127;

/// The job that `%2` or a process number names.
fn job<'a>(jobs: &'a [Job], name: &str) -> Option<&'a Job> {
    match name.strip_prefix('%') {
        Some(number) => jobs.get(number.parse::<usize>().ok()?.checked_sub(1)?),
        None => jobs.iter().find(|job| job.process.id.to_string() == name),
    }
}

/// `jobs`.
pub async fn jobs(call: &mut Call<'_>) -> Outcome {
    for (at, job) in call.shell.jobs.clone().into_iter().enumerate() {
        let state = if job.is_running() { "Running" } else { "Done" };
        let pid = job.process.id;
        let text = if call.args.iter().any(|arg| arg == "-p") {
            pid.to_string()
        } else {
            format!("[{}] {state} {pid}", at + 1)
        };
        call.line(text).await?;
    }
    Ok(0)
}

/// `times`: CPU time is the host's business.
pub async fn times(call: &mut Call<'_>) -> Outcome {
    call.line("0m0.00s 0m0.00s\n0m0.00s 0m0.00s").await?;
    Ok(0)
}

/// `umask`: WASI has no modes; the usual value is shown, a new one is accepted.
pub async fn umask(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        call.line("0022").await?;
    }
    Ok(0)
}

/// `ulimit`: the container's limits are the host's business.
pub async fn ulimit(call: &mut Call<'_>) -> Outcome {
    if call.args.iter().all(|arg| arg.starts_with('-')) {
        call.line("unlimited").await?;
    }
    Ok(0)
}
