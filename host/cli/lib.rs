//! The commands, what they print, and how errors are shown.
//!
//! A client of the library `wasmpod` like any other: what a command does, a program can do with the same calls. The
//! verbs that look into running pods are plain clients of the Kubernetes API that each running wasmpod serves
//! (`runs`): they ask what kubectl asks and print what kubectl prints.
//!
//! Data goes to standard output, everything else to standard error.

mod age;
mod args;
mod delete;
mod describe;
mod events;
mod exec;
mod get;
mod image;
mod inspect;
mod ipc;
mod jsonpath;
mod logs;
mod net;
mod paint;
mod pod_state;
mod report;
mod runs;
mod selection;
mod sources;
mod tabs;
mod targets;
mod top;
mod units;
mod up;
mod validate;
mod wait;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use report::Outcome;
use runs::Runs;

/// Runs the command of this process's arguments; what it returns is the process's exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Also `--help` and `--version`, which end with 0. There is nobody to tell when printing fails.
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() {
                Outcome::Usage.code()
            } else {
                0
            });
        }
    };
    paint::choose(cli.color);
    let outcome = match &cli.command {
        Command::Up(args) => up::run(args, cli.state_dir.as_deref()),
        Command::Get(args) => look(&cli, async |runs| get::run(args, runs).await),
        Command::Describe(args) => look_into(&cli, async |runs| describe::run(args, runs).await),
        Command::Logs(args) => look_into(&cli, async |runs| logs::run(args, runs).await),
        Command::Exec(args) => look_into(&cli, async |runs| exec::exec(args, runs).await),
        Command::Attach(args) => look_into(&cli, async |runs| exec::attach(args, runs).await),
        Command::Delete(args) => look_into(&cli, async |runs| delete::run(args, runs).await),
        Command::Wait(args) => look(&cli, async |runs| wait::run(args, runs).await),
        Command::Events(args) => look(&cli, async |runs| events::run(args, runs).await),
        Command::Top(command) => look_into(&cli, async |runs| top::run(command, runs).await),
        Command::Ipc(command) => look_into(&cli, async |runs| ipc::run(command, runs).await),
        Command::Net(command) => look_into(&cli, async |runs| net::run(command, runs).await),
        Command::Validate(args) => validate::run(args),
        Command::Image(command) => image::run(command),
        Command::Inspect(command) => inspect::run(command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "wasmpod", &mut script);
            print_all(&script)
        }
    };
    ExitCode::from(
        outcome
            .unwrap_or_else(|error| report::failure(&error))
            .code(),
    )
}

/// Runs a verb on the wasmpods that run; without any it has nothing to do.
fn look_into(
    cli: &Cli,
    verb: impl AsyncFnOnce(Runs) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    look(cli, async |runs: Runs| {
        if runs.all().is_empty() {
            return Err(runs.none());
        }
        verb(runs).await
    })
}

/// Runs a verb that may also wait for a wasmpod to start.
fn look(
    cli: &Cli,
    verb: impl AsyncFnOnce(Runs) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    let state_dir = match &cli.state_dir {
        Some(dir) => dir.clone(),
        None => wasmpod::state_dir().ok_or(wasmpod::Error::NoStateDir)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start an event loop")?;
    let outcome = runtime.block_on(verb(Runs::find(&state_dir)));
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    outcome
}

fn print_all(bytes: &[u8]) -> anyhow::Result<Outcome> {
    std::io::Write::write_all(&mut std::io::stdout().lock(), bytes)?;
    Ok(Outcome::Done)
}
