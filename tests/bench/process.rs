//! Programs that the benchmark starts: each is ended by its own handle at the latest when it is let go.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// How long a program may take for anything before the figure is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often the end of a program is looked for: an error of measuring, the same for both sides.
const LOOK: Duration = Duration::from_micros(100);

/// Lines of a program that are kept for a reader; more than a pod of a thousand containers says. What comes when it
/// is full is dropped, so that nobody waits for the benchmark.
const MAX_LINES: usize = 65_536;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The lines of its standard output, which must be piped; once.
    pub(crate) fn stdout(&mut self) -> anyhow::Result<Lines> {
        Ok(Lines::of(
            self.0
                .stdout
                .take()
                .context("standard output is not piped")?,
        ))
    }

    /// The lines of its standard error, which must be piped; once.
    pub(crate) fn stderr(&mut self) -> anyhow::Result<Lines> {
        Ok(Lines::of(
            self.0
                .stderr
                .take()
                .context("standard error is not piped")?,
        ))
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < limit, "still running after {PATIENCE:?}");
            thread::sleep(LOOK);
        }
    }

    /// Ends it as Ctrl-C does, and waits until it has ended.
    pub(crate) fn interrupt(&mut self) -> anyhow::Result<ExitStatus> {
        let sent = Command::new("kill")
            .args(["-INT", &self.id().to_string()])
            .status()?;
        ensure!(sent.success(), "cannot interrupt a program");
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, or the figure is given up.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// How long a program takes from its start to its end, which must be a success.
pub(crate) fn time(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = Process::start(command)?.wait()?;
    let elapsed = start.elapsed();
    ensure!(
        status.success(),
        "{} ended with {status}",
        command.get_program().to_string_lossy()
    );
    Ok(elapsed)
}

/// What a program says, line by line.
#[derive(Debug)]
pub(crate) struct Lines(Receiver<(Instant, String)>);

impl Lines {
    fn of(from: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(MAX_LINES);
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                // Full or without reader: the program must be able to go on.
                drop(sender.try_send((Instant::now(), line)));
            }
        });
        Self(receiver)
    }

    /// Waits for a line in which `find` finds something; the lines before it are gone.
    pub(crate) fn find<T>(
        &self,
        what: &str,
        mut find: impl FnMut(Instant, &str) -> Option<T>,
    ) -> anyhow::Result<T> {
        let limit = Instant::now() + PATIENCE;
        let mut last = String::new();
        loop {
            match self
                .0
                .recv_timeout(limit.saturating_duration_since(Instant::now()))
            {
                Ok((at, line)) => {
                    if let Some(found) = find(at, &line) {
                        return Ok(found);
                    }
                    last = line;
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no {what} within {PATIENCE:?}; last line: {last}")
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("no {what} before the end; last line: {last}")
                }
            }
        }
    }
}
