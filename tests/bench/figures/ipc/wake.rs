//! A thousand containers of a pod, each waiting at a queue of its own: how long one of them takes to be woken. What the
//! queues take is measured where nothing else varies, in `host/ipc/benches/memory.rs`.

use serde_json::Value;

use super::pod;
use crate::bench::Bench;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::repeat;
use crate::up::Up;

const READERS: usize = 1000;
const ROUNDS: usize = 3;
const WAKES: &str = "20000";
const NAME: &str = "/wake";

/// Containers that wait at a queue each.
fn readers(bench: &Bench) -> Vec<Value> {
    let reader = |number: usize| {
        let queue = format!("{NAME}-{number}");
        let args = ["mq-wait", &queue, "8", "1", "1"];
        pods::container(&format!("r{number}"), &bench.module, &args)
    };
    (0..READERS).map(reader).collect()
}

fn wake(bench: &Bench) -> anyhow::Result<f64> {
    let mut containers = readers(bench);
    let count = READERS.to_string();
    let args = ["mq-wake", NAME, "8", WAKES, &count];
    containers.push(pods::container("waker", &bench.module, &args));
    let up = Up::start(bench, &pod("wake", &containers).to_string(), &[])?;
    let figures = up.guest_figures("mq-wake")?;
    up.end()?;
    Ok(figures.nanoseconds("p50_ns")? as f64 / 1e3)
}

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let what =
        "1,000 queues with one waiting reader each: from sending until the reader has it, p50";
    let wake =
        Row::new(what, Unit::Microseconds, repeat(ROUNDS, || wake(bench))?).bar(Bar::AtMost(5.0));
    Ok(vec![wake])
}
