//! Messages of 64 bytes through a queue between two containers of a pod, beside the kernel's POSIX message queue
//! between two processes. For information: the bars belong to the capability of IPC as a whole.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::pods;
use crate::process::Process;
use crate::row::{Row, Unit};
use crate::samples::in_turns;
use crate::up::Up;

const ROUNDS: usize = 5;
const COUNT: &str = "1000000";
const SMALL: &str = "10";
const LARGE: &str = "1024";

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let row = |kind: &str, module: &Path, capacity: &str| -> anyhow::Result<Row> {
        let native_capacity = native_capacity(capacity);
        let in_pod = || rate(&in_pod(bench, module, capacity)?);
        let (ours, twin) = in_turns(ROUNDS, in_pod, || rate(&native(bench, &native_capacity)?))?;
        let what = format!(
            "message queue, 64 bytes, capacity {capacity}, two {kind}; twin: POSIX mq, capacity {native_capacity}"
        );
        Ok(Row::new(what, Unit::MillionPerSecond, ours).twin(twin))
    };
    Ok(vec![
        row("core modules", &bench.module, SMALL)?,
        row("core modules", &bench.module, LARGE)?,
        row("components", &bench.component, LARGE)?,
    ])
}

/// Millions of messages a second.
fn rate(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(figures.rate()? / 1e6)
}

/// What an unprivileged program may have of the capacity (mq_overview(7)).
fn native_capacity(wanted: &str) -> String {
    let most = fs::read_to_string("/proc/sys/fs/mqueue/msg_max").unwrap_or_default();
    let most = most.trim().parse::<u32>().unwrap_or(10);
    wanted.parse().unwrap_or(most).min(most).to_string()
}

fn in_pod(bench: &Bench, module: &Path, capacity: &str) -> anyhow::Result<GuestFigures> {
    let args = |role| [role, "/q", "64", COUNT, capacity];
    let pod = pods::pod(
        "queue",
        &[
            pods::container("receiver", module, &args("mq-receive")),
            pods::container("sender", module, &args("mq-send")),
        ],
    );
    let up = Up::start(bench, &pod.to_string(), &[])?;
    let figures = up.guest_figures("mq-receive")?;
    up.end()?;
    Ok(figures)
}

fn native(bench: &Bench, capacity: &str) -> anyhow::Result<GuestFigures> {
    let program = bench.native()?;
    let name = format!("/wasmpod-bench-{}", std::process::id());
    let args = |role| [role, name.as_str(), "64", COUNT, capacity];
    let mut receiver = Command::new(program);
    let mut receiver = Process::start(receiver.args(args("mq-receive")).stdout(Stdio::piped()))?;
    let lines = receiver.stdout()?;
    let mut sender = Process::start(Command::new(program).args(args("mq-send")))?;
    let figures = lines.find("the native twin's figures", |_, line| {
        GuestFigures::parse(line, "mq-receive")
    })?;
    ensure!(
        sender.wait()?.success() && receiver.wait()?.success(),
        "the native twin failed"
    );
    Ok(figures)
}
