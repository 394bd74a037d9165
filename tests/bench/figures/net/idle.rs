//! Ten thousand connections that are open and idle: what each costs, both of its ends and what the guests keep for them.
//!
//! It is the difference between a pod whose containers hold 999 more connections each and one in which they hold one,
//! divided by the connections that it has more.

use serde_json::Value;

use crate::bench::Bench;
use crate::host::settled_memory_kib;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::repeat;
use crate::up::Up;

const ROUNDS: usize = 3;
/// Pairs of containers: a container has 1024 sockets at most.
const PAIRS: usize = 10;
const CONNECTIONS: usize = 1000;

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let memory = repeat(ROUNDS, || {
        let few = run(bench, 1)?;
        let many = run(bench, CONNECTIONS)?;
        Ok((many - few) / (PAIRS * (CONNECTIONS - 1)) as f64)
    })?;
    let what = "10,000 open idle connections between components of a pod: resident memory of each, both ends";
    Ok(vec![
        Row::new(what, Unit::Kibibytes, memory).bar(Bar::AtMost(4.0)),
    ])
}

/// The memory of the whole program when so many connections are open between each pair of containers.
fn run(bench: &Bench, connections: usize) -> anyhow::Result<f64> {
    let containers: Vec<Value> = (0..PAIRS)
        .flat_map(|pair| pair_of(bench, pair, connections))
        .collect();
    let up = Up::start(bench, &pods::pod("idle", &containers).to_string(), &[])?;
    for _ in 0..PAIRS {
        up.guest_figures("tcp-open")?;
    }
    let memory = settled_memory_kib(up.id())?;
    up.stop()?;
    Ok(memory)
}

fn pair_of(bench: &Bench, pair: usize, connections: usize) -> [Value; 2] {
    let (address, count) = (
        format!("127.0.0.1:{}", 7000 + pair),
        connections.to_string(),
    );
    ["tcp-hold", "tcp-open"].map(|role| {
        let args = [role, address.as_str(), "0", count.as_str()];
        pods::container(&format!("{role}-{pair}"), &bench.component, &args)
    })
}
