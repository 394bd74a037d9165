//! The commands, what they print, and how errors are shown.
//!
//! A client of the library `wasmpod` like any other: what a command does, a program can do with the same calls.
//! Data goes to standard output, everything else to standard error.

mod args;
mod image;
mod inspect;
mod paint;
mod pod_state;
mod report;
mod sources;
mod units;
mod up;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use report::Outcome;

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
        Command::Up(args) => up::run(args),
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

fn print_all(bytes: &[u8]) -> anyhow::Result<Outcome> {
    std::io::Write::write_all(&mut std::io::stdout().lock(), bytes)?;
    Ok(Outcome::Done)
}
