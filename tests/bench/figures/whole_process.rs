//! `wasmpod up` of a pod whose one container ends at once, beside `wasmtime run` of the same file, both with their
//! code compiled before: what a user waits for around a program that does nothing.

use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, WASMTIME};
use crate::pods;
use crate::process;
use crate::row::{Bar, Row, Unit};
use crate::samples::{in_turns, milliseconds, repeat};

const ROUNDS: usize = 20;

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    Ok(vec![
        row(bench, "a core module", &bench.alone_module)?,
        row(bench, "a component", &bench.alone_component)?,
    ])
}

fn row(bench: &Bench, kind: &str, module: &Path) -> anyhow::Result<Row> {
    let manifest = pods::pod("ends", &[pods::container("c", module, &["end"])]).to_string();
    let mut up = bench.up(&manifest)?;
    let mut ours = || Ok(milliseconds(process::time(&mut up)?));
    let what =
        format!("`wasmpod up` of {kind} that ends at once, code cached; twin: `wasmtime run`");
    let row = |samples| {
        Row::new(what, Unit::Milliseconds, samples)
            .bar(Bar::RatioAtMost(2.0))
            .bar(Bar::AtMost(50.0))
    };
    match WASMTIME.find() {
        Ok(program) => {
            let mut run = wasmtime_run(bench, &program, module)?;
            let (ours, twin) =
                in_turns(ROUNDS, ours, || Ok(milliseconds(process::time(&mut run)?)))?;
            Ok(row(ours).twin(twin))
        }
        Err(how) => Ok(row(repeat(ROUNDS, &mut ours)?).without_twin(how)),
    }
}

/// With a cache of compiled code of its own.
fn wasmtime_run(bench: &Bench, program: &Path, module: &Path) -> anyhow::Result<Command> {
    let config = bench.fresh_path(".toml");
    let cache = bench.fresh_path("-cache");
    std::fs::write(
        &config,
        format!("[cache]\ndirectory = {:?}\n", cache.display().to_string()),
    )?;
    let mut command = Command::new(program);
    command
        .args(["run", "-C", "cache=y", "-C"])
        .arg(format!("cache-config={}", config.display()));
    command.arg(module).arg("end");
    Ok(command)
}
