//! Two containers of a pod: connections a second, and datagrams there and back.

use crate::bench::Bench;
use crate::figures::sockets::Load;
use crate::row::{Bar, Row, Unit};

pub(crate) fn connections(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let load = Load {
        server: "tcp-accept",
        client: "tcp-connect",
        size: "0",
        count: "10000",
        // One more is made before the first that counts.
        server_count: "10001",
    };
    let what = "connections between two components of a pod, each made, accepted and closed; twin: native, kernel loopback";
    let row = load.row(bench, what.to_owned(), Unit::PerSecond, |figures| {
        figures.rate()
    })?;
    Ok(vec![row.bar(Bar::RatioAtLeast(2.0))])
}

pub(crate) fn datagrams(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let load = Load {
        server: "udp-echo",
        client: "udp-ping",
        size: "64",
        count: "30000",
        server_count: "30000",
    };
    let what =
        "UDP echo of 64 bytes between two components of a pod, p50; twin: native, kernel loopback";
    let row = load.row(bench, what.to_owned(), Unit::Microseconds, |figures| {
        Ok(figures.nanoseconds("p50_ns")? as f64 / 1e3)
    })?;
    Ok(vec![row.bar(Bar::RatioAtMost(0.8))])
}
