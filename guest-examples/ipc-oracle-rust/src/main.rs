//! `ipc-oracle-rust ROLE RUN`: what the library `wasmpod_ipc` promises, between two programs, `first` and `second`.
//!
//! Each check prints `PASS sentence` or `FAIL sentence`. The same source runs natively on the kernel, as a core module
//! and as a component, and says the same. RUN is a number that tells runs on one machine apart. The checks in C
//! (`ipc-oracle`) are about the man pages; these are about the library, all three ways down.

mod alone;
mod together;

use std::env;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wasmpod_ipc::Error;

/// How long one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was checked so far, and the names of this run.
pub(crate) struct Checks {
    run: u32,
    failures: usize,
}

impl Checks {
    pub(crate) fn holds(&mut self, sentence: &str, holds: bool) {
        self.failures += usize::from(!holds);
        let verdict = if holds { "PASS" } else { "FAIL" };
        // Nobody reads any more: that is nobody's fault.
        let _ = writeln!(std::io::stdout(), "{verdict} {sentence}");
    }

    pub(crate) fn fails<T>(&mut self, sentence: &str, answer: Result<T, Error>, error: Error) {
        self.holds(sentence, answer.err() == Some(error));
    }

    pub(crate) fn name(&self, what: &str) -> String {
        format!("/wasmpod-rust-{}-{what}", self.run)
    }

    pub(crate) fn key(&self, number: u32) -> i32 {
        (0x5200_0000 + self.run % 0xfffff * 16 + number).cast_signed()
    }
}

/// Looks again and again, until it works or its patience ends.
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    loop {
        match look() {
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            answer => return answer,
        }
    }
}

fn main() -> ExitCode {
    let role = env::args().nth(1).unwrap_or_default();
    let run = env::args().nth(2).and_then(|run| run.parse().ok());
    let mut checks = Checks {
        run: run.unwrap_or_default(),
        failures: 0,
    };
    let end = match role.as_str() {
        "first" => alone::run(&mut checks).and_then(|()| together::first(&mut checks)),
        "second" => together::second(&mut checks),
        _ => {
            eprintln!("usage: ipc-oracle-rust first|second RUN");
            return ExitCode::from(2);
        }
    };
    match end {
        Ok(()) if checks.failures == 0 => {
            checks.holds("all is done", true);
            ExitCode::SUCCESS
        }
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            checks.holds(&format!("no call fails otherwise: {error}"), false);
            ExitCode::FAILURE
        }
    }
}
