//! `wasmpod up` of a manifest, as a user runs it.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::process::{Lines, Process};
use anyhow::ensure;

/// A running `wasmpod up`.
#[derive(Debug)]
pub(crate) struct Up {
    process: Process,
    /// When it was started.
    pub(crate) start: Instant,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

impl Up {
    /// Starts it; `args` follow the manifest.
    pub(crate) fn start(bench: &Bench, manifest: &str, args: &[&str]) -> anyhow::Result<Self> {
        let mut command = bench.up(manifest)?;
        Self::run(command.args(args))
    }

    /// Starts a command that is `wasmpod up`.
    pub(crate) fn run(command: &mut Command) -> anyhow::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut process = Process::start(command)?;
        let (stdout, stderr) = (process.stdout()?, process.stderr()?);
        Ok(Self {
            process,
            start,
            stdout,
            stderr,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where a port of a pod is published, as the program says it.
    pub(crate) fn published(&self, port: &str) -> anyhow::Result<SocketAddr> {
        let end = format!(" -> {port}");
        self.stderr
            .find(&format!("published port{end}"), |_, line| {
                let line = line.strip_prefix("published ")?.strip_suffix(&end)?;
                line.split(' ').next()?.parse().ok()
            })
    }

    /// Waits until `count` containers have said that they run; when the last one did.
    pub(crate) fn all_running(&self, count: usize) -> anyhow::Result<Instant> {
        let mut running = 0;
        self.stderr
            .find(&format!("{count} running containers"), |at, line| {
                let (name, state) = line.split_once(": ")?;
                running += usize::from(name.contains('/') && state == "Running");
                (running == count).then_some(at)
            })
    }

    /// The next figures that a guest of the benchmarks prints.
    pub(crate) fn guest_figures(&self, role: &str) -> anyhow::Result<GuestFigures> {
        self.stdout.find(&format!("figures of {role}"), |_, line| {
            GuestFigures::parse(line.split_once(" | ")?.1, role)
        })
    }

    /// Ctrl-C, and the end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let status = self.process.interrupt()?;
        ensure!(status.success(), "`wasmpod up` ended with {status}");
        Ok(())
    }

    /// Waits for the end that comes by itself.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let status = self.process.wait()?;
        ensure!(status.success(), "`wasmpod up` ended with {status}");
        Ok(())
    }
}
