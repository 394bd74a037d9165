//! The figures of docs/performance.md: what wasmpod does, beside the native program that does the same.
//!
//! `cargo bench` measures all of them, `cargo bench -- WORD` those whose name contains a word. Each row of the table
//! is measured on the real `wasmpod` program and its twin in turns, in one run, on one machine: the ratio is what
//! counts. A bar that is missed is shown and fails nothing; a twin that is not installed is named with the package
//! that has it. Everything is bounded, on loopback, in a temporary folder, and on ports that the system picks.
//!
//! In reading order:
//!
//! | module | question that it answers |
//! |---|---|
//! | `figures` | what is measured, and which bar is due? |
//! | `samples`, `row` | how do measurements become a row? |
//! | `bench` | where are the guests, their native twins and the other programs? |
//! | `pods` | how are the pods written that run the guests? |
//! | `up`, `process`, `guest`, `host` | how is a program started, listened to, looked at and ended? |

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose work is to print a table"
)]

mod bench;
mod figures;
mod guest;
mod host;
mod pods;
mod process;
mod row;
mod samples;
mod up;

use std::env;

use bench::Bench;
use figures::FIGURES;
use row::Row;

fn main() -> anyhow::Result<()> {
    // cargo passes --bench for `cargo bench` and nothing for `cargo test`, which wants to know only that it starts.
    let mut args: Vec<String> = env::args().skip(1).collect();
    let is_bench = args.iter().any(|arg| arg == "--bench");
    args.retain(|arg| !arg.starts_with("--"));
    if !is_bench {
        return Ok(());
    }
    let wanted =
        |name: &str| args.is_empty() || args.iter().any(|word| name.contains(word.as_str()));
    let bench = Bench::new()?;
    println!("{}\n\n{}", host::description(), Row::HEADER);
    for figure in FIGURES.iter().filter(|figure| wanted(figure.name)) {
        eprintln!("measuring {} …", figure.name);
        let rows = (figure.measure)(&bench);
        for row in rows.unwrap_or_else(|error| vec![Row::unmeasured(figure.name, &error)]) {
            println!("{row}");
        }
    }
    Ok(())
}
