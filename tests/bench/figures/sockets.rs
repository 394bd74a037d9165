//! Two containers of a pod on localhost, beside the same program as two processes on the kernel's loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::pods;
use crate::process::Process;
use crate::row::{Bar, Row, Unit};
use crate::samples::in_turns;
use crate::up::Up;

const ROUNDS: usize = 7;

/// Two programs that talk to each other: who answers, who measures, and what the latter is told.
pub(super) struct Load {
    pub(super) server: &'static str,
    pub(super) client: &'static str,
    pub(super) size: &'static str,
    pub(super) count: &'static str,
    /// How many the server takes, if it must be told.
    pub(super) server_count: &'static str,
}

pub(crate) fn echo(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let load = Load {
        server: "tcp-echo",
        client: "tcp-ping",
        size: "64",
        count: "30000",
        server_count: "0",
    };
    let p50 = |figures: &GuestFigures| Ok(figures.nanoseconds("p50_ns")? as f64 / 1e3);
    let p99 = |figures: &GuestFigures| Ok(figures.nanoseconds("p99_ns")? as f64 / 1e3);
    let what = |what| {
        format!(
            "echo of 64 bytes between two components of a pod, {what}; twin: native, kernel loopback"
        )
    };
    Ok(vec![
        load.row(bench, what("p50"), Unit::Microseconds, p50)?
            .bar(Bar::RatioAtMost(0.35)),
        load.row(bench, what("p99"), Unit::Microseconds, p99)?,
    ])
}

pub(crate) fn stream(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let load = Load {
        server: "tcp-sink",
        client: "tcp-stream",
        size: "65536",
        count: "16384",
        server_count: "0",
    };
    let rate = |figures: &GuestFigures| Ok(figures.bytes_per_second()? / f64::from(1 << 20));
    let what =
        "one-way 64 KiB writes between two components of a pod; twin: native, kernel loopback";
    Ok(vec![
        load.row(bench, what.to_owned(), Unit::MebibytesPerSecond, rate)?
            .bar(Bar::RatioAtLeast(1.7)),
    ])
}

impl Load {
    pub(super) fn row(
        &self,
        bench: &Bench,
        what: String,
        unit: Unit,
        value: fn(&GuestFigures) -> anyhow::Result<f64>,
    ) -> anyhow::Result<Row> {
        let (ours, twin) = in_turns(
            ROUNDS,
            || value(&self.in_pod(bench)?),
            || value(&self.native(bench)?),
        )?;
        Ok(Row::new(what, unit, ours).twin(twin))
    }

    fn server_args<'a>(&'a self, address: &'a str) -> [&'a str; 4] {
        [self.server, address, self.size, self.server_count]
    }

    fn client_args<'a>(&'a self, address: &'a str) -> [&'a str; 4] {
        [self.client, address, self.size, self.count]
    }

    fn in_pod(&self, bench: &Bench) -> anyhow::Result<GuestFigures> {
        let address = "127.0.0.1:7000";
        let pod = pods::pod(
            "talks",
            &[
                pods::container("server", &bench.component, &self.server_args(address)),
                pods::container("client", &bench.component, &self.client_args(address)),
            ],
        );
        let up = Up::start(bench, &pod.to_string(), &[])?;
        let figures = up.guest_figures(self.client)?;
        up.end()?;
        Ok(figures)
    }

    fn native(&self, bench: &Bench) -> anyhow::Result<GuestFigures> {
        // Taken and given back: the server takes it again at once, and nobody else is told of it.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .to_string();
        let program = bench.native()?;
        let mut server = Process::start(Command::new(program).args(self.server_args(&address)))?;
        let mut client = Command::new(program);
        let mut client = Process::start(
            client
                .args(self.client_args(&address))
                .stdout(Stdio::piped()),
        )?;
        let lines = client.stdout()?;
        let figures = lines.find("the native twin's figures", |_, line| {
            GuestFigures::parse(line, self.client)
        })?;
        ensure!(
            client.wait()?.success() && server.wait()?.success(),
            "the native twin failed"
        );
        Ok(figures)
    }
}
