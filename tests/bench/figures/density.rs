//! A thousand containers that wait, in ten pods: how soon all of them run, and what one more of them costs.
//!
//! The memory of one container is the difference between a process with a thousand in ten pods and one with a single
//! container in one pod, page tables included, divided by the containers that it has more. So each carries its share
//! of its pod, and of whatever else the host keeps for it.

use std::path::Path;

use crate::bench::Bench;
use crate::host::settled_memory_kib;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::{Samples, milliseconds};
use crate::up::Up;

const PODS: usize = 10;
const CONTAINERS: usize = 1000;
const ROUNDS: usize = 3;

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = of_kind(bench, "core modules", &bench.alone_module, 90.0)?;
    rows.extend(of_kind(bench, "components", &bench.alone_component, 150.0)?);
    Ok(rows)
}

fn of_kind(bench: &Bench, kind: &str, module: &Path, most_kib: f64) -> anyhow::Result<Vec<Row>> {
    let (mut starts, mut memory) = (Samples::default(), Samples::default());
    // Compiles what is missing in the code store.
    run(bench, 1, 1, module)?;
    for _ in 0..ROUNDS {
        let (_, alone) = run(bench, 1, 1, module)?;
        let (start, together) = run(bench, PODS, CONTAINERS, module)?;
        starts.push(start);
        memory.push((together - alone) / (CONTAINERS - 1) as f64);
    }
    let what = |what| format!("1,000 idle {kind} in 10 pods: {what}");
    Ok(vec![
        Row::new(
            what("the whole program from its start until all run"),
            Unit::Milliseconds,
            starts,
        )
        .bar(Bar::AtMost(1000.0)),
        Row::new(
            what("resident memory and page tables of each"),
            Unit::Kibibytes,
            memory,
        )
        .bar(Bar::AtMost(most_kib)),
    ])
}

/// Milliseconds until all run, and the process's memory then, in KiB.
fn run(bench: &Bench, pods: usize, containers: usize, module: &Path) -> anyhow::Result<(f64, f64)> {
    let up = Up::start(bench, &pods::idle(pods, containers, module), &["--no-logs"])?;
    let running = up.all_running(containers)?;
    let start = milliseconds(running.duration_since(up.start));
    let memory = settled_memory_kib(up.id())?;
    up.stop()?;
    Ok((start, memory))
}
