//! `wasmpod exec` and `wasmpod attach`: this process's streams are those of a command, or of a container.
//!
//! The command's exit code is ours. With `-t` the terminal is handed over: what is typed goes through as it is, Ctrl-C
//! too, and the terminal is given back whatever ends us ([`terminal`]).

mod streams;
mod terminal;

use std::io::{self, IsTerminal as _};

use anyhow::bail;
use wasmpod_api::Status;
use wasmpod_api::client::{ClientError, StreamOptions};

use crate::args::looking::{AttachArgs, ExecArgs, StreamArgs};
use crate::report::{self, Outcome};
use crate::runs::{Found, Runs, name, text};
use crate::targets;

pub(crate) async fn exec(args: &ExecArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let (pod, container) = find(&args.pod, &args.streams, &runs, "exec into").await?;
    let streams = options(&args.streams, is_terminal(&args.streams));
    let (namespace, own) = place(&pod);
    let opening = pod
        .run
        .client
        .exec(&namespace, &own, Some(&container), &args.command, streams);
    let end = streams::carry(opening.await?, streams).await?;
    outcome(end, args.streams.quiet)
}

pub(crate) async fn attach(args: &AttachArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let (pod, container) = find(&args.pod, &args.streams, &runs, "attach to").await?;
    let has_terminal = has_tty(&pod, &container);
    if args.streams.tty && !has_terminal {
        report::stderr(format_args!(
            "error: Unable to use a TTY - container {container} did not allocate one"
        ));
    }
    let is_raw = has_terminal && is_terminal(&args.streams);
    let mut streams = options(&args.streams, is_raw);
    // A container that has a terminal has one stream only.
    streams.tty = has_terminal;
    streams.stderr = !has_terminal;
    if is_raw && args.streams.stdin && !args.streams.quiet {
        report::stderr(format_args!(
            "If you don't see a command prompt, try pressing enter."
        ));
    }
    let (namespace, own) = place(&pod);
    let opening = pod
        .run
        .client
        .attach(&namespace, &own, Some(&container), streams);
    let carried = StreamOptions {
        tty: is_raw,
        ..streams
    };
    let end = streams::carry(opening.await?, carried).await?;
    outcome(end, args.streams.quiet)
}

async fn find(
    word: &str,
    args: &StreamArgs,
    runs: &Runs,
    verb: &str,
) -> anyhow::Result<(Found, String)> {
    let pod = targets::pod(runs, &args.namespace.namespace, word).await?;
    let phase = text(&pod.object, "/status/phase");
    if matches!(phase.as_str(), "Succeeded" | "Failed") {
        bail!("cannot {verb} a container in a completed pod; current phase is {phase}");
    }
    let container = match &args.container {
        Some(said) => targets::said_container(&pod.object, said)?,
        None => targets::default_container(&pod.object, args.quiet)?,
    };
    Ok((pod, container))
}

fn place(pod: &Found) -> (String, String) {
    (text(&pod.object, "/metadata/namespace"), name(&pod.object))
}

/// Can the terminal be handed over that is asked for?
fn is_terminal(args: &StreamArgs) -> bool {
    if !args.tty {
        return false;
    }
    if args.stdin && !io::stdin().is_terminal() {
        report::stderr(format_args!(
            "Unable to use a TTY - input is not a terminal or the right kind of file"
        ));
        return false;
    }
    true
}

fn options(args: &StreamArgs, tty: bool) -> StreamOptions {
    StreamOptions {
        stdin: args.stdin,
        stdout: true,
        stderr: !tty,
        tty,
    }
}

fn has_tty(pod: &Found, container: &str) -> bool {
    let lists = ["/spec/initContainers", "/spec/containers"];
    let mut all = lists
        .iter()
        .filter_map(|list| pod.object.pointer(list)?.as_array())
        .flatten();
    all.find(|one| text(one, "/name") == container)
        .and_then(|one| one.get("tty")?.as_bool())
        .unwrap_or(false)
}

/// What the end of the command is for us.
fn outcome(end: streams::End, quiet: bool) -> anyhow::Result<Outcome> {
    let status: Status = match end {
        streams::End::Status(status) => status,
        streams::End::Signal(code) => return Ok(Outcome::Code(code)),
    };
    match status.exit_code() {
        Some(0) => Ok(Outcome::Done),
        Some(code) => {
            if !quiet {
                report::stderr(format_args!("command terminated with exit code {code}"));
            }
            // Codes are eight bits wide for a shell.
            Ok(Outcome::Code(u8::try_from(code & 0xff).unwrap_or(1)))
        }
        None => Err(ClientError::from(status).into()),
    }
}
