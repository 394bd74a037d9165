//! Built-ins about what is executed: `exit`, `eval`, `exec`, jobs, traps.

use crate::applet::{self, Call, Fail, Outcome};
use crate::builtin::test::signal;
use crate::exec::{Flow, command as commands};
use crate::rt;

/// Names and numbers of signals (POSIX and Linux); 0 is the end of the shell.
const SIGNALS: [(&str, i32); 12] = [
    ("EXIT", 0),
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CHLD", 17),
];

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

/// `wait [pid…]`: until jobs have ended.
pub async fn wait(call: &mut Call<'_>) -> Outcome {
    call.flush().await?;
    let jobs = call.shell.jobs.clone();
    if call.args.is_empty() || call.args.first().is_some_and(|arg| arg == "-n") {
        let any = !call.args.is_empty();
        rt::wait(|| {
            let mut ended = jobs.iter().map(|(_, result)| result.get().is_some());
            if any {
                ended.any(|ended| ended) || jobs.is_empty()
            } else {
                ended.all(|ended| ended)
            }
        })
        .await;
        let status = jobs
            .iter()
            .find_map(|(_, result)| result.get())
            .filter(|_| any)
            .unwrap_or(0);
        call.shell.jobs.retain(|(_, result)| result.get().is_none());
        return Ok(status);
    }
    let mut status = 127;
    for arg in std::mem::take(&mut call.args) {
        let wanted = arg.trim_start_matches('%');
        let job = jobs.iter().enumerate().find(|(at, (pid, _))| {
            pid.to_string() == wanted || (arg.starts_with('%') && (at + 1).to_string() == wanted)
        });
        status = match job {
            Some((_, (_, result))) => {
                rt::wait(|| result.get().is_some()).await;
                result.get().unwrap_or_default()
            }
            None => 127,
        };
    }
    Ok(status)
}

/// `jobs`.
pub async fn jobs(call: &mut Call<'_>) -> Outcome {
    for (at, (pid, result)) in call.shell.jobs.clone().into_iter().enumerate() {
        let state = if result.get().is_some() {
            "Done"
        } else {
            "Running"
        };
        let text = if call.args.iter().any(|arg| arg == "-p") {
            pid.to_string()
        } else {
            format!("[{}] {state} {pid}", at + 1)
        };
        call.line(text).await?;
    }
    Ok(0)
}

/// The name and number that `SIGTERM`, `TERM` or `15` stand for.
fn signal_of(text: &str) -> Option<(&'static str, i32)> {
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    SIGNALS
        .into_iter()
        .find(|(known, number)| *known == name || number.to_string() == name)
}

/// `kill [-signal] pid…`: this shell is process 1; jobs cannot be interrupted, as WASI knows no signals.
pub async fn kill(call: &mut Call<'_>) -> Outcome {
    let mut wanted = Some(("TERM", 15));
    let mut args = std::mem::take(&mut call.args);
    if args.first().is_some_and(|arg| arg == "-l") {
        let names: Vec<&str> = SIGNALS.iter().skip(1).map(|(name, _)| *name).collect();
        call.line(names.join(" ")).await?;
        return Ok(0);
    }
    if let Some(option) = args
        .first()
        .and_then(|arg| arg.strip_prefix('-'))
        .map(str::to_owned)
    {
        args.remove(0);
        let name = if option == "s" || option == "n" {
            if args.is_empty() {
                String::new()
            } else {
                args.remove(0)
            }
        } else {
            option
        };
        wanted = if name == "0" {
            Some(("0", 0))
        } else {
            signal_of(&name)
        };
        if wanted.is_none() {
            return Err(Fail::new(format!("unknown signal {name}")));
        }
    }
    let (name, number) = wanted.unwrap_or(("TERM", 15));
    let mut status = 0;
    for arg in args {
        let is_job = call
            .shell
            .jobs
            .iter()
            .any(|(pid, result)| pid.to_string() == arg && result.get().is_none());
        match (arg.as_str(), number) {
            ("1", 0) => {}
            (_, 0) if is_job => {}
            ("1", _) => {
                call.flush().await?;
                signal(call.shell, name, number).await?;
            }
            _ if is_job => {
                call.warn(format!("({arg}) - Operation not supported"))
                    .await?;
                status = 1;
            }
            _ => {
                call.warn(format!("({arg}) - No such process")).await?;
                status = 1;
            }
        }
    }
    Ok(status)
}

/// `killall`, `pkill`, `pgrep`, `pidof`: no process here has a name but the container's first, the shell itself.
pub async fn killall(call: &mut Call<'_>) -> Outcome {
    let name = call
        .args
        .iter()
        .find(|arg| !arg.starts_with('-'))
        .cloned()
        .unwrap_or_default();
    if call.name == "killall" {
        call.warn(format!("{name}: no process found")).await?;
    }
    Ok(1)
}

/// `trap [action signal…]`. Only `EXIT` ever comes from outside, and what this shell sends itself by `kill`.
pub async fn trap(call: &mut Call<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args);
    args.retain(|arg| arg != "--");
    if args.is_empty() || args.first().is_some_and(|arg| arg == "-p") {
        let mut traps: Vec<_> = call.shell.traps.clone().into_iter().collect();
        traps.sort();
        for (name, action) in traps {
            call.line(format!("trap -- {} {name}", commands::quote(&action)))
                .await?;
        }
        return Ok(0);
    }
    if args.first().is_some_and(|arg| arg == "-l") {
        return Ok(0);
    }
    let resets = args.len() == 1 || args.first().is_some_and(|arg| arg == "-");
    let action = if args.len() == 1 {
        String::new()
    } else {
        args.remove(0)
    };
    for name in args {
        let known = signal_of(&name).map(|(name, _)| name.to_owned());
        let Some(signal) = known.or_else(|| {
            matches!(
                name.as_str(),
                "ERR" | "DEBUG" | "RETURN" | "WINCH" | "CONT" | "STOP" | "TSTP"
            )
            .then_some(name.clone())
        }) else {
            return Err(Fail::new(format!("{name}: bad trap")));
        };
        if resets {
            call.shell.traps.remove(&signal);
        } else {
            call.shell.traps.insert(signal, action.clone());
        }
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
