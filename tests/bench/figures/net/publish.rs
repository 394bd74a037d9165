//! A client on the host and an echo in a pod, over a published port: what the hop adds to the same client and the same echo
//! on the kernel's loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::pods;
use crate::process::Process;
use crate::row::{Bar, Row, Unit};
use crate::samples::{Samples, in_turns};
use crate::up::Up;

const ROUNDS: usize = 7;
const CLIENT: &str = "tcp-ping";
const SERVER: &str = "tcp-serve";

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let echo = pods::container("echo", &bench.component, &[SERVER, "0.0.0.0:7000"]);
    let pod = pods::pod("echo", &[echo]).to_string();
    let up = Up::start(bench, &pod, &["--publish", "0:echo:7000"])?;
    let published = up.published("echo:7000")?;
    up.guest_figures(SERVER)?;

    let address: SocketAddr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut server = Command::new(bench.native()?);
    server
        .args([SERVER, &address.to_string()])
        .stdout(Stdio::null());
    let _server = Process::start(&mut server)?;

    let mut added = Samples::default();
    let (ours, twin) = in_turns(ROUNDS, || p50(bench, published), || p50(bench, address))?;
    added.push(ours.median() - twin.median());
    up.stop()?;
    let what = "echo of 64 bytes from a client on the host over a published port, p50";
    Ok(vec![
        Row::new(
            format!("{what}; twin: native, kernel loopback"),
            Unit::Microseconds,
            ours,
        )
        .twin(twin),
        Row::new("... what the hop adds", Unit::Microseconds, added).bar(Bar::AtMost(30.0)),
    ])
}

/// Microseconds of half of the round trips of the native client.
fn p50(bench: &Bench, to: SocketAddr) -> anyhow::Result<f64> {
    let mut client = Command::new(bench.native()?);
    client
        .args([CLIENT, &to.to_string(), "64", "20000"])
        .stdout(Stdio::piped());
    let mut client = Process::start(&mut client)?;
    let figures = client.stdout()?.find("the client's figures", |_, line| {
        GuestFigures::parse(line, CLIENT)
    })?;
    ensure!(client.wait()?.success(), "the client failed");
    Ok(figures.nanoseconds("p50_ns")? as f64 / 1e3)
}
