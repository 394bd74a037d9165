//! `net-oracle alone | server ADDRESS | client ADDRESS [WORD]`: what a program sees of TCP and UDP on Linux loopback.
//!
//! Each case is an exchange over loopback and the text of what it saw. The texts are what Linux shows (tcp(7), udp(7),
//! ip(7), RFC 9293, RFC 768); the same program runs natively, where all must hold, and in a pod, where those may differ
//! that docs/networking.md lists with a reason.
//!
//! ```text
//! PASS name
//! FAIL name: saw TEXT; Linux: TEXT
//! DONE number
//! ```
//!
//! Alone, one program has both ends; `server` and `client` are two programs. Either may start first. With a WORD only
//! cases run whose name contains it.

mod closing;
mod connecting;
mod listening;
mod options;
mod sys;
mod talk;
mod together;
mod transfer;
mod udp;

use std::env;
use std::io::Write as _;
use std::process::ExitCode;

use sys::Result;

/// One exchange.
pub(crate) struct Case {
    name: &'static str,
    /// What Linux shows.
    linux: &'static str,
    run: fn() -> Result<String>,
}

pub(crate) const fn case(
    name: &'static str,
    linux: &'static str,
    run: fn() -> Result<String>,
) -> Case {
    Case { name, linux, run }
}

const ALONE: [&[Case]; 6] = [
    connecting::CASES,
    listening::CASES,
    closing::CASES,
    transfer::CASES,
    options::CASES,
    udp::CASES,
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let word = arg(if arg(0) == "alone" { 1 } else { 2 });
    let outcomes: Vec<_> = match arg(0) {
        "alone" => {
            let wanted = |case: &&Case| case.name.contains(word);
            let cases = ALONE.iter().flat_map(|cases| cases.iter()).filter(wanted);
            cases.map(|case| tell(case, (case.run)())).collect()
        }
        role @ ("server" | "client") => together::run(role, arg(1)),
        _ => {
            eprintln!("usage: net-oracle alone [WORD] | server ADDRESS | client ADDRESS");
            return ExitCode::from(2);
        }
    };
    say(&format!("DONE {}", outcomes.len()));
    if outcomes.iter().all(|holds| *holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says what came of a case, and whether it is what Linux shows.
pub(crate) fn tell(case: &Case, outcome: Result<String>) -> bool {
    let saw = outcome.unwrap_or_else(|errno| format!("unexpected {errno}"));
    let holds = saw == case.linux;
    let Case { name, linux, .. } = case;
    say(&if holds {
        format!("PASS {name}")
    } else {
        format!("FAIL {name}: saw {saw}; Linux: {linux}")
    });
    holds
}

fn say(line: &str) {
    // Nobody reads any more: that is nobody's fault.
    let _ = writeln!(std::io::stdout(), "{line}");
}
