//! The logs of all containers, followed from their files and written to standard output by a thread of its own, so
//! that a reader who takes their time holds up neither the pods nor Ctrl-C.

use std::io::{self, BufWriter};
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use wasmpod::{LogItem, LogOptions, LogReader, PodHandle};

use super::print::Printer;
use super::tree::Screen;
use crate::args::UpArgs;

/// How many lines wait for the printing thread; beyond it the followers wait, and the lines stay in their files.
const WAITING_LINES: usize = 256;

/// The followers of all containers, and the thread that prints.
pub(crate) struct Logs {
    /// Resolves when all that was logged is printed, or nobody reads any more.
    printed: oneshot::Receiver<io::Result<()>>,
    result: Option<io::Result<()>>,
}

type Item = (Arc<str>, LogItem);

impl Logs {
    /// Follows every container of `pods`, through restarts, to the end of its pod.
    pub(crate) fn follow(
        pods: &[PodHandle],
        args: &UpArgs,
        screen: Screen,
    ) -> anyhow::Result<Self> {
        let (lines, waiting) = mpsc::channel(WAITING_LINES);
        let mut names = Vec::new();
        if !args.no_logs {
            for pod in pods {
                for container in pod.containers() {
                    let name: Arc<str> = format!("{}/{container}", pod.name()).into();
                    names.push(name.to_string());
                    let reader = pod.logs(
                        &container,
                        LogOptions {
                            follow: true,
                            restarts: true,
                            ..LogOptions::default()
                        },
                    );
                    if let Some(reader) = reader {
                        tokio::spawn(forward(name, reader, lines.clone()));
                    }
                }
            }
        }
        let printer = Printer::new(BufWriter::new(anstream::stdout()), args.log_format, &names);
        let (done, printed) = oneshot::channel();
        thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || {
                // Nobody may be waiting any more, after a second Ctrl-C.
                drop(done.send(print(waiting, printer, &screen)));
            })?;
        Ok(Self {
            printed,
            result: None,
        })
    }

    /// Resolves when standard output cannot be written to any more, and never when it can.
    pub(crate) async fn broken(&mut self) {
        if self.result.is_none() {
            self.result = Some((&mut self.printed).await.unwrap_or(Ok(())));
        }
        if !matches!(self.result, Some(Err(_))) {
            std::future::pending().await
        }
    }

    /// Waits until all that was logged is printed. A closed pipe is no error: whoever read has seen enough.
    pub(crate) async fn finish(self) -> io::Result<()> {
        let result = match self.result {
            Some(result) => result,
            None => self.printed.await.unwrap_or(Ok(())),
        };
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

async fn forward(name: Arc<str>, mut reader: LogReader, lines: mpsc::Sender<Item>) {
    // A file that cannot be read ends this container's lines; the pod goes on.
    while let Ok(Some(item)) = reader.next().await {
        if lines.send((Arc::clone(&name), item)).await.is_err() {
            return;
        }
    }
}

fn print(
    mut waiting: mpsc::Receiver<Item>,
    mut printer: Printer<impl io::Write>,
    screen: &Screen,
) -> io::Result<()> {
    while let Some((name, item)) = waiting.blocking_recv() {
        screen.beside(|| {
            printer.item(&name, &item)?;
            // All that came in the meantime goes in one write.
            while let Ok((name, item)) = waiting.try_recv() {
                printer.item(&name, &item)?;
            }
            printer.flush()
        })?;
    }
    Ok(())
}
