//! A thousand containers of a pod, each waiting at a queue of its own: what the queues take, and how long one of the
//! containers takes to be woken.

use serde_json::Value;

use super::pod;
use crate::bench::Bench;
use crate::host;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::repeat;
use crate::up::Up;

const READERS: usize = 1000;
const ROUNDS: usize = 3;
const WAKES: &str = "20000";
const NAME: &str = "/wake";

/// Containers that wait at the queues of these numbers.
fn readers(bench: &Bench, queue: fn(usize) -> usize) -> Vec<Value> {
    let reader = |number: usize| {
        let queue = format!("{NAME}-{}", queue(number));
        let args = ["mq-wait", &queue, "8", "1", "1"];
        pods::container(&format!("r{number}"), &bench.module, &args)
    };
    (0..READERS).map(reader).collect()
}

/// Memory of the whole program while all wait, in KiB.
fn memory(bench: &Bench, queue: fn(usize) -> usize) -> anyhow::Result<f64> {
    let pod = pod("wake", &readers(bench, queue));
    let up = Up::start(bench, &pod.to_string(), &[])?;
    up.all_running(READERS)?;
    let memory = host::settled_memory_kib(up.id())?;
    up.stop()?;
    Ok(memory)
}

fn wake(bench: &Bench) -> anyhow::Result<f64> {
    let mut containers = readers(bench, |number| number);
    let count = READERS.to_string();
    let args = ["mq-wake", NAME, "8", WAKES, &count];
    containers.push(pods::container("waker", &bench.module, &args));
    let up = Up::start(bench, &pod("wake", &containers).to_string(), &[])?;
    let figures = up.guest_figures("mq-wake")?;
    up.end()?;
    Ok(figures.nanoseconds("p50_ns")? as f64 / 1e3)
}

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    // What a thousand queues take more than one, with as many containers.
    let each =
        || Ok((memory(bench, |number| number)? - memory(bench, |_| 0)?) / (READERS - 1) as f64);
    let what = "1,000 queues with one waiting reader each: memory of a queue";
    let memory = Row::new(what, Unit::Kibibytes, repeat(ROUNDS, each)?).bar(Bar::AtMost(1.0));
    let what =
        "1,000 queues with one waiting reader each: from sending until the reader has it, p50";
    let wake =
        Row::new(what, Unit::Microseconds, repeat(ROUNDS, || wake(bench))?).bar(Bar::AtMost(5.0));
    Ok(vec![memory, wake])
}
