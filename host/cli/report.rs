//! How errors reach a person: on standard error, the chain of causes in one line, hints on lines of their own.
//! The one place where errors are printed.

use std::io::{self, Write as _};

use wasmpod::{Report, ReportStyle, Warning};
use wasmpod_api::Status;
use wasmpod_api::client::ClientError;

use crate::paint::{self, paint};
use crate::runs::NoRuns;

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All that was asked for is done: 0.
    Done,
    /// The operation failed, or the manifest is invalid: 1.
    Failed,
    /// Wrong usage: 2.
    Usage,
    /// The time was up: 124, as timeout(1) has it.
    TimedOut,
    /// Ended by force at the second Ctrl-C: 128 + SIGINT.
    Killed,
    /// As the command ended that ran on our behalf.
    Code(u8),
}

impl Outcome {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TimedOut => 124,
            Self::Killed => 130,
            Self::Code(code) => code,
        }
    }
}

/// Prints an error that ends the command, and says how it ends. A broken pipe is success: whoever read our output
/// has seen enough.
pub(crate) fn failure(error: &anyhow::Error) -> Outcome {
    if is_broken_pipe(error) {
        return Outcome::Done;
    }
    if let Some(report) = error.downcast_ref::<Report>() {
        stderr(format_args!("{}", report.render_with(&Painted).trim_end()));
        return Outcome::Failed;
    }
    match error
        .downcast_ref::<ClientError>()
        .and_then(ClientError::status)
    {
        Some(status) => stderr(format_args!("{}", from_server(status))),
        None => stderr(format_args!(
            "{} {}",
            paint(paint::ERROR, "error:"),
            chain(error)
        )),
    }
    // Several causes may know the same way out.
    let mut hints: Vec<String> = Vec::new();
    for hint in error.chain().filter_map(hint_of) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    for hint in hints {
        stderr(format_args!("{} {hint}", paint(paint::HINT, "hint:")));
    }
    Outcome::Failed
}

/// What a server says is wrong, as kubectl shows it.
fn from_server(status: &Status) -> String {
    let from = match status.reason.as_str() {
        "" => "Error from server:".to_owned(),
        reason => format!("Error from server ({reason}):"),
    };
    format!("{} {status}", paint(paint::ERROR, from))
}

/// Prints one warning.
pub(crate) fn warning(text: std::fmt::Arguments<'_>) {
    stderr(format_args!("{} {text}", paint(paint::WARNING, "warning:")));
}

/// Prints the warnings of manifests.
pub(crate) fn warnings(warnings: &[Warning]) {
    for warning in warnings {
        stderr(format_args!(
            "{} {warning}",
            paint(paint::WARNING, "warning:")
        ));
    }
}

/// One line on standard error, written at once: standard output may be the same pipe. There is nobody to tell when that
/// fails.
pub(crate) fn stderr(line: std::fmt::Arguments<'_>) {
    let _ = anstream::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The causes, outermost first, each said once.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

fn hint_of(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<wasmpod::Error>() {
        return error.hint();
    }
    if error.is::<NoRuns>() {
        return Some(NoRuns::HINT.to_owned());
    }
    error
        .downcast_ref::<wasmpod::ImageError>()
        .and_then(wasmpod::ImageError::hint)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The parts of a report in our colours.
struct Painted;

impl ReportStyle for Painted {
    fn error(&self, text: &str) -> String {
        paint(paint::ERROR, text)
    }

    fn location(&self, text: &str) -> String {
        paint(paint::BOLD, text)
    }

    fn gutter(&self, text: &str) -> String {
        paint(paint::DIM, text)
    }

    fn mark(&self, text: &str) -> String {
        paint(paint::ERROR, text)
    }

    fn hint(&self, text: &str) -> String {
        paint(paint::HINT, text)
    }

    fn note(&self, text: &str) -> String {
        paint(paint::HINT, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::Error::new(io::Error::other("disk on fire")).context("cannot read `a`");
        assert_eq!(chain(&error), "cannot read `a`: disk on fire");
    }

    #[test]
    fn a_servers_words_are_kubectls() {
        let status = Status::failure(404, "NotFound", "pods \"web\" not found");
        let said = anstream::adapter::strip_str(&from_server(&status)).to_string();
        assert_eq!(said, "Error from server (NotFound): pods \"web\" not found");
    }

    #[test]
    fn a_broken_pipe_is_success() {
        let error =
            anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot write");
        assert_eq!(failure(&error), Outcome::Done);
    }
}
